"""What every way of driving Lean looks like from inside: a :class:`Backend` that has one theorem open.

The environment and the session are the same for all of them; a backend only brings one Lean process to a
statement, tries tactics from a state that it made earlier, and says exactly what happened. What it makes of
a state (a tactic prefix, a number) is its own business: the session keeps it as an opaque handle.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from prover_core.errors import ProcessLostError
from prover_core.types import Goal

__all__ = ["Backend", "BackendLostError", "Reply", "ReplyKind"]


class ReplyKind(enum.StrEnum):
    """What became of one tactic."""

    OK = "ok"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    MEMORY = "memory"
    """Lean itself said that it ran out of memory or of stack, and lives on."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The state after one tactic, or why there is none."""

    kind: ReplyKind
    handle: object = None
    """Of the new state, for :meth:`Backend.try_tactics`; only if ``OK``."""
    goals: tuple[Goal, ...] = ()
    """What is left to prove; empty and ``OK``: nothing is."""
    message: str = ""
    """Lean's own words, shortened by nobody yet."""
    unsound: str = ""
    """Why an ``OK`` without goals is not to be believed: ``sorry``, an axiom, an unsafe constant."""
    seconds: float = 0.0


class BackendLostError(ProcessLostError):
    """The process died, or had to be killed (``timed_out``); the backend must be opened again."""

    def __init__(
        self, message: str, *, timed_out: bool = False, stderr_tail: str = "", replies: Sequence[Reply] = ()
    ) -> None:
        super().__init__(message, timed_out=timed_out, stderr_tail=stderr_tail)
        self.replies = list(replies)
        """Of the tactics that came to an end before."""


class Backend(ABC):
    """One Lean process. For one thread at a time; :meth:`open` may be called again and again."""

    @abstractmethod
    def open(self, prefix: str, statement: str, deadline: float) -> Reply:
        """Bring Lean to a statement, and give its first goals.

        ``prefix`` is the file's text before it (imports, namespaces, variables ...), ``statement`` the
        theorem's own text up to and without ``:=``. ``deadline`` is a value of ``time.monotonic()``. A handle
        of an earlier theorem is worthless afterwards.

        :raises TheoremUnavailableError: Lean refuses the prefix or the statement; the message has its words.
        :raises BackendLostError: the process died, or had to be killed at the deadline.
        """

    @abstractmethod
    def try_tactics(self, handle: object, tactics: Sequence[str], timeout_s: float) -> list[Reply]:
        """Try each tactic in the state of ``handle``, as siblings; one reply each, in order.

        ``timeout_s`` holds for each. A tactic that cannot be stopped otherwise ends the process: then
        :class:`BackendLostError` with ``timed_out`` and the replies of those before it.

        :raises BackendLostError: see above, or the process died.
        """

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether the process runs."""

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """Of the process, while there is one."""

    @abstractmethod
    def rss_mb(self) -> float:
        """Resident memory of the process and its children, in MiB."""

    @abstractmethod
    def close(self) -> None:
        """End the process. Calling it twice is fine."""
