"""One Lean process: how it is brought to a theorem, and back there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from prover_core.errors import EnvironmentCrashedError, TheoremUnavailableError
from prover_lean4.backend import Backend, Reply

__all__ = ["Worker", "common_start"]


class Worker:
    """A backend, and the theorem that is open in it. For one thread at a time."""

    def __init__(self, make_backend: Callable[[Path], Backend], folder: Path, key: object) -> None:
        """``folder`` is to be the worker's own: it is made here, and removed by :meth:`close`.

        :raises EnvironmentCrashedError: the folder cannot be made.
        :raises ToolMissingError: what the backend runs is not installed.
        """
        try:
            folder.mkdir()
        except OSError as error:
            message = f"cannot write {folder}: {error.strerror}. Free some space, or set TMPDIR."
            raise EnvironmentCrashedError(message) from error
        self.key = key
        """Workers of equal keys were started in the same way."""
        self.backend = make_backend(folder)
        self.theorems = 0
        """Opened so far."""
        self.prefix = ""
        """The text before the theorem opened last."""
        self._folder = folder
        self._statement = ""

    @property
    def alive(self) -> bool:
        """The process runs."""
        return self.backend.alive

    def rss_mb(self) -> float:
        """Resident memory of the process and its children, in MiB."""
        return self.backend.rss_mb()

    def open(self, prefix: str, statement: str, where: str, deadline: float) -> Reply:
        """Bring the process to a statement; see :meth:`Backend.open`. ``where`` is for messages."""
        self.prefix, self._statement = prefix, statement
        self.theorems += 1
        try:
            return self.backend.open(prefix, statement, deadline)
        except TheoremUnavailableError as error:
            message = f"{where} cannot be used up to the theorem: {error}"
            raise TheoremUnavailableError(message) from error

    def restart(self, deadline: float) -> Reply:
        """A new process, brought to the same theorem.

        :raises BackendLostError: it died again.
        :raises EnvironmentCrashedError: what was accepted before is refused now.
        """
        self.backend.close()
        try:
            return self.backend.open(self.prefix, self._statement, deadline)
        except TheoremUnavailableError as error:
            message = f"Lean could not be brought back to the theorem: {error}"
            raise EnvironmentCrashedError(message) from error

    def close(self) -> None:
        """End the process. Calling it twice is fine."""
        self.backend.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def common_start(one: str, other: str) -> int:
    """How many characters two texts have in common at their start."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
