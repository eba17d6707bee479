"""How far a long command has come: a bar on a terminal, lines everywhere else."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any, Self, TextIO

from prover_core.display.base import one_line, shown_duration

__all__ = ["Progress", "make_progress"]


class Progress:
    """Shows nothing. Use it as a context manager: it restores the terminal."""

    def update(self, done: int, total: int, text: str) -> None:
        """``done`` of ``total`` things are done; ``text`` says more."""

    def close(self) -> None:
        """Leave the terminal as it was. Calling it twice is fine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Lines(Progress):
    """One line an update, but no more than one in a while, and the last always."""

    def __init__(self, stream: TextIO, every_s: float = 2.0) -> None:
        self._stream = stream
        self._every = every_s
        self._said = -every_s
        self._began = time.monotonic()

    def update(self, done: int, total: int, text: str) -> None:
        now = time.monotonic()
        if done < total and now - self._said < self._every:
            return
        self._said = now
        took = shown_duration(now - self._began)
        line = f"[{done:>{len(str(total))}}/{total}] {took:>7}  {one_line(text)}"
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        self._stream.flush()


class _Bar(Progress):
    """A bar with the time that is left."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # here: `prover --help` needs none of it
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(file=stream, highlight=False),
            transient=True,
        )
        self._task: Any = None

    def update(self, done: int, total: int, text: str) -> None:
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("", total=total)
        self._bar.update(self._task, completed=done, total=total, description=one_line(text))

    def close(self) -> None:
        self._bar.stop()


def make_progress(stream: TextIO | None = None, *, quiet: bool = False) -> Progress:
    """A bar on a terminal that can show one, else lines; on standard error."""
    target = stream or sys.stderr
    if quiet:
        return Progress()
    live = target.isatty() and os.environ.get("TERM", "") not in ("", "dumb") and "CI" not in os.environ
    return _Bar(target) if live else _Lines(target)
