"""The ``lean4`` environment: any Lean 4, through one of four backends."""

from __future__ import annotations

import functools
import importlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol, cast

from prover_core.contracts import Portfolio, ProofEnvironment, RepairKit
from prover_core.errors import DataError, TheoremUnavailableError, ToolMissingError
from prover_core.process import WorkerPool
from prover_core.types import Capability, Limits, Proof, Theorem, Toolchain, Verdict, VerdictStatus
from prover_lean4.axioms import NATIVE_AXIOMS
from prover_lean4.backend import Backend
from prover_lean4.body import Body, read_body
from prover_lean4.mismatches import find_mismatches
from prover_lean4.options import BackendName, LeanOptions
from prover_lean4.project import LeanProject, find_project
from prover_lean4.script import render_proof
from prover_lean4.session import LeanSession, SessionSettings
from prover_lean4.theorems import read_source, theorem_from_text, theorems_of_file
from prover_lean4.toolchain import LeanToolchain, find_toolchain
from prover_lean4.unknown import UnknownWords
from prover_lean4.worker import Worker, common_start

__all__ = ["LeanEnvironment"]

_log = logging.getLogger(__name__)
_COMMON = frozenset(
    {
        Capability.STATE_HASH,
        Capability.WHOLE_PROOF,
        Capability.AXIOMS,
        Capability.SANDBOX,
    }
)
_LIMITED = frozenset({"server"})
"""Backends whose process runs under a limit on its address space."""
_KEEPS_STATES = frozenset({"repl", "pantograph", "leandojo"})
"""Backends that go on from any earlier state without running the tactics before it again."""
_REPL_VARIABLE = "PROVER_LEAN_REPL"
_PANTOGRAPH_VARIABLE = "PROVER_LEAN_PANTOGRAPH"


class _MakesBackends(Protocol):
    """What the module of a backend holds."""

    def make_backend(
        self,
        options: LeanOptions,
        toolchain: LeanToolchain,
        project: LeanProject | None,
        limits: Limits,
        folder: Path,
    ) -> Backend: ...


class LeanEnvironment(ProofEnvironment):
    """Opens theorems of ``.lean`` files, and of text, in live Lean processes that it keeps and reuses."""

    Options: ClassVar[type[LeanOptions]] = LeanOptions
    prover: ClassVar[str] = "lean4"
    file_suffixes: ClassVar[tuple[str, ...]] = (".lean",)

    def __init__(self, options: LeanOptions | None = None) -> None:
        self.options = options if options is not None else LeanOptions()
        self.backend = self._chosen()
        self._unknown = UnknownWords()
        self.capabilities = frozenset(
            {
                *_COMMON,
                *([Capability.FORK] if self.backend in _KEEPS_STATES else []),
                *([Capability.MEMORY_LIMIT] if self.backend in _LIMITED else []),
            }
        )
        self._pool: WorkerPool[Worker] = WorkerPool(
            "lean4",
            lambda worker, prefix: common_start(worker.prefix, prefix),
            idle=self.options.idle_processes,
            recycle_theorems=self.options.recycle_theorems,
            recycle_mb=self.options.recycle_mb,
        )

    # --- the contract ----------------------------------------------------------------------------

    def toolchain(self) -> Toolchain:
        found = self._toolchain(self._project(None))
        paths = {"lean": str(found.lean)}
        if found.lake is not None:
            paths["lake"] = str(found.lake)
        paths.update({name: str(path) for name, path in self._programs().items()})
        self._check_backend(found)
        return Toolchain("lean4", found.version_text, self.backend, paths)

    def mismatches(self) -> Sequence[str]:
        """Versions of project, Lean and REPL that do not fit together, each with what to do about it."""
        project = self._project(None) or find_project(Path.cwd())
        return find_mismatches(self._toolchain(self._project(None)), project, self._programs())

    def open(self, theorem: Theorem, limits: Limits) -> LeanSession:
        deadline = time.monotonic() + limits.open_timeout_s
        prefix, where = self._prefix(theorem)
        project = self._project(theorem)
        toolchain = self._toolchain(project)
        key = (project, toolchain.lean, limits.memory_mb, limits.sandbox)
        make = functools.partial(self._make, toolchain, project, limits)
        worker, reply = self._pool.open(
            key,
            lambda folder: Worker(make, folder, key),
            lambda worker: worker.open(prefix, theorem.statement, where, deadline),
            prefix,
            where,
            deadline,
        )
        settings = SessionSettings(
            open_timeout_s=limits.open_timeout_s,
            recycle_mb=self.options.recycle_mb,
            replays=self.backend not in _KEEPS_STATES,
            native=bool(NATIVE_AXIOMS.intersection(self.options.allow_axioms)),
            words=self._unknown.vocabulary((project, toolchain.lean), prefix),
        )
        return LeanSession(theorem, worker, reply, settings, self._pool.release)

    def verify(
        self, theorem: Theorem, proof: Proof, limits: Limits, *, kernel_recheck: bool = False
    ) -> Verdict:
        from prover_lean4.verify import LeanVerifier

        project = self._project(theorem)
        try:
            toolchain = self._toolchain(project)
        except ToolMissingError as error:
            return Verdict(VerdictStatus.MACHINERY_FAILED, log=str(error))
        verifier = LeanVerifier(toolchain, project, frozenset(self.options.allow_axioms))
        return verifier.verify(theorem, proof, limits, kernel_recheck=kernel_recheck)

    def theorem(self, statement: str, *, name: str = "", preamble: str = "") -> Theorem:
        return theorem_from_text(statement, name, preamble)

    def theorems_in(self, path: Path, options: Sequence[str] = ()) -> Sequence[Theorem]:
        return theorems_of_file(path, options)

    def render(self, theorem: Theorem, proof: Proof) -> str:
        if proof.text is None:
            return render_proof(theorem.statement, proof.tactics)
        body = read_body(proof, theorem.statement)
        return body.render(theorem.statement) if isinstance(body, Body) else proof.text

    def portfolio(self) -> Portfolio | None:
        from prover_lean4.portfolio import LeanPortfolio

        return LeanPortfolio()

    def repair_kit(self) -> RepairKit:
        from prover_lean4.repair import LeanRepairKit

        return LeanRepairKit()

    def close(self) -> None:
        self._pool.close()

    # --- inside ----------------------------------------------------------------------------------

    def _chosen(self) -> BackendName:
        """The backend, and why, for who wants to know; ``auto`` takes what somebody has pointed to."""
        wanted = self.options.backend
        if wanted != "auto":
            return wanted
        programs = self._programs()
        if "repl" in programs:
            choice, why = "repl", f"its program is {programs['repl']}"
        elif "pantograph" in programs:
            choice, why = "pantograph", f"its program is {programs['pantograph']}"
        else:
            choice, why = "server", "it needs nothing but Lean, and no program of another backend is named"
        _log.info("lean4: backend %s: %s", choice, why)
        return cast("BackendName", choice)

    def _programs(self) -> dict[str, Path]:
        """Programs of the other backends that are named by options or variables."""
        found = {}
        for name, option, variable in (
            ("repl", self.options.repl, _REPL_VARIABLE),
            ("pantograph", self.options.pantograph, _PANTOGRAPH_VARIABLE),
        ):
            named = option or os.environ.get(variable)
            if named and self.options.backend in ("auto", name):
                found[name] = Path(named).expanduser().absolute()
        return found

    def _project(self, theorem: Theorem | None) -> LeanProject | None:
        """The project of a theorem's file, or the one that the options name, or none."""
        if self.options.project is not None:
            root = self.options.project.expanduser().absolute()
            if not root.is_dir():
                message = f"the option project names {root}, which is no folder"
                raise DataError(message)
            return find_project(root) or LeanProject(root)
        if theorem is not None and theorem.file is not None:
            return find_project(Path(theorem.file))
        return None

    def _toolchain(self, project: LeanProject | None) -> LeanToolchain:
        return find_toolchain(self.options.bin, project=project)

    def _make(
        self, toolchain: LeanToolchain, project: LeanProject | None, limits: Limits, folder: Path
    ) -> Backend:
        module = cast("_MakesBackends", importlib.import_module(f"prover_lean4.{self.backend}"))
        return module.make_backend(self.options, toolchain, project, limits, folder)

    def _check_backend(self, toolchain: LeanToolchain) -> None:
        """:raises ToolMissingError: the backend cannot be used here."""
        folder = Path(tempfile.mkdtemp(prefix="prover-lean4-"))
        try:
            self._make(toolchain, self._project(None), Limits(), folder).close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

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
