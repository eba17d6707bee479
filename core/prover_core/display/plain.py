"""For files, pipes and simple terminals: one line for each attempt that ends."""

from __future__ import annotations

import threading
from typing import TextIO

from prover_core.contracts.events import Event, RunEnded, RunStarted, RunStopping, TheoremDone
from prover_core.display.base import (
    Display,
    RunState,
    one_line,
    shown_duration,
    shown_status,
    status_counts,
)

__all__ = ["PlainDisplay"]

_PROOF_CHARACTERS = 100


class PlainDisplay(Display):
    """Writes whole lines and flushes each, so that ``tail -f`` and a build's log show them at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._state = RunState()
        self._lock = threading.Lock()

    def on_event(self, event: Event) -> None:
        self._state.take(event)
        match event:
            case RunStarted():
                self.message(_opening(event))
            case TheoremDone():
                self.message(self._line(event))
            case RunStopping():
                self.message(f"stopping ({event.reason}): {stopping_advice(event)}")
            case RunEnded():
                self.message(_closing(event))
            case _:
                pass

    def message(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        line = f"{text}\n".encode(encoding, errors="backslashreplace").decode(encoding)
        with self._lock:
            self._stream.write(line)
            self._stream.flush()

    def _line(self, event: TheoremDone) -> str:
        total = self._state.start.theorems if self._state.start else self._state.done
        width = len(str(total))
        said = " ".join(event.proof) if event.status == "proved" else event.detail
        said = one_line(said)
        if len(said) > _PROOF_CHARACTERS:
            said = said[: _PROOF_CHARACTERS - 3] + "..."
        return (
            f"[{self._state.done:>{width}}/{total}] {shown_status(event.status):<13} "
            f"{shown_duration(event.seconds):>7} {event.tries:>6} tries  {one_line(event.theorem.id)}"
            f"{'  ' if said else ''}{said}"
        )


def stopping_advice(event: RunStopping) -> str:
    """What a request to stop means for what is in flight, in words."""
    if event.grace_s < 0.05:
        return "what is in flight is given up"
    return (
        f"what is in flight has {event.grace_s:.0f} s to end; what does not is attempted again on resume. "
        "Ctrl-C again: at once"
    )


def _opening(event: RunStarted) -> str:
    before = f" ({event.already_done} done before)" if event.already_done else ""
    workers = "1 worker" if event.workers == 1 else f"{event.workers} workers"
    return (
        f"{event.run_dir}: {event.theorems} to attempt{before}, {workers}; "
        f"env {event.environment}, model {event.policy}, search {event.search}"
    )


def _closing(event: RunEnded) -> str:
    counts = ", ".join(f"{count} {shown_status(status)}" for status, count in status_counts(event.counts))
    how = f"stopped ({event.reason})" if event.stopped else "ended"
    return f"{how} after {shown_duration(event.seconds)}: {counts}"
