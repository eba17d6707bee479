"""Chooses a display for a stream. Nothing heavy is imported until a live display is made."""

from __future__ import annotations

import os
import sys
from typing import Literal, TextIO, TypeAlias, get_args

from prover_core.display.base import Display

__all__ = ["DISPLAY_KINDS", "DisplayKind", "make_display"]

DisplayKind: TypeAlias = Literal["auto", "live", "plain", "json", "quiet"]
DISPLAY_KINDS: tuple[DisplayKind, ...] = get_args(DisplayKind)


def make_display(kind: DisplayKind = "auto", stream: TextIO | None = None) -> Display:
    """The display of that kind, on ``stream`` (default: standard error; for ``json`` standard output).

    ``auto`` is ``live`` on a terminal that can do it, else ``plain``: one line for each theorem.

    :raises ValueError: there is no such kind.
    """
    if kind not in DISPLAY_KINDS:
        msg = f"no display {kind!r}; there are {', '.join(DISPLAY_KINDS)}"
        raise ValueError(msg)
    if kind == "quiet":
        return Display()
    if kind == "json":
        from prover_core.display.jsonl import JsonDisplay

        return JsonDisplay(stream or sys.stdout)
    target = stream or sys.stderr
    if kind == "live" or (kind == "auto" and _can_do_live(target)):
        from prover_core.display.live import LiveDisplay

        return LiveDisplay(target)
    from prover_core.display.plain import PlainDisplay

    return PlainDisplay(target)


def _can_do_live(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb") and "CI" not in os.environ
