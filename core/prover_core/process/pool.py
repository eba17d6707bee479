"""Live prover processes that wait for the next theorem; any environment may keep its own in a pool."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from prover_core.errors import (
    ContractError,
    EnvironmentCrashedError,
    ProcessLostError,
    TheoremUnavailableError,
)

__all__ = ["PooledWorker", "WorkerPool"]


class PooledWorker(Protocol):
    """A process that is brought from one theorem to the next. For one thread at a time."""

    @property
    def key(self) -> object:
        """Workers of equal keys were started in the same way."""

    @property
    def theorems(self) -> int:
        """Opened so far."""

    @property
    def alive(self) -> bool:
        """The process runs."""

    def rss_mb(self) -> float:
        """Resident memory of the process and its children, in MiB."""

    def close(self) -> None:
        """End the process. Calling it twice is fine."""


_Worker = TypeVar("_Worker", bound=PooledWorker)
_Opening = TypeVar("_Opening")


class WorkerPool(Generic[_Worker]):
    """Hands out workers and takes them back. For any number of threads."""

    def __init__(
        self,
        name: str,
        fitness: Callable[[_Worker, str], int],
        *,
        idle: int,
        recycle_theorems: int,
        recycle_mb: int,
    ) -> None:
        """At most ``idle`` processes are kept; a process that has opened ``recycle_theorems`` theorems,
        or holds more than ``recycle_mb`` MiB, is not used again.

        :param name: of the environment, for messages and the scratch folder.
        :param fitness: how much of the text before a theorem an idle worker has behind it already, in
            characters; negative: it cannot be brought there.
        """
        self._name = name
        self._fitness = fitness
        self._idle_limit = idle
        self._recycle_theorems = recycle_theorems
        self._recycle_mb = recycle_mb
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._scratch: Path | None = None
        self._made = 0
        self._closed = False

    def open(
        self,
        key: object,
        make: Callable[[Path], _Worker],
        bring: Callable[[_Worker], _Opening],
        prefix: str,
        where: str,
        deadline: float,
    ) -> tuple[_Worker, _Opening]:
        """A worker that stands at the theorem, and what it said there. Give it back with :meth:`release`.

        The idle worker that fits best is tried first; if it fails, a new one, and where that dies early, one
        more.

        :param make: makes a worker that has a folder of its own to use.
        :param bring: brings a worker to the theorem; raises
            :class:`~prover_core.errors.ProcessLostError` where the process died on the way, or had to be
            killed at ``deadline``.
        :raises TheoremUnavailableError: the text before the statement, or the statement, is not accepted.
        :raises EnvironmentCrashedError: the process died, or did not get there by ``deadline``.
        """
        worker = self._take(key, prefix)
        if worker is not None:
            try:
                return worker, bring(worker)
            except (ProcessLostError, TheoremUnavailableError):
                # Whatever it is, it must be the theorem's own fault, and not that of the ones before it.
                self._drop(worker)
            except BaseException:
                self._drop(worker)
                raise
        for attempt in (1, 2):
            worker = self._new(make)
            try:
                return worker, bring(worker)
            except ProcessLostError as error:
                self._drop(worker)
                if attempt == 2 or error.timed_out or time.monotonic() > deadline:
                    message = f"{error}\nThis happened on the way to the theorem in {where}."
                    raise EnvironmentCrashedError(message, stderr_tail=error.stderr_tail) from error
            except BaseException:
                self._drop(worker)
                raise
        message = "unreachable"
        raise EnvironmentCrashedError(message)

    def release(self, worker: _Worker) -> None:
        """Take a worker back: keep it for another theorem, or end it."""
        worn = worker.theorems >= self._recycle_theorems or not worker.alive
        if worn or worker.rss_mb() > self._recycle_mb:
            self._drop(worker)
            return
        with self._lock:
            self._busy.discard(worker)
            surplus = [worker] if self._closed else []
            if not self._closed:
                self._idle.append(worker)
                while len(self._idle) > self._idle_limit:
                    surplus.append(self._idle.pop(0))
        for old in surplus:
            old.close()

    def close(self) -> None:
        """End every process, those in use included. Calling it twice is fine."""
        with self._lock:
            self._closed = True
            workers = [*self._idle, *self._busy]
            self._idle, self._busy = [], set()
            scratch, self._scratch = self._scratch, None
        for worker in workers:
            worker.close()
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)

    def _new(self, make: Callable[[Path], _Worker]) -> _Worker:
        with self._lock:
            if self._closed:
                message = f"this {self._name} environment has been closed; make another"
                raise ContractError(message)
            if self._scratch is None:
                self._scratch = _scratch_folder(self._name)
            self._made += 1
            worker = make(self._scratch / f"worker{self._made}")
            self._busy.add(worker)
            return worker

    def _take(self, key: object, prefix: str) -> _Worker | None:
        """The idle worker that is nearest to the end of ``prefix``."""
        with self._lock:
            fit = [(self._fitness(worker, prefix), worker) for worker in self._idle if worker.key == key]
            best = max(fit, key=lambda pair: pair[0], default=None)
            if best is None or best[0] < 0:
                return None
            self._idle.remove(best[1])
            self._busy.add(best[1])
            return best[1]

    def _drop(self, worker: _Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
        with suppress(OSError):
            worker.close()


def _scratch_folder(name: str) -> Path:
    """:raises EnvironmentCrashedError: there is no room for it."""
    try:
        return Path(tempfile.mkdtemp(prefix=f"prover-{name}-"))
    except OSError as error:
        message = f"cannot make a temporary folder: {error.strerror}. Free some space, or set TMPDIR."
        raise EnvironmentCrashedError(message) from error
