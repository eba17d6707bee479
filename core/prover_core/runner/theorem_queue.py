"""Hands theorems to workers so that one live session can walk through a file."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from prover_core.types import Theorem

__all__ = ["Task", "TheoremQueue"]


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt to be made."""

    theorem: Theorem
    attempt: int
    """1 for the first."""


class TheoremQueue:
    """Tasks grouped by file, in order. Thread-safe.

    A worker goes through one file in the file's order, then takes the next file that nobody has. When
    there is none, it takes over the second half of the longest file that another worker is in, so that
    both still walk forward. Without ``affinity``: first come, first served.
    """

    def __init__(self, tasks: Iterable[Task], *, affinity: bool = True) -> None:
        self._lock = threading.Lock()
        self._mine: dict[int, deque[Task]] = {}
        self._fresh: deque[deque[Task]] = deque()
        groups: dict[str, deque[Task]] = {}
        for task in tasks:
            file = task.theorem.file if affinity else None
            if file is None:
                self._fresh.append(deque([task]))
            elif file in groups:
                groups[file].append(task)
            else:
                groups[file] = deque([task])
                self._fresh.append(groups[file])

    def take(self, worker: int) -> Task | None:
        """The next task of this worker; ``None``: everything has been handed out."""
        with self._lock:
            mine = self._mine.get(worker)
            if not mine:
                mine = self._fresh.popleft() if self._fresh else self._steal()
                if not mine:
                    return None
                self._mine[worker] = mine
            return mine.popleft()

    def remaining(self) -> int:
        """Tasks that nobody has taken."""
        with self._lock:
            return sum(map(len, self._fresh)) + sum(map(len, self._mine.values()))

    def _steal(self) -> deque[Task] | None:
        longest = max(self._mine.values(), key=len, default=None)
        if not longest:
            return None
        taken: deque[Task] = deque()
        for _ in range((len(longest) + 1) // 2):
            taken.appendleft(longest.pop())
        return taken
