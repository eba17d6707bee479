"""What an environment's author gives to the kit, and what the kit's tests are made with."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

import psutil
import pytest

from prover_core.contracts import ProofEnvironment, ProofSession
from prover_core.process import guardian_pid
from prover_core.testing.base import Contract
from prover_core.types import (
    Advanced,
    Capability,
    Goal,
    Limits,
    Outcome,
    Proof,
    ProofState,
    Rejected,
    Solved,
    Theorem,
    Verdict,
)

__all__ = ["EnvironmentIngredients", "Example", "as_proof", "summary"]

Example = tuple[str, Sequence[str]]
"""A statement, and tactics for it."""
_T = TypeVar("_T")


class EnvironmentIngredients(Contract):
    """Examples in the prover's own language. Those without a value here must be given."""

    provable: ClassVar[Example]
    """A statement and a proof of it in at least two tactics; no tactic of it may end in an open goal."""
    unprovable: ClassVar[str]
    """A statement that has no proof (without axioms)."""
    cheats: ClassVar[Sequence[tuple[str, str | Sequence[str]]]]
    """Name and proof of ``unprovable`` (one text, or tactics) that tries to get away with something."""
    changed_statement: ClassVar[str | Sequence[str]]
    """A "proof" of ``unprovable`` that states and proves something else instead."""
    rejected_tactic: ClassVar[str]
    """Well written, and fails on ``provable``."""
    parse_error_tactic: ClassVar[str]
    forbidden_tactics: ClassVar[Sequence[str]]
    """Not one sentence of the tactic language: commands, a second sentence, ..."""
    giving_up_tactics: ClassVar[Sequence[str]] = ()
    """Tactics that leave a goal unproved and out of sight (``admit``); forbidding them is fine."""
    branching: ClassVar[Example]
    """A statement, and at least three tactics for its first state, of which at least two are accepted and
    lead to different states."""
    two_routes: ClassVar[tuple[str, Sequence[str], Sequence[str]]]
    """A statement, and two different lists of tactics that lead to states that look the same."""
    structured: ClassVar[tuple[str, Sequence[str], Goal]]
    """A statement, tactics, and the first goal that they lead to; at least one hypothesis in it."""
    unicode: ClassVar[Example]
    """Like ``provable``, with characters beyond ASCII in the statement or the tactics."""
    not_a_statement: ClassVar[str]
    """Text that ``theorem()`` must refuse."""
    bad_preamble: ClassVar[str]
    """Text that the prover refuses before it comes to the theorem."""
    source: ClassVar[tuple[str, str, Sequence[str]]]
    """File suffix, text of a source file with at least three theorems, and their names in order."""
    hanging_tactic: ClassVar[str | None] = None
    """Runs for a minute or more on ``provable``."""
    memory_tactic: ClassVar[str | None] = None
    """Needs more memory than ``limits`` allow; needed with ``Capability.MEMORY_LIMIT``."""
    axiomatic: ClassVar[tuple[str, Sequence[str], frozenset[str]] | None] = None
    """A statement, a proof that rests on allowed axioms, and those; needed with ``Capability.AXIOMS``."""
    axiomatic_preamble: ClassVar[str] = ""
    """Text that must come before ``axiomatic``."""
    terminator: ClassVar[str] = "."
    """What may be left out at the end of a tactic; empty: nothing may."""
    limits: ClassVar[Limits] = Limits(memory_mb=3072, open_timeout_s=60, verify_timeout_s=120)
    step_timeout_s: ClassVar[float] = 10.0
    slack_s: ClassVar[float] = 1.5
    """How much longer than promised things may take on a busy machine."""
    gone_within_s: ClassVar[float] = 5.0
    """How long killed processes may take to disappear."""
    has_processes: ClassVar[bool] = True
    """False: the prover runs inside this process, and there is nothing to kill."""

    _before: frozenset[int] = frozenset()

    def make_environment(self) -> ProofEnvironment:
        """A new environment of the kind to be tested."""
        raise NotImplementedError

    def make_uninstalled(self) -> ProofEnvironment | None:
        """An environment whose prover is not installed; ``None``: there is no such thing."""
        return None

    def prover_pids(self) -> list[int]:
        """Processes that belong to the environment: by default, all living children of this process."""
        found = []
        for process in psutil.Process().children(recursive=True):
            try:
                if process.status() != psutil.STATUS_ZOMBIE and process.pid != guardian_pid():
                    found.append(process.pid)
            except psutil.NoSuchProcess:
                continue
        return found

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder for the source files of one test."""
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)

    # --- tools for the tests ----------------------------------------------------------------------

    def own_pids(self) -> list[int]:
        """``prover_pids()`` less what was there before the test."""
        return [pid for pid in self.prover_pids() if pid not in self._before]

    @contextmanager
    def opened_environment(self) -> Iterator[ProofEnvironment]:
        self._before = frozenset(self.prover_pids())
        with self.make_environment() as environment:
            yield environment

    @contextmanager
    def opened(
        self, statement: str | None = None, limits: Limits | None = None
    ) -> Iterator[tuple[ProofEnvironment, Theorem, ProofSession]]:
        """An environment, a theorem and a session on it."""
        with self.opened_environment() as environment:
            theorem = environment.theorem(statement or self.provable[0], name="kit_example")
            with environment.open(theorem, limits or self.limits) as session:
                yield environment, theorem, session

    def walk(
        self, session: ProofSession, tactics: Sequence[str], state: ProofState | None = None
    ) -> list[ProofState]:
        """The states after each tactic, all of which must be accepted."""
        states: list[ProofState] = []
        current = state or session.root
        for tactic in tactics:
            outcome = session.step(current, tactic, self.step_timeout_s)
            assert isinstance(outcome, Advanced | Solved), (
                f"'{tactic}' should be accepted after {list(tactics)[: len(states)]}, and was: {outcome}"
            )
            current = outcome.state
            states.append(current)
        return states

    def verdict(
        self, environment: ProofEnvironment, statement: str, proof: str | Sequence[str], **options: Any
    ) -> Verdict:
        preamble = options.pop("preamble", "")
        theorem = environment.theorem(statement, name="kit_example", preamble=preamble)
        return environment.verify(theorem, as_proof(proof), self.limits, **options)

    def need(self, value: _T | None, name: str, because: Capability | None, declared: bool) -> _T:
        """An example that only some environments can give; missing, it skips, or fails if declared."""
        if value is not None:
            return value
        if declared:
            pytest.fail(f"{because} is declared, so the kit needs '{name}' to see whether it is true")
        pytest.skip(f"no '{name}' given")

    def not_applicable(self, why: str) -> NoReturn:
        pytest.skip(why)

    @contextmanager
    def killing(self, age_s: float = 0.0) -> Iterator[Callable[[], int]]:
        """While this lasts, every prover process is killed once it is ``age_s`` old; gives the number."""
        killed: list[int] = []
        over = threading.Event()

        def hunt() -> None:
            first_seen: dict[int, float] = {}
            while not over.wait(0.003):
                for pid in self.own_pids():
                    if time.monotonic() - first_seen.setdefault(pid, time.monotonic()) >= age_s:
                        _kill(pid)
                        killed.append(pid)

        hunter = threading.Thread(target=hunt, daemon=True)
        hunter.start()
        try:
            yield lambda: len(set(killed))
        finally:
            over.set()
            hunter.join()

    def kill_all(self) -> int:
        """Kill every process of the prover; how many there were."""
        pids = self.own_pids()
        for pid in pids:
            _kill(pid)
        psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=0.2)
        return len(pids)

    def wait_until_gone(self) -> list[int]:
        """Processes of the prover that are still there after ``gone_within_s`` seconds."""
        deadline = time.monotonic() + self.gone_within_s
        while (left := self.own_pids()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left

    def source_file(self, folder: Path) -> Path:
        suffix, text, _ = self.source
        path = folder / f"KitExample{suffix}"
        path.write_text(text, encoding="utf-8")
        return path

    def with_preamble(self, environment: ProofEnvironment, preamble: str) -> Theorem:
        theorem = environment.theorem(self.provable[0], name="kit_example")
        return replace(theorem, id=f"{theorem.id}:preamble", preamble=preamble)


def _kill(pid: int) -> None:
    try:
        psutil.Process(pid).kill()
    except psutil.NoSuchProcess:
        return


def as_proof(proof: str | Sequence[str]) -> Proof:
    return Proof((), text=proof) if isinstance(proof, str) else Proof(tuple(proof))


def summary(outcome: Outcome) -> tuple[object, ...]:
    """What must be equal in two outcomes that are to be the same: all but times and handles."""
    if isinstance(outcome, Advanced | Solved):
        return (
            type(outcome).__name__,
            outcome.state.depth,
            str(outcome.state.goals),
            outcome.state.fingerprint,
        )
    if isinstance(outcome, Rejected):
        return type(outcome).__name__, outcome.kind
    return (type(outcome).__name__,)
