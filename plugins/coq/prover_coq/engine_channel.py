"""Writing many calls at once and reading their answers, under a time limit for each group of them.

Time limits are kept from here, by SIGINT, since Coq's own ``Timeout`` takes whole seconds, does not go with
bullets and braces, and shows in error messages. A prover that does not react is given up.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prover_core.errors import ChildTimeoutError, EnvironmentCrashedError
from prover_core.process import ChildProcess, Sandbox

__all__ = ["BrokenOffError", "Channel", "EngineSettings", "Talk"]

_REPLAY_LIMIT_S = 120.0
"""For going back and running again what has run before: only a machine in trouble takes this long."""
_SYNC_LIMIT_S = 5.0
_OVERRUN = 0.2
"""Part of the time limit by which an interrupted sentence may exceed it, before it is given up ..."""
_OVERRUN_MIN_S = 1.0
"""... and what it is always given."""
_REACTION = 0.8
"""Part of that in which the prover must react; the rest is for ending it."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the process is started."""

    command: tuple[str, ...]
    name: str
    """For error messages: ``coqidetop 8.20.1``."""
    cwd: Path
    env: Mapping[str, str]
    memory_mb: int = 0
    sandbox: Sandbox | None = None


@dataclass(slots=True)
class Talk:
    """One write and its answers: first those of the head, then groups of equal width, one a sentence."""

    head: int
    width: int
    count: int
    answers: list[bytes] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """One for each finished group."""
    interrupted: set[int] = field(default_factory=set)
    """Groups under which SIGINT was sent."""

    def finished(self) -> int:
        """Number of groups whose answers are all there."""
        return max(0, len(self.answers) - self.head) // self.width


class BrokenOffError(Exception):
    """A talk that will get no more answers: the process died, or did not react to an interrupt."""

    def __init__(self, detail: str, *, timed_out: bool = False, stderr_tail: str = "") -> None:
        self.timed_out = timed_out
        self.stderr_tail = stderr_tail
        super().__init__(detail)


class Channel:
    """The two pipes of one prover process. For one thread at a time."""

    def __init__(self, settings: EngineSettings, terminator: bytes, noop: bytes) -> None:
        """Start the process. ``terminator`` ends every answer; ``noop`` is a harmless call.

        :raises ToolMissingError: there is no such program.
        """
        self._name = settings.name
        self._terminator = terminator
        self._noop = noop
        self._buffer = b""
        self.interrupts = 0
        """SIGINTs sent so far."""
        self.child = ChildProcess(
            settings.command,
            name=settings.name,
            cwd=settings.cwd,
            env=settings.env,
            memory_mb=settings.memory_mb,
            sandbox=settings.sandbox,
        )

    def handshake(self, data: bytes, count: int, deadline: float) -> list[bytes]:
        """The first calls and their answers.

        :raises BrokenOffError: the process died, or did not answer by ``deadline``.
        """
        answers: list[bytes] = []
        try:
            self.child.send(data)
            while len(answers) < count:
                answers += self._receive(deadline)
        except EnvironmentCrashedError as error:
            raise BrokenOffError(str(error), stderr_tail=error.stderr_tail) from error
        except ChildTimeoutError as error:
            raise BrokenOffError(str(error), timed_out=True) from error
        return answers

    def exchange(self, talk: Talk, data: bytes, limit_s: float) -> None:
        """Write, read every answer, keep the time limit of each group, and leave nothing unanswered.

        :raises BrokenOffError: the process died, or did not react to an interrupt; what came is in ``talk``.
        """
        self._pump(talk, data, limit_s)
        if talk.interrupted:
            self._synchronise()

    def _pump(self, talk: Talk, data: bytes, limit_s: float) -> None:
        answers, total = talk.answers, talk.head + talk.width * talk.count
        if not total:
            return
        boundary = talk.head or talk.width
        started = time.monotonic()
        deadline = started + (_REPLAY_LIMIT_S if talk.head else limit_s)
        try:
            self.child.send(data)
            while len(answers) < total:
                try:
                    answers += self._receive(deadline)
                except ChildTimeoutError as error:
                    deadline = self._overdue(talk, limit_s, error)
                    continue
                if len(answers) >= boundary:
                    now = time.monotonic()
                    self._note_seconds(talk, now - started)
                    boundary = talk.head + (talk.finished() + 1) * talk.width
                    started, deadline = now, now + limit_s
        except EnvironmentCrashedError as error:
            raise BrokenOffError(str(error), stderr_tail=error.stderr_tail) from error

    @staticmethod
    def _note_seconds(talk: Talk, elapsed: float) -> None:
        new = talk.finished() - len(talk.seconds)
        if new and len(talk.seconds) in talk.interrupted:
            talk.seconds += [elapsed, *[0.0] * (new - 1)]
        elif new:  # they came in one piece: nothing better is known than the mean
            talk.seconds += [elapsed / new] * new

    def _overdue(self, talk: Talk, limit_s: float, error: ChildTimeoutError) -> float:
        """The current group has used up its time: interrupt it, or give up. The next deadline."""
        if len(talk.answers) < talk.head:
            message = f"{self._name} did not come back to an earlier state in {_REPLAY_LIMIT_S:.0f} s"
            raise BrokenOffError(message) from error
        group = talk.finished()
        if group in talk.interrupted:
            message = f"{self._name} did not react to an interrupt"
            raise BrokenOffError(message, timed_out=True) from error
        talk.interrupted.add(group)
        self.interrupts += 1
        self.child.interrupt()
        return time.monotonic() + _REACTION * max(_OVERRUN * limit_s, _OVERRUN_MIN_S)

    def _synchronise(self) -> None:
        """After an interrupt: one that came too late for its sentence must not hit a later one.

        An interrupt that comes while the prover is idle makes its next call fail, so one that does not
        matter is made.
        """
        talk = Talk(0, 1, 1)
        self._pump(talk, self._noop, _SYNC_LIMIT_S)
        if talk.interrupted:
            message = f"{self._name} did not answer after an interrupt"
            raise BrokenOffError(message)

    def _receive(self, deadline: float) -> list[bytes]:
        """The answers that are complete; possibly none."""
        data = self.child.read(deadline)
        if self._buffer:
            data = self._buffer + data
        parts = data.split(self._terminator)
        self._buffer = parts.pop()
        return parts
