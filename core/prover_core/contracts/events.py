"""What the runner tells its observers: displays, logs, and plugins through ``prover_on_*`` hooks.

Each event is one frozen dataclass, so that a field can be added without breaking any observer. Events
of one run come one at a time (never from two threads at once), in the order in which they happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from prover_core.types import Theorem, Verdict

__all__ = [
    "Event",
    "ProofFound",
    "RunEnded",
    "RunObserver",
    "RunStarted",
    "RunStopping",
    "TheoremDone",
    "TheoremStarted",
    "WorkerProgress",
]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run directory is made, and the first theorem is about to be opened."""

    run_dir: Path
    theorems: int
    """Attempts to be made in this session of the run (what a resume has left to do)."""
    already_done: int
    workers: int
    environment: str
    policy: str
    search: str


@dataclass(frozen=True, slots=True)
class TheoremStarted:
    """A worker takes up a theorem."""

    worker: int
    theorem: Theorem


@dataclass(frozen=True, slots=True)
class WorkerProgress:
    """At most a few times a second for each worker."""

    worker: int
    theorem: Theorem
    phase: str
    """``opening``, ``searching``, ``verifying``."""
    tries: int = 0
    depth: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ProofFound:
    """A proof passed the independent check."""

    worker: int
    theorem: Theorem
    proof: tuple[str, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class TheoremDone:
    """An attempt has ended and is on disk."""

    worker: int
    theorem: Theorem
    status: str
    """A ``prover_core.store`` attempt status: ``proved``, ``failed``, ``out_of_budget``, ..."""
    proof: tuple[str, ...]
    tries: int
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunStopping:
    """Asked to stop: no theorem is begun any more; what is in flight may go on for ``grace_s`` seconds."""

    reason: str
    grace_s: float


@dataclass(frozen=True, slots=True)
class RunEnded:
    """Nothing more will be written."""

    run_dir: Path
    counts: Mapping[str, int]
    """Attempt status -> number, over the whole run, earlier sessions included."""
    seconds: float
    stopped: bool
    """Ended before everything was done; ``prover run --resume`` does the rest."""
    reason: str = ""


Event: TypeAlias = (
    RunStarted | TheoremStarted | WorkerProgress | ProofFound | TheoremDone | RunStopping | RunEnded
)


class RunObserver:
    """Told about a run as it goes. An observer that raises is reported once and dropped."""

    def on_event(self, event: Event) -> None:
        """One event. Return quickly: the run waits."""
