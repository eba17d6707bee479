"""Charts of counts: solved sets (UpSet), areas, and bars that add up to a whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prover_core.report.charts import swatch_legend
from prover_core.report.figures import Rate
from prover_core.report.svg import NARROW, Chart, figure, percent, shorten, table, text_width

__all__ = ["Part", "area_chart", "stacked_chart", "upset_chart"]

_AREAS = 16


def upset_chart(
    labels: Sequence[str], sets: Sequence[tuple[tuple[int, ...], int]], common: int, total: int
) -> str:
    """Which theorems were solved by exactly which runs: a column for each combination (UpSet plot).

    ``common``: problems that every run says something about, of ``total``; 0: all were counted.
    """
    solved = [(members, count) for members, count in sets if members]
    nobody = sum(count for members, count in sets if not members)
    totals = [sum(count for members, count in solved if i in members) for i in range(len(labels))]

    whose = f"Only the {common:,} of {total:,} problems are counted that every run says something about."
    if common == total:
        whose = ""
    elif not common:
        whose = "The runs have no problem in common, so nothing could be proved by two of them."

    def draw(width: int) -> Chart:
        shown_names = [shorten(name, 16 if width == NARROW else 24) for name in labels]
        left = 34 + max(
            text_width(f"{name}  {total:,}") for name, total in zip(shown_names, totals, strict=True)
        )
        columns = min(len(solved), int((width - left - 4) // (26 if len(solved) < 12 else 21)))
        step = min(48.0, (width - left - 4) / max(1, columns))
        high, top, row = 130.0, 24.0, 24.0
        peak = max((count for _, count in solved), default=1)
        chart = Chart(width, int(top + high + 14 + row * len(labels) + 6))
        base = top + high
        for i, (name, total) in enumerate(zip(shown_names, totals, strict=True)):
            y = base + 14 + row * i
            chart.rect(0, y, width, row, "stripe" if i % 2 == 0 else "blank")
            chart.rect(4, y + 7, 9, 10, f"key s{i % 8}")
            chart.text(18, y + 16, name, "name")
            chart.text(left - 8, y + 16, f"{total:,}", "tick", "end")
        for column, (members, count) in enumerate(solved[:columns]):
            x = left + step * (column + 0.5)
            tall = high * count / peak
            bar = min(22.0, step - 6)
            only = f"s{members[0] % 8}" if len(members) == 1 else "shared"
            names = " and ".join(labels[i] for i in members)
            chart.rect(x - bar / 2, base - tall, bar, tall, f"bar {only}", f"{count:,}: only {names}")
            chart.text(x, base - tall - 5, f"{count:,}", "value small", "middle")
            dots = [base + 14 + row * (i + 0.5) for i in range(len(labels))]
            for i, y in enumerate(dots):
                if i not in members:
                    chart.circle(x, y, 4, "off")
            if len(members) > 1:
                chart.line(x, dots[members[0]], x, dots[members[-1]], "link")
            for i in members:
                chart.circle(x, dots[i], 5.5, "on" if len(members) > 1 else f"dot {only}")
        return chart

    rows = [
        ((" and ".join(labels[i] for i in members) or "none of them"), len(members), f"{count:,}")
        for members, count in sets
    ]
    return figure(
        "sets",
        "Solved by whom",
        "Each column counts the problems proved by exactly the runs with a filled dot under it. "
        f"{nobody:,} were proved by none. {whose}".rstrip(),
        draw,
        table(("Proved by exactly", "Runs", "Problems"), rows),
        found="; ".join(f"{name}: {count}" for name, _, count in rows[:8]),
        note=""
        if len(solved) <= 8
        else "Where there is no room for every combination, the largest are drawn.",
    )


def area_chart(labels: Sequence[str], areas: Sequence[tuple[str, Sequence[Rate]]]) -> str:
    """Share proved in each part of the data; a bar for each run."""
    shown = areas[:_AREAS]

    def draw(width: int) -> Chart:
        narrow = width == NARROW
        many = len(labels) > 1
        names = [shorten(name, 34 if narrow else 24) for name, _ in shown]
        left = 8.0 if narrow else 18 + max(text_width(name) for name in names)
        right = width - 96.0
        thick = 12.0 if not many else max(4.0, min(9.0, 30 / len(labels)))
        step = thick * len(labels) + (30 if narrow else 13)
        top = 8.0 + (swatch_legend(None, [shorten(n, 22) for n in labels], width) if many else 0)
        chart = Chart(width, int(top + step * len(shown)) + 22)
        if many:
            swatch_legend(chart, [shorten(n, 22) for n in labels], width)
        bottom = top + step * len(shown)
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            x = left + share * (right - left)
            chart.line(x, top, x, bottom, "grid" if share else "axis")
            if not narrow or share in (0.0, 0.5, 1.0):
                anchor = "start" if narrow and not share else "middle"
                chart.text(x, bottom + 16, percent(share, 0), "tick", anchor)
        for row, (name, (_, rates)) in enumerate(zip(names, shown, strict=True)):
            y = top + step * row + (19 if narrow else 5)
            middle = y + thick * len(labels) / 2 + 4
            chart.text(left if narrow else left - 10, y - 6 if narrow else middle, name, "name",
                       "start" if narrow else "end")  # fmt: skip
            for i, rate in enumerate(rates):
                if not rate.proved:
                    continue
                length = rate.value * (right - left)
                tip = f"{labels[i]}, {shown[row][0]}: {rate.proved} of {rate.total}"
                chart.rect(left, y + thick * i, max(length, 1.0), thick - 1, f"bar s{i % 8}", tip)
            best = max(rates, key=lambda rate: rate.value)
            said = f"{best.proved:,}/{best.total:,}" if not many else f"{max(rate.total for rate in rates):,}"
            chart.text(width - 2, middle, said if not many else f"of {said}", "tick", "end")
        return chart

    rows = [
        (
            name,
            *(f"{rate.proved}/{rate.total}  {percent(rate.value)}" if rate.total else "-" for rate in rates),
        )
        for name, rates in areas
    ]
    hidden = len(areas) - len(shown)
    return figure(
        "areas",
        "By area",
        "Share of the theorems of each part of the data that have a checked proof; the largest parts first.",
        draw,
        table(("Area", *labels), rows),
        found="; ".join(f"{row[0]}: {', '.join(str(cell) for cell in row[1:])}" for row in rows[:_AREAS]),
        note=f"{hidden} smaller areas are in the table only." if hidden > 0 else "",
    )


def whole(amount: float) -> str:
    """``1234.0`` -> ``1,234``."""
    return f"{amount:,.0f}"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a whole: its name, its CSS class, its amount."""

    name: str
    kind: str
    amount: float


def stacked_chart(
    ident: str,
    title: str,
    description: str,
    bars: Sequence[tuple[str, Sequence[Part]]],
    *,
    shown: Callable[[float], str] = whole,
    note: str = "",
) -> str:
    """A bar for each run, made of the same parts in the same order; widths are shares of the whole."""
    used = [i for i, _ in enumerate(bars[0][1]) if any(parts[i].amount > 0 for _, parts in bars)]
    kinds = [(bars[0][1][i].name, bars[0][1][i].kind) for i in used]

    def draw(width: int) -> Chart:
        step = 50.0
        top = 6.0 + _part_legend(None, kinds, width)
        chart = Chart(width, int(top + step * len(bars)) + 4)
        _part_legend(chart, kinds, width)
        for row, (name, parts) in enumerate(bars):
            y = top + step * row
            total = sum(part.amount for part in parts)
            chart.text(0, y + 14, shorten(name, 34), "name")
            chart.text(width, y + 14, shown(total), "tick", "end")
            x = 0.0
            for i in used:
                part = parts[i]
                wide = width * part.amount / total if total else 0.0
                said = shown(part.amount)
                tip = f"{name}: {part.name} {said} ({percent(part.amount / total)})" if total else ""
                if wide > 0:
                    chart.rect(x, y + 20, max(0.75, wide - 1), 18, f"part {part.kind}", tip)
                if wide > text_width(said, 11) + 10:
                    chart.text(x + wide / 2, y + 33, said, f"on-{part.kind}", "middle")
                x += wide
        return chart

    rows = []
    for name, parts in bars:
        total = sum(part.amount for part in parts)
        rows += [
            (name, parts[i].name, shown(parts[i].amount), percent(parts[i].amount / total) if total else "-")
            for i in used
        ]
    found = "; ".join(
        f"{name}, {part.name}: {shown(part.amount)}"
        for name, parts in bars
        for part in parts
        if part.amount > 0
    )
    numbers = table(("Run", "Part", "Amount", "Share"), rows, left=2)
    return figure(ident, title, description, draw, numbers, note=note, found=found)


def _part_legend(chart: Chart | None, kinds: Sequence[tuple[str, str]], width: int) -> float:
    x, y = 0.0, 12.0
    for name, kind in kinds:
        needed = math.ceil(20 + text_width(name) + 14)
        if x and x + needed > width + 10:
            x, y = 0.0, y + 20
        if chart is not None:
            chart.rect(x, y - 9, 13, 11, f"part {kind}")
            chart.text(x + 18, y, name, "legend")
        x += needed
    return y + 10
