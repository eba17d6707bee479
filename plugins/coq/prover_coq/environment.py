"""The ``coq`` environment: Coq and Rocq through ``coqidetop`` or ``sertop``."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from prover_coq.document import read_source
from prover_coq.engine import Engine, EngineSettings
from prover_coq.idetop import IDETOP_FLAGS, IdetopEngine
from prover_coq.options import CoqOptions
from prover_coq.project import scratch_options
from prover_coq.search_cache import SearchCache
from prover_coq.serapi import SERTOP_FLAGS, SerapiEngine, sertop_arguments
from prover_coq.session import CoqSession, SessionSettings
from prover_coq.theorems import theorem_from_text, theorems_of_file
from prover_coq.toolchain import CoqToolchain, Need, find_toolchain
from prover_coq.worker import Worker
from prover_core.contracts import Portfolio, ProofEnvironment, RepairKit
from prover_core.errors import DataError, TheoremUnavailableError, ToolMissingError
from prover_core.process import Sandbox, WorkerPool
from prover_core.types import Capability, Limits, Proof, Theorem, Toolchain, Verdict, VerdictStatus

__all__ = ["CoqEnvironment"]


class CoqEnvironment(ProofEnvironment):
    """Opens theorems of ``.v`` files, and of text, in live Coq processes that it keeps and reuses."""

    Options: ClassVar[type[CoqOptions]] = CoqOptions
    prover: ClassVar[str] = "coq"
    file_suffixes: ClassVar[tuple[str, ...]] = (".v",)
    focus_words = ("{", "}")
    capabilities = frozenset(
        {
            Capability.STATE_HASH,
            Capability.INTERRUPT,
            Capability.PREMISES,
            Capability.WHOLE_PROOF,
            Capability.AXIOMS,
            Capability.KERNEL_RECHECK,
            Capability.SANDBOX,
            Capability.FOCUS,
            Capability.MEMORY_LIMIT,
        }
    )

    def __init__(self, options: CoqOptions | None = None) -> None:
        self.options = options if options is not None else CoqOptions()
        self._pool: WorkerPool[Worker] = WorkerPool(
            "coq",
            _stands_before,
            idle=self.options.idle_processes,
            recycle_theorems=self.options.recycle_theorems,
            recycle_mb=self.options.recycle_mb,
        )
        self._searches = SearchCache()

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
        options = self._all_options(theorem)
        key = (file, options, limits.memory_mb, limits.sandbox)
        make = functools.partial(self._engine, file, options, limits)
        worker, reply = self._pool.open(
            key,
            lambda folder: Worker(make, folder, key),
            lambda worker: worker.open(prefix, theorem.statement, where, deadline),
            prefix,
            where,
            deadline,
        )
        settings = SessionSettings(
            qed="Defined." if theorem.metadata.get("terminator") == "Defined" else "Qed.",
            qed_timeout_s=self.options.qed_timeout_s,
            open_timeout_s=limits.open_timeout_s,
            recycle_mb=self.options.recycle_mb,
            search_timeout_s=self.options.search_timeout_s,
        )
        return CoqSession(theorem, worker, reply, settings, self._searches, self._pool.release)

    def verify(
        self, theorem: Theorem, proof: Proof, limits: Limits, *, kernel_recheck: bool = False
    ) -> Verdict:
        from prover_coq.verify import STDLIB_AXIOMS, CoqVerifier

        try:
            toolchain = self._toolchain
        except ToolMissingError as error:
            return Verdict(VerdictStatus.MACHINERY_FAILED, log=str(error))
        allowed = STDLIB_AXIOMS | frozenset(self.options.allow_axioms)
        verifier = CoqVerifier(toolchain, allowed)
        theorem = replace(theorem, options=self._all_options(theorem))
        return verifier.verify(theorem, proof, limits, kernel_recheck=kernel_recheck)

    def theorem(self, statement: str, *, name: str = "", preamble: str = "") -> Theorem:
        return theorem_from_text(statement, name, preamble)

    def theorems_in(self, path: Path, options: Sequence[str] = ()) -> Sequence[Theorem]:
        return theorems_of_file(path, options)

    def render(self, theorem: Theorem, proof: Proof) -> str:
        if proof.text is not None:
            return f"{theorem.statement}\n{proof.text.rstrip()}\n"
        end = "Defined." if theorem.metadata.get("terminator") == "Defined" else "Qed."
        lines = "".join(f"  {tactic}\n" for tactic in proof.tactics)
        return f"{theorem.statement}\nProof.\n{lines}{end}\n"

    def portfolio(self) -> Portfolio | None:
        from prover_coq.portfolio import CoqPortfolio

        return CoqPortfolio()

    def repair_kit(self) -> RepairKit:
        from prover_coq.repair import CoqRepairKit

        return CoqRepairKit()

    def close(self) -> None:
        self._pool.close()

    # --- inside ----------------------------------------------------------------------------------

    @property
    def _need(self) -> Need:
        return "idetop" if self.options.backend == "idetop" else "sertop"

    @functools.cached_property
    def _toolchain(self) -> CoqToolchain:
        return find_toolchain(self.options.bin, version=self.options.version, need=self._need)

    def _all_options(self, theorem: Theorem) -> tuple[str, ...]:
        return (*theorem.options, *self.options.extra_args)

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
        arguments = scratch_options(file, options, folder)
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


def _stands_before(worker: Worker, prefix: str) -> int:
    """Going back costs time, so only a worker that has executed a beginning of the text will do."""
    return len(worker.text) if prefix.startswith(worker.text) else -1
