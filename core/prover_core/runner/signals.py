"""Ctrl-C and SIGTERM: the first asks the run to stop, the second stops it at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Protocol, Self

__all__ = ["StopSignals", "Stoppable", "stop_on_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stoppable(Protocol):
    """What a signal can stop."""

    def request_stop(self, reason: str, *, hard: bool = False) -> None:
        """Called from a signal handler."""


class StopSignals:
    """While it is entered, SIGINT, SIGTERM and SIGHUP stop the runner; the old handlers come back after it.

    The first signal: no theorem is begun any more, what is in flight has ``grace_s`` to end. The second:
    at once. From then on the system's own handling is back, so that a third ends the process.
    A SIGHUP that is ignored (``nohup``) stays ignored; signals that are held back, as a process inherits it
    from one that blocks them in all its threads, are let through. Outside the main thread it does nothing:
    only the main thread may handle signals.
    """

    def __init__(self, runner: Stoppable) -> None:
        self._runner = runner
        self._old: dict[signal.Signals, object] = {}
        self._mask: set[int | signal.Signals] | None = None
        self.received: signal.Signals | None = None
        """The first signal that came."""

    @property
    def exit_code(self) -> int | None:
        """128 + signal number, as shells have it (130: Ctrl-C, 143: SIGTERM); ``None``: no signal came."""
        return None if self.received is None else 128 + self.received

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                    continue
                self._old[number] = signal.signal(number, self._handle)
            self._mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, self._old)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        self._restore()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        again = self.received is not None
        name = signal.Signals(number).name
        if not again:
            self.received = signal.Signals(number)
        else:
            self._restore()
        self._runner.request_stop(f"{name}, twice" if again else name, hard=again)

    def _restore(self) -> None:
        while self._old:
            number, handler = self._old.popitem()
            # None: a handler that was not set from Python; it cannot be put back
            signal.signal(
                number, handler if callable(handler) or isinstance(handler, int) else signal.SIG_DFL
            )


def stop_on_signals(runner: Stoppable) -> StopSignals:
    """``with stop_on_signals(runner) as signals: runner.run()``; see :class:`StopSignals`."""
    return StopSignals(runner)
