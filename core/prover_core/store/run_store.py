"""Stub with the final signatures; the body follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prover_core.store.provenance import Provenance
from prover_core.store.records import AttemptRecord, AttemptStatus

__all__ = ["RunStore"]


class RunStore:
    """One run directory. Made by :meth:`create`, :meth:`resume` (both may write) or :meth:`open` (reads)."""

    path: Path
    repairs: tuple[str, ...]
    """What :meth:`resume` had to put right (a line cut short by a kill), in words; to be shown."""

    @classmethod
    def create(
        cls, path: Path, config: Mapping[str, Any], provenance: Provenance, *, trajectories: bool = True
    ) -> Self:
        """Make a new run directory (parents too). ``config`` becomes ``config.yaml``.

        :raises RunStoreError: it exists and is not empty, or cannot be written.
        """
        raise NotImplementedError

    @classmethod
    def resume(cls, path: Path, provenance: Provenance | None = None) -> Self:
        """Open for going on: takes the lock, cuts off a torn last line, recovers trajectories.

        :raises RunStoreError: no run there, another process is writing to it, or a line in the middle is bad.
        """
        raise NotImplementedError

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open for reading; a run that is still going on may be read.

        :raises RunStoreError: no run there.
        """
        raise NotImplementedError

    @property
    def config(self) -> dict[str, Any]:
        """``config.yaml`` as it was written."""
        raise NotImplementedError

    @property
    def provenance(self) -> Provenance:
        raise NotImplementedError

    def records(self) -> Iterator[AttemptRecord]:
        """Every recorded attempt, oldest first, as a stream; one that was made again is given once, the last.

        :raises RunStoreError: a line is not a record; the message has its number.
        """
        raise NotImplementedError

    def done_ids(self, retry: frozenset[AttemptStatus] = frozenset()) -> set[tuple[str, int]]:
        """(theorem id, attempt) of what is done, without what ended in one of ``retry``."""
        raise NotImplementedError

    def append(self, record: AttemptRecord) -> None:
        """Write one record; when this returns it survives a kill.

        :raises RunStoreError: it could not be written; the file is as it was before.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Finish the trajectories, let the lock go. Calling it twice is fine."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
