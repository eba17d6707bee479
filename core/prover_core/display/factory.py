"""Chooses a display for a stream. Nothing heavy is imported until a display is made."""

from __future__ import annotations

from types import TracebackType
from typing import Literal, Self, TextIO, TypeAlias

from prover_core.contracts.events import RunObserver

__all__ = ["DISPLAY_KINDS", "Display", "DisplayKind", "make_display"]

DisplayKind: TypeAlias = Literal["auto", "live", "plain", "json", "quiet"]
DISPLAY_KINDS: tuple[DisplayKind, ...] = ("auto", "live", "plain", "json", "quiet")


class Display(RunObserver):
    """An observer that shows a run. Use it as a context manager around the run: it restores the terminal."""

    def message(self, text: str) -> None:
        """A line for the person (a stop request, a warning), shown without disturbing the display."""

    def close(self) -> None:
        """Leave the terminal as it was. Calling it twice is fine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def make_display(kind: DisplayKind = "auto", stream: TextIO | None = None) -> Display:
    """The display of that kind, on ``stream`` (default: standard error; for ``json`` standard output).

    ``auto`` is ``live`` on a terminal that can do it, else ``plain``.
    """
    raise NotImplementedError
