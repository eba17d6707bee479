"""Character offsets as lines and columns."""

from __future__ import annotations

import re
from bisect import bisect_right

from prover_core.records import PositionRecord

__all__ = ["Positions"]

_LINE_START = re.compile(r"\n")


class Positions:
    """Positions in one text."""

    def __init__(self, text: str) -> None:
        self._lines = [0, *(m.end() for m in _LINE_START.finditer(text))]

    def at(self, start: int, end: int) -> PositionRecord:
        """From offset ``start`` to just before ``end``; line and column are those of ``start``."""
        line = bisect_right(self._lines, start)
        return PositionRecord(start=start, end=end, line=line, column=start - self._lines[line - 1] + 1)
