"""The ``coq`` environment: Coq and Rocq through ``coqidetop`` or ``sertop``."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from prover_coq.document import TheoremDecl, parse_document, read_source
from prover_coq.engine import Engine, EngineSettings
from prover_coq.idetop import IDETOP_FLAGS, IdetopEngine
from prover_coq.options import CoqOptions
from prover_coq.pool import WorkerPool
from prover_coq.project import scratch_options
from prover_coq.serapi import SERTOP_FLAGS, SerapiEngine, sertop_arguments
from prover_coq.session import CoqSession, SessionSettings
from prover_coq.toolchain import CoqToolchain, Need, find_toolchain
from prover_core.contracts import Portfolio, ProofEnvironment
from prover_core.errors import DataError, TheoremUnavailableError
from prover_core.process import Sandbox
from prover_core.types import Capability, Limits, Proof, Span, Theorem, Toolchain, Verdict

__all__ = ["CoqEnvironment"]


class CoqEnvironment(ProofEnvironment):
    """Opens theorems of ``.v`` files, and of text, in live Coq processes that it keeps and reuses."""

    Options: ClassVar[type[CoqOptions]] = CoqOptions
    prover: ClassVar[str] = "coq"
    file_suffixes: ClassVar[tuple[str, ...]] = (".v",)
    capabilities = frozenset(
        {
            Capability.STATE_HASH,
            Capability.INTERRUPT,
            Capability.PREMISES,
            Capability.WHOLE_PROOF,
            Capability.AXIOMS,
            Capability.KERNEL_RECHECK,
            Capability.SANDBOX,
            Capability.MEMORY_LIMIT,
        }
    )

    def __init__(self, options: CoqOptions | None = None) -> None:
        self.options = options if options is not None else CoqOptions()
        self._pool = WorkerPool(
            idle=self.options.idle_processes,
            recycle_theorems=self.options.recycle_theorems,
            recycle_mb=self.options.recycle_mb,
        )

    # --- the contract ----------------------------------------------------------------------------

    def toolchain(self) -> Toolchain:
        found = self._toolchain
        paths = {"coqc": str(found.coqc), "coqlib": str(found.coqlib)}
        program = found.program(self._need)
        paths[program.name] = str(program)
        if found.coqchk is not None:
            paths["coqchk"] = str(found.coqchk)
        return Toolchain("coq", found.version_text, self.options.backend, paths)

    def open(self, theorem: Theorem, limits: Limits) -> CoqSession:
        deadline = time.monotonic() + limits.open_timeout_s
        prefix, where = self._prefix(theorem)
        file = Path(theorem.file).absolute() if theorem.file is not None else None
        key = (file, theorem.options, limits.memory_mb, limits.sandbox)
        make = functools.partial(self._engine, file, theorem.options, limits)
        worker, reply = self._pool.open(key, make, prefix, theorem.statement, where, deadline)
        settings = SessionSettings(
            qed="Defined." if theorem.metadata.get("terminator") == "Defined" else "Qed.",
            qed_timeout_s=self.options.qed_timeout_s,
            open_timeout_s=limits.open_timeout_s,
            recycle_mb=self.options.recycle_mb,
        )
        return CoqSession(theorem, worker, reply, settings, self._pool.release)

    def verify(
        self, theorem: Theorem, proof: Proof, limits: Limits, *, kernel_recheck: bool = False
    ) -> Verdict:
        from prover_coq.verify import STDLIB_AXIOMS, CoqVerifier

        allowed = STDLIB_AXIOMS | frozenset(self.options.allow_axioms)
        verifier = CoqVerifier(self._toolchain, allowed)
        return verifier.verify(theorem, proof, limits, kernel_recheck=kernel_recheck)

    def theorem(self, statement: str, *, name: str = "", preamble: str = "") -> Theorem:
        text = statement.strip()
        document = parse_document(text)
        if len(document.sentences) != 1 or len(document.theorems) != 1:
            message = (
                f"not one statement of Coq, from `Lemma` or the like to its full stop: {text[:200]!r}. "
                "Text that must come before it goes into the preamble."
            )
            raise DataError(message)
        decl = document.theorems[0]
        name = name or decl.name
        return Theorem(
            id=name, name=name, prover="coq", statement=text, preamble=preamble, metadata={"kind": decl.kind}
        )

    def theorems_in(self, path: Path, options: Sequence[str] = ()) -> Sequence[Theorem]:
        document = parse_document(read_source(path))
        return [_theorem(path, document.text, decl, tuple(options)) for decl in document.theorems]

    def render(self, theorem: Theorem, proof: Proof) -> str:
        if proof.text is not None:
            return f"{theorem.statement}\n{proof.text.rstrip()}\n"
        end = "Defined." if theorem.metadata.get("terminator") == "Defined" else "Qed."
        lines = "".join(f"  {tactic}\n" for tactic in proof.tactics)
        return f"{theorem.statement}\nProof.\n{lines}{end}\n"

    def portfolio(self) -> Portfolio | None:
        from prover_coq.portfolio import CoqPortfolio

        return CoqPortfolio()

    def close(self) -> None:
        self._pool.close()

    # --- inside ----------------------------------------------------------------------------------

    @property
    def _need(self) -> Need:
        return "idetop" if self.options.backend == "idetop" else "sertop"

    @functools.cached_property
    def _toolchain(self) -> CoqToolchain:
        return find_toolchain(self.options.bin, version=self.options.version, need=self._need)

    def _prefix(self, theorem: Theorem) -> tuple[str, str]:
        """The text before the statement, and what to call it in messages."""
        if theorem.file is None or theorem.span is None:
            return theorem.preamble, theorem.id
        try:
            text = read_source(Path(theorem.file))
        except DataError as error:
            raise TheoremUnavailableError(str(error)) from error
        if text[theorem.span.start : theorem.span.end] != theorem.statement:
            message = (
                f"{theorem.file} has changed since {theorem.name} was read from it; list its theorems again"
            )
            raise TheoremUnavailableError(message)
        return text[: theorem.span.start], theorem.file

    def _engine(self, file: Path | None, options: tuple[str, ...], limits: Limits, folder: Path) -> Engine:
        """An engine, not yet started, for text of ``file`` that is put into ``folder``."""
        toolchain = self._toolchain
        program = toolchain.program(self._need)
        arguments = scratch_options(file, (*options, *self.options.extra_args), folder)
        if file is not None:
            arguments += ["-topfile", str(folder / file.name)]
        make: type[Engine]
        if self.options.backend == "idetop":
            make, flags = IdetopEngine, [*IDETOP_FLAGS, *arguments]
        else:
            make, flags = SerapiEngine, [*SERTOP_FLAGS, *sertop_arguments(arguments)]
        settings = EngineSettings(
            command=(str(program), *flags),
            name=f"{program.name.removesuffix('.opt')} {toolchain.version_text}",
            # A file may name others relative to its own place.
            cwd=file.parent if file is not None else folder,
            env=toolchain.process_env(),
            memory_mb=limits.memory_mb,
            sandbox=Sandbox(writable=(folder,)) if limits.sandbox else None,
        )
        return make(settings)


def _theorem(path: Path, text: str, decl: TheoremDecl, options: tuple[str, ...]) -> Theorem:
    span = decl.statement
    return Theorem(
        id=f"{path.name}:{decl.qualified_name}",
        name=decl.qualified_name,
        prover="coq",
        statement=text[span.start : span.end],
        file=str(path.absolute()),
        span=span,
        proof_span=None if decl.proof is None else Span(decl.proof.start, decl.proof.end),
        options=options,
        metadata={"kind": decl.kind, "line": str(decl.line), "terminator": decl.terminator},
    )
