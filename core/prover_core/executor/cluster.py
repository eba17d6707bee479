"""What the driver asks of whatever starts, reaches and loses its workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from prover_core.executor.messages import BatchResult, WorkBatch

__all__ = ["Cluster", "ClusterEvent", "Done", "Lost", "LostError", "Ready", "Refused"]


class LostError(Exception):
    """Something that lived on a machine that is gone: steps that were not fetched yet."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker can be given work."""

    worker: int
    node: str


@dataclass(frozen=True, slots=True)
class Done:
    """A worker has ended its batch, and can be given another."""

    worker: int
    result: BatchResult


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker is gone, its batch with it; another one is being started in its place."""

    worker: int
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A worker cannot be made, nor could another: the configuration does not work there, or all is lost."""

    worker: int
    error: Exception


ClusterEvent: TypeAlias = Ready | Done | Lost | Refused


class Cluster(Protocol):
    """Workers, numbered from 0. All calls come from one thread."""

    def start(self, workers: int) -> None:
        """Begin to start so many; each says ``Ready`` when it is."""

    def submit(self, worker: int, batch: WorkBatch) -> None:
        """Give a ready worker its batch; it gets no other before ``Done``."""

    def wait(self, timeout_s: float) -> Sequence[ClusterEvent]:
        """What has happened; waits at most so long for something to happen."""

    def fetch(self, frame: Any) -> bytes:
        """The bytes of one of :attr:`AttemptResult.frames`.

        :raises LostError: they are gone with their machine.
        """

    def stop(self, grace_s: float) -> None:
        """Tell all workers to begin nothing more, and to abandon what has not ended after ``grace_s``."""

    def finish(self, timeout_s: float) -> Sequence[str]:
        """End all workers in an orderly way; what their models have to complain of, in words."""

    def close(self) -> None:
        """End whatever is left at once. Calling it twice is fine."""
