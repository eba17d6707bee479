"""Files shared out over worker processes; a worker that dies takes one file with it, and is replaced."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence

from prover_coq.extraction.file import FileJob, JobResult, JobSettings
from prover_core.errors import ChildTimeoutError, EnvironmentCrashedError
from prover_core.process import ChildProcess

__all__ = ["Broken", "dispatch"]

_COMMAND = (sys.executable, "-m", "prover_coq.extraction.worker")
_SLACK_S = 120.0
"""What a worker may take beyond its own time limits."""
_TRIES = 2
_SLICE_S = 0.5

Broken = str
"""Why a file could not be worked on, in words."""


def dispatch(
    jobs: Sequence[FileJob],
    settings: JobSettings,
    workers: int,
    done: Callable[[FileJob, JobResult | Broken], None],
    stop: threading.Event,
) -> None:
    """Work through ``jobs`` in their order. ``done`` is called for each, one call at a time.

    Returns when all are done, or soon after ``stop`` is set. An exception in ``done`` ends it.
    """
    waiting: queue.SimpleQueue[FileJob] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    answers: queue.SimpleQueue[tuple[FileJob, JobResult | Broken] | None] = queue.SimpleQueue()
    count = max(1, min(workers, len(jobs)))
    threads = [
        threading.Thread(target=_Hand(waiting, answers, settings, stop).run, name=f"extract-{n}", daemon=True)
        for n in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        while count:
            answer = answers.get()
            if answer is None:
                count -= 1
            else:
                done(*answer)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class _Hand:
    """One thread with one worker process at a time."""

    def __init__(
        self,
        waiting: queue.SimpleQueue[FileJob],
        answers: queue.SimpleQueue[tuple[FileJob, JobResult | Broken] | None],
        settings: JobSettings,
        stop: threading.Event,
    ) -> None:
        self._waiting = waiting
        self._answers = answers
        self._settings = settings
        self._stop = stop
        self._child: ChildProcess | None = None
        self._rest = b""

    def run(self) -> None:
        """Take jobs until there are none."""
        try:
            while not self._stop.is_set():
                try:
                    job = self._waiting.get_nowait()
                except queue.Empty:
                    return
                answer = self._work(job)
                if answer is not None:
                    self._answers.put((job, answer))
        finally:
            self._close()
            self._answers.put(None)

    def _work(self, job: FileJob) -> JobResult | Broken | None:
        """The result; ``None``: told to stop."""
        why = ""
        for _ in range(_TRIES):
            try:
                answer = self._ask(job)
            except (EnvironmentCrashedError, ChildTimeoutError) as error:
                why = f"the worker process for this file was lost: {error}"
                self._close()
                continue
            if answer is None:
                return None
            return JobResult.model_validate_json(answer)
        return why

    def _ask(self, job: FileJob) -> bytes | None:
        if self._child is None:
            self._child = ChildProcess(_COMMAND, name="extraction worker")
            self._rest = b""
            self._child.send(self._settings.model_dump_json().encode() + b"\n")
        self._child.send(job.model_dump_json().encode() + b"\n")
        deadline = time.monotonic() + 2 * self._settings.file_timeout_s + _SLACK_S
        while b"\n" not in self._rest:
            if self._stop.is_set():
                return None
            try:
                self._rest += self._child.read(min(deadline, time.monotonic() + _SLICE_S))
            except ChildTimeoutError:
                if time.monotonic() >= deadline:
                    raise
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _close(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None
