"""What a report is about: runs, problems, and what each run made of each problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prover_core.evaluation.pairing import Equivalence, Pair, PairingTable
from prover_core.store import AttemptStatus, Provenance, RunSummary
from prover_core.types import Budget

__all__ = ["Cell", "ReportData", "Row", "RunView", "Try", "within"]


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt, as far as figures need it."""

    number: int
    uid: str
    status: AttemptStatus
    seconds: float
    """Of the search. This and what follows as a budget counts it: where a proof was found, until then."""
    tries: int
    model_calls: int
    tokens: int = 0
    all_tries: int = 0
    """With those that were under way when the proof was found."""


@dataclass(slots=True)
class Cell:
    """What one run made of one theorem."""

    theorem_id: str
    name: str
    statement: str
    attempts: list[Try] = field(default_factory=list)
    """In the order of their numbers."""
    status: AttemptStatus = AttemptStatus.UNAVAILABLE
    """Of the attempt that is shown: the proof that took the fewest tries; else the last."""
    uid: str = ""
    proof: str = ""
    """Statement and proof as one would paste them; empty: none was found."""
    steps: int = 0
    checker: str = ""
    axioms: tuple[str, ...] = ()
    detail: str = ""
    """What ended the attempt that is shown, in words."""
    error_class: str = ""

    @property
    def n(self) -> int:
        """Attempts that say something about the theorem."""
        return sum(attempt.status.conclusive for attempt in self.attempts)

    @property
    def c(self) -> int:
        """Attempts that proved it."""
        return sum(attempt.status is AttemptStatus.PROVED for attempt in self.attempts)

    @property
    def proved(self) -> bool:
        return any(attempt.status is AttemptStatus.PROVED for attempt in self.attempts)

    def until_proved(self) -> tuple[float, int] | None:
        """Seconds and tries, attempt after attempt, until the first proof; ``None``: none came."""
        seconds, tries = 0.0, 0
        for attempt in self.attempts:
            seconds, tries = seconds + attempt.seconds, tries + attempt.tries
            if attempt.status is AttemptStatus.PROVED:
                return seconds, tries
        return None


@dataclass(frozen=True, slots=True)
class RunView:
    """One run: where it comes from, and its numbers."""

    label: str
    """Unique within the report."""
    prover: str
    """``coq``, ``lean4``, ...: as in the records, else as the toolchain says."""
    provenance: Provenance
    config: Mapping[str, Any]
    budget: Budget
    budget_text: str
    attempts: int
    """At each theorem, as the run was told."""
    summary: RunSummary
    folders: tuple[Path, ...]
    """Run directories that it was read from; several: parts of one evaluation."""
    broken: Mapping[tuple[AttemptStatus, str], int] = field(default_factory=dict)
    """Inconclusive attempts by status and class of error."""


@dataclass(slots=True)
class Row:
    """One problem, in every run."""

    key: str
    """Unique: theorem id; for problems of a pairing table, the problem's name."""
    name: str
    area: str
    cells: list[Cell | None]
    """One for each run; ``None``: it was not attempted there."""
    pair: Pair | None = None

    @property
    def equivalence(self) -> Equivalence:
        return self.pair.equivalence if self.pair else Equivalence.UNKNOWN


@dataclass(frozen=True, slots=True)
class ReportData:
    """All of it."""

    runs: Sequence[RunView]
    rows: Sequence[Row]
    """Sorted by area and key."""
    pairs: PairingTable | None = None
    notes: Sequence[str] = ()
    """What a reader must know."""

    @property
    def provers(self) -> tuple[str, ...]:
        """Those of the runs, in their order."""
        return tuple(dict.fromkeys(run.prover for run in self.runs))

    @property
    def crossed(self) -> bool:
        """More than one prover is compared."""
        return len(self.provers) > 1


def within(attempt: Try, budget: Budget) -> bool:
    """Whether a budget would have let an attempt come as far as it did.

    A search looks at its tokens before it goes on, so an attempt that used them all had ended.
    """
    return (
        (budget.seconds is None or attempt.seconds <= budget.seconds)
        and (budget.tries is None or attempt.tries <= budget.tries)
        and (budget.model_calls is None or attempt.model_calls <= budget.model_calls)
        and (budget.tokens is None or attempt.tokens < budget.tokens)
    )
