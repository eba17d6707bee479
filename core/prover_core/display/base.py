"""What all displays have in common: the interface, the state of a run, and how its numbers are worded."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from prover_core.contracts.events import (
    Event,
    ProofFound,
    RunEnded,
    RunObserver,
    RunStarted,
    RunStopping,
    TheoremDone,
    TheoremStarted,
    WorkerProgress,
)

__all__ = [
    "Display",
    "RecentProof",
    "RunState",
    "WorkerRow",
    "one_line",
    "shown_duration",
    "shown_status",
    "status_counts",
]

_RATE_WINDOW_S = 300.0
_RECENT = 20
_STATUSES = ("proved", "failed", "out_of_budget", "rejected", "unchecked", "crashed", "unavailable")


class Display(RunObserver):
    """An observer that shows a run. Use it as a context manager around the run: it restores the terminal.

    This class itself shows nothing.
    """

    def message(self, text: str) -> None:
        """A line for the person (a warning, advice), shown without disturbing the display."""

    def close(self) -> None:
        """Leave the terminal as it was. Calling it twice is fine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(slots=True)
class WorkerRow:
    """What one worker is doing."""

    theorem: str = ""
    """Empty: nothing."""
    phase: str = ""
    tries: int = 0
    depth: int = 0
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class RecentProof:
    """A proof found lately."""

    theorem: str
    proof: str
    tries: int
    seconds: float


@dataclass(slots=True)
class RunState:
    """A run as far as its events have told it. Bounded, however long the run is."""

    clock: Callable[[], float] = time.monotonic
    start: RunStarted | None = None
    began: float = 0.0
    done: int = 0
    """Attempts that ended in this session of the run."""
    counts: Counter[str] = field(default_factory=Counter)
    """Attempt status -> number, in this session."""
    workers: dict[int, WorkerRow] = field(default_factory=dict)
    proofs: deque[RecentProof] = field(default_factory=lambda: deque(maxlen=_RECENT))
    stopping: RunStopping | None = None
    stopping_since: float = 0.0
    end: RunEnded | None = None
    _finished: deque[float] = field(default_factory=lambda: deque(maxlen=2000))

    def take(self, event: Event) -> None:
        """Bring the state up to date."""
        match event:
            case RunStarted():
                self.start = event
                self.began = self.clock()
                self.workers = {number: WorkerRow() for number in range(event.workers)}
            case TheoremStarted():
                row = self.workers.setdefault(event.worker, WorkerRow())
                row.theorem, row.phase = event.theorem.id, "opening"
                row.tries = row.depth = 0
                row.since = self.clock()
            case WorkerProgress():
                row = self.workers.setdefault(event.worker, WorkerRow())
                row.phase, row.tries, row.depth = event.phase, event.tries, event.depth
            case TheoremDone():
                self._done(event)
            case RunStopping():
                self.stopping = event
                self.stopping_since = self.clock()
            case RunEnded():
                self.end = event
            case ProofFound():
                pass  # TheoremDone, which follows at once, says it with tries and time

    def _done(self, event: TheoremDone) -> None:
        self.done += 1
        self.counts[event.status] += 1
        self._finished.append(self.clock())
        self.workers[event.worker] = WorkerRow()
        if event.status == "proved":
            proof = one_line(" ".join(event.proof))
            self.proofs.append(RecentProof(event.theorem.id, proof, event.tries, event.seconds))

    @property
    def left(self) -> int:
        """Attempts still to be made."""
        return max(0, self.start.theorems - self.done) if self.start else 0

    @property
    def elapsed(self) -> float:
        """Seconds since this session of the run began."""
        return self.clock() - self.began if self.start else 0.0

    def per_minute(self) -> float | None:
        """Attempts ended per minute, over the last five minutes; ``None``: too early to say."""
        now = self.clock()
        since = max(self.began, now - _RATE_WINDOW_S)
        if len(self._finished) == self._finished.maxlen:
            since = max(since, self._finished[0])
        recent = sum(1 for moment in self._finished if moment >= since)
        span = now - since
        return 60.0 * recent / span if recent >= 2 and span > 0.5 else None

    def seconds_left(self) -> float | None:
        """Estimate of the time to the end; ``None``: too early to say."""
        rate = self.per_minute()
        return 60.0 * self.left / rate if rate else None


def status_counts(
    counts: Mapping[str, int], *, always: tuple[str, ...] = ("proved",)
) -> list[tuple[str, int]]:
    """(status, number) in the order in which they are shown; those that did not occur are left out."""
    known = [(s, counts.get(s, 0)) for s in _STATUSES if counts.get(s, 0) or s in always]
    return known + [(s, n) for s, n in counts.items() if s not in _STATUSES]


def shown_status(status: str) -> str:
    """An attempt status in words."""
    return status.replace("_", " ")


def shown_duration(seconds: float) -> str:
    """``0.3s``, ``47s``, ``3:20`` (minutes), ``1:29:40`` (hours), ``2d 03:10`` (days)."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes}:{rest:02}"
    if hours < 48:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{hours // 24}d {hours % 24:02}:{minutes:02}"


def one_line(text: str) -> str:
    """Text for one line of a terminal: white space joined, control characters out."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
