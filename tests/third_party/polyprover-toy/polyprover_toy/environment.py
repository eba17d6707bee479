"""The prover: a state is the number reached so far."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from prover_core.contracts import ComponentOptions, ProofEnvironment, ProofSession
from prover_core.errors import ContractError, DataError, TheoremUnavailableError, UnknownStateError
from prover_core.types import (
    Advanced,
    Capability,
    Goal,
    Goals,
    Limits,
    Outcome,
    Proof,
    ProofState,
    Rejected,
    RejectionKind,
    SessionStats,
    Solved,
    Span,
    Theorem,
    Toolchain,
    Verdict,
    VerdictStatus,
)

_STATEMENT = re.compile(r"reach (?P<target>[1-9]\d*)")
_STEPS = {"double": lambda n: 2 * n, "inc": lambda n: n + 1}


class ToyOptions(ComponentOptions):
    """Options of the toy prover."""

    start: int = Field(default=1, ge=1, description="The number that every proof starts from.")


class ToySession(ProofSession):
    """One theorem."""

    def __init__(self, target: int, start: int) -> None:
        self._target = target
        self._closed = False
        self.stats = SessionStats()
        self.root = self._state(start, ())

    def _state(self, number: int, script: tuple[str, ...]) -> ProofState:
        goals = Goals() if number == self._target else Goals((Goal((), f"{number} reaches {self._target}"),))
        return ProofState((self, number, script), len(script), goals)

    def _open(self, state: ProofState) -> tuple[int, tuple[str, ...]]:
        if self._closed:
            message = "the session is closed"
            raise ContractError(message)
        match state.handle:
            case (owner, int() as number, tuple() as script) if owner is self:
                return number, script
        message = "this state was made by another session"
        raise UnknownStateError(message)

    def step(self, state: ProofState, tactic: str, timeout_s: float) -> Outcome:
        number, script = self._open(state)
        started = time.monotonic()
        self.stats.tries += 1
        word = tactic.strip().removesuffix(".").strip()
        if word not in _STEPS:
            return Rejected(f"no such step: {word}", RejectionKind.PARSE)
        if state.goals.solved:
            return Rejected("there is nothing left to prove")
        reached = _STEPS[word](number)
        if reached > self._target:
            return Rejected(f"{reached} is past {self._target}")
        after = self._state(reached, (*script, word))
        seconds = time.monotonic() - started
        return Solved(after, seconds) if reached == self._target else Advanced(after, seconds)

    def try_tactics(self, state: ProofState, tactics: Sequence[str], timeout_s: float) -> list[Outcome]:
        return [self.step(state, tactic, timeout_s) for tactic in tactics]

    def script(self, state: ProofState) -> tuple[str, ...]:
        return self._open(state)[1]

    def close(self) -> None:
        self._closed = True


class ToyEnvironment(ProofEnvironment):
    """Reach a number from 1 by doubling and adding one."""

    Options: ClassVar[type[ToyOptions]] = ToyOptions
    prover: ClassVar[str] = "toy"
    file_suffixes: ClassVar[tuple[str, ...]] = (".toy",)
    capabilities = frozenset({Capability.FORK, Capability.STATE_HASH, Capability.WHOLE_PROOF})

    def __init__(self, options: ToyOptions | None = None) -> None:
        self.options = options or ToyOptions()

    def toolchain(self) -> Toolchain:
        return Toolchain(prover="toy", version="1.2.3", backend="in-process")

    def open(self, theorem: Theorem, limits: Limits) -> ProofSession:
        return ToySession(self._target(theorem), self.options.start)

    def verify(
        self, theorem: Theorem, proof: Proof, limits: Limits, *, kernel_recheck: bool = False
    ) -> Verdict:
        started = time.monotonic()
        steps = proof.tactics if proof.text is None else [s for s in re.split(r"[.\s]+", proof.text) if s]
        number = self.options.start
        for step in steps:
            word = step.strip().removesuffix(".").strip()
            if word not in _STEPS:
                return Verdict(
                    VerdictStatus.CHEATED, "toy 1.2.3", forbidden=(word,), statement_unchanged=True
                )
            number = _STEPS[word](number)
        reached = number == self._target(theorem)
        return Verdict(
            VerdictStatus.PROVED if reached else VerdictStatus.REJECTED,
            checker="toy 1.2.3",
            statement_unchanged=True,
            seconds=time.monotonic() - started,
            log="" if reached else f"the steps lead to {number}",
        )

    def theorem(self, statement: str, *, name: str = "", preamble: str = "") -> Theorem:
        match = _STATEMENT.fullmatch(statement.strip())
        if match is None:
            message = f"not a toy statement: {statement!r}; write: reach NUMBER"
            raise DataError(message)
        name = name or f"reach_{match['target']}"
        digest = hashlib.sha256(f"{preamble}\0{statement}".encode()).hexdigest()[:8]
        return Theorem(f"toy:{name}:{digest}", name, "toy", statement.strip(), preamble=preamble)

    def theorems_in(self, path: Path, options: Sequence[str] = ()) -> Sequence[Theorem]:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            message = f"{path} cannot be read: {error}"
            raise DataError(message) from error
        return [
            Theorem(
                id=f"{path}:reach_{match['target']}",
                name=f"reach_{match['target']}",
                prover="toy",
                statement=match[0],
                file=str(path),
                span=Span(match.start(), match.end()),
                metadata={"line": str(text.count("\n", 0, match.start()) + 1)},
            )
            for match in _STATEMENT.finditer(text)
        ]

    def render(self, theorem: Theorem, proof: Proof) -> str:
        return "\n".join([theorem.statement, *(f"  {tactic}" for tactic in proof.tactics)])

    def close(self) -> None:
        """Nothing is kept."""

    def _target(self, theorem: Theorem) -> int:
        match = _STATEMENT.fullmatch(theorem.statement)
        if match is None:
            message = f"{theorem.name} is no toy statement"
            raise TheoremUnavailableError(message)
        return int(match["target"])
