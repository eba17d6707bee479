"""Charts of rates and curves: dots with intervals, solved against time, pass@k."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from prover_core.report.figures import Curve, Rate
from prover_core.report.svg import (
    NARROW,
    Chart,
    figure,
    linear_ticks,
    log_ticks,
    percent,
    shorten,
    table,
    text_width,
)

__all__ = ["pass_chart", "rates_chart", "solved_chart", "swatch_legend"]

_LABELLED = 6
"""Most lines that are labelled at their ends; more get a legend."""


def rates_chart(labels: Sequence[str], rates: Sequence[Rate]) -> str:
    """Each run's rate as a dot on its interval."""

    def draw(width: int) -> Chart:
        narrow = width == NARROW
        left = 8 if narrow else min(190, 16 + max(text_width(shorten(name, 26)) for name in labels))
        shares = [f"{rate.proved:,}/{rate.total:,}" for rate in rates]
        right, step = width - 74 - max(map(text_width, shares), default=0), 46 if narrow else 34
        top = 22
        chart = Chart(width, top + step * len(labels) + 26)
        ticks = linear_ticks(max(0.05, *(rate.high for rate in rates)))
        ticks = [tick for tick in ticks if tick <= 1.0001]
        x = _linear(0, max(ticks), left, right)
        bottom = top + step * len(labels)
        for tick in ticks:
            chart.line(x(tick), top - 6, x(tick), bottom, "grid")
            chart.text(x(tick), bottom + 16, percent(tick, 0), "tick", "middle")
        for i, (name, rate) in enumerate(zip(labels, rates, strict=True)):
            y = top + step * i + (30 if narrow else step / 2)
            shown = shorten(name, 38 if narrow else 26)
            chart.text(left if narrow else left - 10, y - 14 if narrow else y + 4, shown, "name",
                       "start" if narrow else "end")  # fmt: skip
            if rate.total:
                chart.line(x(rate.low), y, x(rate.high), y, f"interval s{i % 8}")
                chart.circle(x(rate.value), y, 5.5, f"dot s{i % 8}")
                chart.text(right + 12, y + 4, percent(rate.value), "value")
                chart.text(width - 2, y + 4, shares[i], "tick", "end")
            else:
                chart.text(right + 12, y + 4, "nothing known", "tick")
        return chart

    rows = [
        (name, rate.proved, rate.total, percent(rate.value), percent(rate.low), percent(rate.high))
        for name, rate in zip(labels, rates, strict=True)
    ]
    said = "; ".join(f"{name} {percent(rate.value)}" for name, rate in zip(labels, rates, strict=True))
    return figure(
        "rates",
        "Theorems proved",
        "Share of theorems with a checked proof, and its 95 % interval (Wilson).",
        draw,
        table(("Run", "Proved", "Of", "Rate", "From", "To"), rows),
        found=f"{said}.",
    )


def solved_chart(
    ident: str,
    title: str,
    labels: Sequence[str],
    costs: Sequence[Sequence[float]],
    *,
    unit: Callable[[float], str],
    what: str,
    much: str,
    floor: float = 0.001,
    ticks: Callable[[float, float], list[float]] = log_ticks,
) -> str:
    """Theorems solved within a cost (the cactus plot, cost to the right), each run a line."""
    positive = [max(floor, cost) for series in costs for cost in series]
    low, high = min(positive, default=0.1), max(positive, default=1.0)
    places = ticks(low, high)
    most = max((len(series) for series in costs), default=0)

    def draw(width: int) -> Chart:
        legend = width == NARROW or len(labels) > _LABELLED
        ends = [f"{shorten(name, 20)}: {len(series):,}" for name, series in zip(labels, costs, strict=True)]
        left, right = 44.0, width - (14 if legend else 22 + max(text_width(end) for end in ends))
        top = 30.0 + (swatch_legend(None, ends, width) if legend else 0)
        bottom = top + 220
        chart = Chart(width, int(bottom) + 44)
        if legend:
            swatch_legend(chart, ends, width, lines=True)
        chart.text(0, top - 14, "theorems proved", "tick")
        counts = linear_ticks(max(1, most), whole=True)
        x, y = _log(places[0], places[-1], left, right), _linear(0, counts[-1], bottom, top)
        _grid(chart, [(y(c), f"{c:,.0f}") for c in counts], left, right)
        every = max(1, math.ceil(len(places) / (5 if width == NARROW else 7)))
        for tick in places[::every]:
            chart.line(x(tick), bottom, x(tick), bottom + 4, "axis")
            chart.text(x(tick), bottom + 18, unit(tick), "tick", "middle")
        chart.line(left, bottom, right, bottom, "axis")
        chart.text(right, bottom + 36, f"{what} at one theorem, log scale", "tick", "end")
        for i, series in enumerate(costs):
            chart.path(_steps([max(floor, c) for c in series], x, y, right), f"line s{i % 8} d{i // 8 % 3}")
        if not legend:
            marks = [(y(len(costs[i])), end, i) for i, end in enumerate(ends)]
            _end_labels(chart, marks, right + 6, top, bottom)
        return chart

    marks = [tick for tick in places if tick <= high * 10]
    rows = [(unit(mark), *(sum(c <= mark for c in series) for series in costs)) for mark in marks]
    said = ", ".join(f"{name} {len(series):,}" for name, series in zip(labels, costs, strict=True))
    return figure(
        ident,
        title,
        f"How many theorems were proved within {much} {what}.",
        draw,
        table((what.capitalize(), *labels), rows),
        found=f"At the right end: {said}.",
    )


def pass_chart(labels: Sequence[str], curves: Sequence[Curve]) -> str:
    """pass@k of each run, with its interval as a band."""
    most = max(len(curve.values) for curve in curves)
    peak = max((i.high for curve in curves for i in curve.intervals), default=1.0)

    def draw(width: int) -> Chart:
        legend = width == NARROW or len(labels) > _LABELLED
        ends = [shorten(name, 22) for name in labels]
        left, right = 48.0, width - (14 if legend else 22 + max(text_width(end) for end in ends))
        top = 30.0 + (swatch_legend(None, ends, width) if legend else 0)
        bottom = top + 220
        chart = Chart(width, int(bottom) + 44)
        if legend:
            swatch_legend(chart, ends, width, lines=True)
        chart.text(0, top - 14, "pass@k", "tick")
        ticks = [tick for tick in linear_ticks(max(0.05, peak)) if tick <= 1.0001]
        x = _linear(1, max(2, most), left + 8, right - 8)
        y = _linear(0, ticks[-1] if peak <= ticks[-1] else 1.0, bottom, top)
        _grid(chart, [(y(tick), percent(tick, 0)) for tick in ticks], left, right)
        step = max(1, math.ceil(most / (6 if width == NARROW else 12)))
        for k in range(1, most + 1, step):
            chart.text(x(k), bottom + 18, str(k), "tick", "middle")
        chart.line(left, bottom, right, bottom, "axis")
        chart.text(right, bottom + 36, "attempts k", "tick", "end")
        for i, curve in enumerate(curves):
            ks = range(1, len(curve.values) + 1)
            upper = [(x(k), y(each.high)) for k, each in zip(ks, curve.intervals, strict=True)]
            lower = [(x(k), y(each.low)) for k, each in zip(ks, curve.intervals, strict=True)]
            chart.path([*upper, *reversed(lower)], f"band s{i % 8}", close=True)
        for i, curve in enumerate(curves):
            if len(curve.values) == 1:  # no line and no band: the interval stands beside its dot
                at, only = x(1) - 8 + 5 * (i % 4), curve.intervals[0]
                chart.line(at, y(only.low), at, y(only.high), f"interval s{i % 8}")
                chart.circle(at, y(curve.values[0]), 3.5, f"dot s{i % 8}", f"{labels[i]}: pass@1")
                continue
            points = [(x(k), y(value)) for k, value in enumerate(curve.values, start=1)]
            chart.path(points, f"line s{i % 8} d{i // 8 % 3}")
            for (px, py), value, k in zip(points, curve.values, range(1, len(points) + 1), strict=True):
                if len(points) <= 16:
                    chart.circle(px, py, 3.5, f"dot s{i % 8}", f"{labels[i]}: pass@{k} {percent(value)}")
        if not legend:
            marks = [(y(curves[i].values[-1]), end, i) for i, end in enumerate(ends) if curves[i].values]
            _end_labels(chart, marks, right + 6, top, bottom)
        return chart

    rows = [
        (name, k, percent(curve.values[k - 1]), percent(curve.intervals[k - 1].low),
         percent(curve.intervals[k - 1].high), curve.theorems[k - 1])
        for name, curve in zip(labels, curves, strict=True)
        for k in range(1, len(curve.values) + 1)
    ]  # fmt: skip
    return figure(
        "passk",
        "pass@k",
        "Chance that at least one of k attempts proves a theorem (unbiased estimate, mean over theorems); "
        "bands are 95 % bootstrap intervals over theorems.",
        draw,
        table(("Run", "k", "pass@k", "From", "To", "Theorems"), rows),
        found="; ".join(
            f"{name} from {percent(c.values[0])} at k=1 to {percent(c.values[-1])} at k={len(c.values)}"
            for name, c in zip(labels, curves, strict=True)
            if c.values
        ),
    )


def swatch_legend(chart: Chart | None, names: Sequence[str], width: int, *, lines: bool = False) -> float:
    """A legend at the top; returns its height. With no chart: only the height.

    ``lines``: of a chart of lines, in which those that share a colour differ in their dashes.
    """
    x, y = 8.0, 14.0
    for i, name in enumerate(names):
        needed = 22 + text_width(name) + 12
        if x > 8 and x + needed > width:
            x, y = 8.0, y + 20
        if chart is not None:
            if lines and i >= 8:
                chart.path([(x - 2, y - 4), (x + 16, y - 4)], f"line s{i % 8} d{i // 8 % 3}")
            else:
                chart.rect(x, y - 9, 14, 10, f"key s{i % 8}")
            chart.text(x + 20, y, name, "name")
        x += needed
    return y + 8


def _linear(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _log(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    place = _linear(math.log10(low), math.log10(high), start, end)
    return lambda value: place(math.log10(max(value, low)))


def _grid(chart: Chart, ticks: Sequence[tuple[float, str]], left: float, right: float) -> None:
    for y, text in ticks:
        chart.line(left, y, right, y, "grid")
        chart.text(left - 8, y + 4, text, "tick", "end")


def _steps(
    costs: Sequence[float], x: Callable[[float], float], y: Callable[[float], float], right: float
) -> list[tuple[float, float]]:
    """The staircase of a series, at most two points for each half pixel of width."""
    ordered = sorted(costs)
    if not ordered:
        return []
    points = [(x(ordered[0]), y(0))]
    for count, cost in enumerate(ordered, start=1):
        at = round(x(cost) * 2) / 2
        if points and points[-1][0] == at and len(points) > 1:
            points[-1] = (at, y(count))
            continue
        points += [(at, points[-1][1]), (at, y(count))]
    return [*points, (right, points[-1][1])]


def _end_labels(
    chart: Chart, items: Sequence[tuple[float, str, int]], x: float, top: float, bottom: float
) -> None:
    """Names at the ends of lines, pushed apart where they would cover each other."""
    ordered = sorted(items)
    places: list[float] = []
    for wanted, _, _ in ordered:
        places.append(max(wanted, places[-1] + 16 if places else top))
    overflow = places[-1] - bottom if places else 0
    if overflow > 0:
        for i in range(len(places) - 1, -1, -1):
            limit = bottom if i == len(places) - 1 else places[i + 1] - 16
            places[i] = min(places[i], limit)
    for place, (_, name, index) in zip(places, ordered, strict=True):
        chart.rect(x, place - 5, 8, 10, f"key s{index % 8}")
        chart.text(x + 12, place + 4, name, "name")
