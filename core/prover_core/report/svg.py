"""Inline SVG: escaping, scales, axes. Charts are drawn twice, for a wide page and for a phone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape as _html_escape

__all__ = [
    "NARROW",
    "WIDE",
    "Chart",
    "counted",
    "esc",
    "figure",
    "fmt",
    "linear_ticks",
    "log_ticks",
    "percent",
    "seconds_text",
    "shorten",
    "table",
    "text_width",
    "time_ticks",
]

WIDE = 540
NARROW = 328

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]")


def esc(text: object) -> str:
    """Text as HTML or XML, attribute values included; control characters become a visible mark."""
    return _html_escape(_CONTROL.sub("\ufffd", str(text)), quote=True)


def fmt(value: float) -> str:
    """A coordinate: at most one decimal, no trailing zeros, never ``-0``."""
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def percent(value: float, digits: int = 1) -> str:
    """``0.305`` -> ``30.5 %``, with a space that does not break."""
    return f"{100 * value:.{digits}f}\u202f%"


def seconds_text(seconds: float) -> str:
    """``0.004`` -> ``4 ms``; ``75`` -> ``1.25 min``; three digits, or whole numbers."""
    if seconds < 0.001:
        return "0\u202fs" if seconds <= 0 else "<1\u202fms"
    size, unit = next((size, unit) for size, unit, end in _UNITS if seconds < end)
    value = seconds / size
    return f"{value:,.0f}\u202f{unit}" if value >= 100 else f"{value:.3g}\u202f{unit}"


_UNITS = ((0.001, "ms", 0.9995), (1, "s", 60), (60, "min", 3600), (3600, "h", math.inf))


def counted(count: int, what: str) -> str:
    """``1 run``, ``1,234 runs``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def shorten(text: str, most: int) -> str:
    """At most ``most`` characters, the middle left out."""
    if len(text) <= most:
        return text
    head = (most - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def text_width(text: str, size: float = 12) -> float:
    """About how wide a text is, in pixels (sans serif)."""
    return sum(0.36 if c in "iljtf.,:;'|!() " else 0.95 if c in "mwMW@%" else 0.63 for c in text) * size


def linear_ticks(high: float, count: int = 5, *, whole: bool = False) -> list[float]:
    """Round numbers from 0 to at least ``high``; ``whole``: and no fractions."""
    if high <= 0:
        return [0.0, 1.0]
    raw = max(high / count, 1.0) if whole else high / count
    power = 10.0 ** math.floor(math.log10(raw))
    steps = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    step = next(power * m for m in steps if power * m >= raw * (1 - 1e-9))
    return [step * i for i in range(math.ceil(high / step - 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten that lie around ``low`` and ``high``, both above 0."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if first == last:
        last += 1
    return [10.0**power for power in range(first, last + 1)]


_TIMES = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 360_000.0, 3_600_000.0)


def time_ticks(low: float, high: float) -> list[float]:
    """Like :func:`log_ticks`, in seconds, at places that have short names: 10 s, 1 min, 10 min, 1 h."""
    first = max((i for i, tick in enumerate(_TIMES) if tick <= low), default=0)
    last = min((i for i, tick in enumerate(_TIMES) if tick >= high), default=len(_TIMES) - 1)
    return list(_TIMES[first : max(last, first + 1) + 1])


class Chart:
    """Collects the elements of one drawing."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._parts: list[str] = []

    def add(self, markup: str) -> None:
        """Markup that is escaped already."""
        self._parts.append(markup)

    def line(self, x1: float, y1: float, x2: float, y2: float, cls: str) -> None:
        self.add(f'<line x1="{fmt(x1)}" y1="{fmt(y1)}" x2="{fmt(x2)}" y2="{fmt(y2)}" class="{cls}"/>')

    def rect(self, x: float, y: float, width: float, height: float, cls: str, title: str = "") -> None:
        tip = f"<title>{esc(title)}</title>" if title else ""
        self.add(
            f'<rect x="{fmt(x)}" y="{fmt(y)}" width="{fmt(max(0, width))}" height="{fmt(max(0, height))}" '
            f'class="{cls}">{tip}</rect>'
        )

    def circle(self, x: float, y: float, r: float, cls: str, title: str = "") -> None:
        tip = f"<title>{esc(title)}</title>" if title else ""
        self.add(f'<circle cx="{fmt(x)}" cy="{fmt(y)}" r="{fmt(r)}" class="{cls}">{tip}</circle>')

    def text(self, x: float, y: float, text: str, cls: str = "", anchor: str = "start") -> None:
        at = "" if anchor == "start" else f' text-anchor="{anchor}"'
        kind = f' class="{cls}"' if cls else ""
        self.add(f'<text x="{fmt(x)}" y="{fmt(y)}"{at}{kind}>{esc(text)}</text>')

    def path(self, points: Iterable[tuple[float, float]], cls: str, close: bool = False) -> None:
        drawn = "L".join(f"{fmt(x)} {fmt(y)}" for x, y in points)
        if drawn:
            self.add(f'<path d="M{drawn}{"Z" if close else ""}" class="{cls}"/>')

    def svg(self, size: str, ident: str, title: str, description: str) -> str:
        """The drawing with its text alternative; ``size``: ``wide`` or ``narrow``."""
        name, text = f"{ident}-{size}-t", f"{ident}-{size}-d"
        return (
            f'<svg class="{size}" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" aria-labelledby="{name}" aria-describedby="{text}">'
            f'<title id="{name}">{esc(title)}</title><desc id="{text}">{esc(description)}</desc>'
            f"{''.join(self._parts)}</svg>"
        )


def figure(
    ident: str,
    title: str,
    description: str,
    draw: Callable[[int], Chart],
    table: str,
    *,
    note: str = "",
    found: str = "",
) -> str:
    """A chart in both sizes, with its title, what it shows in words, and its numbers as a table.

    ``found``: what is to be seen in it, for those who cannot see it.
    """
    spoken = f"{description} {found}".strip()
    drawings = "".join(
        draw(width).svg(size, ident, title, spoken) for width, size in ((WIDE, "wide"), (NARROW, "narrow"))
    )
    caption = f'<p class="note">{esc(note)}</p>' if note else ""
    return (
        f'<figure class="card" id="{ident}"><figcaption><h3>{esc(title)}</h3>'
        f'<p class="sub">{esc(description)}</p></figcaption><div class="draw">{drawings}</div>'
        f'{caption}<details class="numbers"><summary>Numbers</summary>{table}</details></figure>'
    )


def table(
    headers: Sequence[str], rows: Iterable[Sequence[object]], *, caption: str = "", left: int = 1
) -> str:
    """A plain table, cells escaped; all but the first ``left`` columns are numbers."""

    def cell(tag: str, index: int, value: object) -> str:
        if index == 0 and tag == "td":
            return f'<th scope="row">{esc(value)}</th>'
        scope = ' scope="col"' if tag == "th" else ""
        kind = "" if index < left else ' class="n"'
        return f"<{tag}{scope}{kind}>{esc(value)}</{tag}>"

    head = "".join(cell("th", i, name) for i, name in enumerate(headers))
    body = "".join(f"<tr>{''.join(cell('td', i, value) for i, value in enumerate(row))}</tr>" for row in rows)
    said = f"<caption>{esc(caption)}</caption>" if caption else ""
    named = f'role="group" aria-label="{esc(caption or "Numbers")}"'
    return (
        f'<div class="scroll" tabindex="0" {named}><table>{said}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
