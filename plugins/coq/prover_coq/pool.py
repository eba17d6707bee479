"""Live prover processes that wait for the next theorem of the file they stand in."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prover_coq.engine import Engine, EngineLostError, Reply
from prover_coq.worker import Worker
from prover_core.errors import ContractError, EnvironmentCrashedError, TheoremUnavailableError

__all__ = ["WorkerPool"]


class WorkerPool:
    """Hands out workers and takes them back. For any number of threads."""

    def __init__(self, *, idle: int, recycle_theorems: int, recycle_mb: int) -> None:
        """At most ``idle`` processes are kept; a process that has opened ``recycle_theorems`` theorems,
        or holds more than ``recycle_mb`` MiB, is not used again."""
        self._idle_limit = idle
        self._recycle_theorems = recycle_theorems
        self._recycle_mb = recycle_mb
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._scratch: Path | None = None
        self._made = 0
        self._closed = False

    def open(
        self,
        key: object,
        make_engine: Callable[[Path], Engine],
        prefix: str,
        statement: str,
        where: str,
        deadline: float,
    ) -> tuple[Worker, Reply]:
        """A worker that stands at the statement, and its first goals. Give it back with :meth:`release`.

        One that stands earlier in the same text is taken rather than a new one.

        :raises TheoremUnavailableError: the text before the statement, or the statement, is not accepted.
        :raises EnvironmentCrashedError: the process died, or did not get there by ``deadline``.
        """
        worker = self._take(key, prefix)
        if worker is not None:
            try:
                return worker, worker.open(prefix, statement, where, deadline)
            except (EngineLostError, TheoremUnavailableError):
                # Whatever it is, it must be the theorem's own fault, and not that of the ones before it.
                self._drop(worker)
            except BaseException:
                self._drop(worker)
                raise
        for attempt in (1, 2):
            worker = self._new(make_engine, key)
            try:
                return worker, worker.open(prefix, statement, where, deadline)
            except EngineLostError as error:
                self._drop(worker)
                if attempt == 2 or error.timed_out or time.monotonic() > deadline:
                    message = f"{error}\nThis happened on the way to the theorem in {where}."
                    raise EnvironmentCrashedError(message, stderr_tail=error.stderr_tail) from error
            except BaseException:
                self._drop(worker)
                raise
        message = "unreachable"
        raise EnvironmentCrashedError(message)

    def release(self, worker: Worker) -> None:
        """Take a worker back: keep it for another theorem, or end it."""
        worn = worker.theorems >= self._recycle_theorems or not worker.engine.alive
        if worn or worker.engine.rss_mb() > self._recycle_mb:
            self._drop(worker)
            return
        with self._lock:
            self._busy.discard(worker)
            closed = self._closed
            if not closed:
                self._idle.append(worker)
            surplus = self._idle[: -self._idle_limit or len(self._idle)] if not closed else [worker]
            self._idle = [kept for kept in self._idle if kept not in surplus]
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
            with suppress(OSError):
                shutil.rmtree(scratch)

    def _new(self, make_engine: Callable[[Path], Engine], key: object) -> Worker:
        with self._lock:
            if self._closed:
                message = "this coq environment has been closed; make another"
                raise ContractError(message)
            if self._scratch is None:
                self._scratch = _scratch_folder()
            self._made += 1
            worker = Worker(make_engine, self._scratch / f"worker{self._made}", key)
            self._busy.add(worker)
            return worker

    def _take(self, key: object, prefix: str) -> Worker | None:
        """The idle worker that stands nearest before the end of ``prefix``."""
        with self._lock:
            fit = [w for w in self._idle if w.key == key and prefix.startswith(w.text)]
            if not fit:
                return None
            best = max(fit, key=lambda w: len(w.text))
            self._idle.remove(best)
            self._busy.add(best)
            return best

    def _drop(self, worker: Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
        worker.close()


def _scratch_folder() -> Path:
    """:raises EnvironmentCrashedError: there is no room for it."""
    try:
        return Path(tempfile.mkdtemp(prefix="prover-coq-"))
    except OSError as error:
        message = f"cannot make a temporary folder: {error.strerror}. Free some space, or set TMPDIR."
        raise EnvironmentCrashedError(message) from error
