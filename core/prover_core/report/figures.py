"""The numbers behind the charts: solved sets, curves, intervals, comparisons. No drawing here."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from prover_core.evaluation.pairing import Equivalence
from prover_core.evaluation.statistics import (
    Interval,
    holm,
    mcnemar_exact,
    mean_interval,
    paired_interval,
    pass_at_k,
    wilson_interval,
)
from prover_core.report.model import Cell, ReportData, Row, within
from prover_core.store import AttemptStatus
from prover_core.types import Budget

__all__ = [
    "Comparison",
    "Curve",
    "Rate",
    "areas",
    "common_terms",
    "comparisons",
    "pass_curve",
    "rate_of",
    "solved_sets",
    "subsets",
    "under",
]


@dataclass(frozen=True, slots=True)
class Rate:
    """Theorems proved of those that an attempt says something about, with Wilson's interval."""

    proved: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.proved / self.total if self.total else 0.0


def rate_of(cells: Sequence[Cell | None]) -> Rate:
    """The rate over theorems; those without a conclusive attempt are in none of its numbers."""
    told = [cell for cell in cells if cell is not None and cell.n]
    proved = sum(cell.proved for cell in told)
    low, high = wilson_interval(proved, len(told))
    return Rate(proved, len(told), low, high)


@dataclass(frozen=True, slots=True)
class Curve:
    """pass@k of one run for k = 1, 2, ..."""

    values: tuple[float, ...]
    intervals: tuple[Interval, ...]
    theorems: tuple[int, ...]
    """With at least k conclusive attempts, for each k."""


def pass_curve(cells: Sequence[Cell | None], most: int = 64) -> Curve:
    """Unbiased pass@k with bootstrap intervals, up to the largest k that some theorem has attempts for."""
    told = [(cell.n, cell.c) for cell in cells if cell is not None and cell.n]
    values, intervals, counts = [], [], []
    highest = max((n for n, _ in told), default=0)
    for k in _ks(min(highest, most)):
        enough = [(n, c) for n, c in told if n >= k]
        each = pass_at_k([n for n, _ in enough], [c for _, c in enough], k)
        values.append(float(each.mean()))
        intervals.append(mean_interval(each))
        counts.append(len(enough))
    return Curve(tuple(values), tuple(intervals), tuple(counts))


def _ks(highest: int) -> range:
    return range(1, highest + 1)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs on the problems that an attempt of each says something about."""

    first: int
    second: int
    both: int
    only_first: int
    only_second: int
    neither: int
    difference: float
    """Rate of the second minus that of the first."""
    interval: Interval
    p_value: float
    """Exact McNemar."""
    adjusted: float = 1.0
    """By Holm, for all comparisons of one table."""

    @property
    def total(self) -> int:
        return self.both + self.only_first + self.only_second + self.neither


def comparisons(rows: Sequence[Row], runs: int) -> list[Comparison]:
    """Every two runs that have problems in common."""
    found = [made for a, b in combinations(range(runs), 2) if (made := _compare(rows, a, b)) is not None]
    adjusted = holm([made.p_value for made in found])
    return [replace(made, adjusted=value) for made, value in zip(found, adjusted, strict=True)]


def _compare(rows: Sequence[Row], a: int, b: int) -> Comparison | None:
    counts: Counter[tuple[bool, bool]] = Counter()
    for row in rows:
        first, second = row.cells[a], row.cells[b]
        if first is not None and second is not None and first.n and second.n:
            counts[first.proved, second.proved] += 1
    if not counts:
        return None
    both, only_a = counts[True, True], counts[True, False]
    only_b, neither = counts[False, True], counts[False, False]
    return Comparison(
        first=a,
        second=b,
        both=both,
        only_first=only_a,
        only_second=only_b,
        neither=neither,
        difference=(only_b - only_a) / counts.total(),
        interval=_interval(both + neither, only_a, only_b),
        p_value=mcnemar_exact(only_a, only_b),
    )


@functools.lru_cache(maxsize=4096)
def _interval(alike: int, only_first: int, only_second: int) -> Interval:
    """Of the difference; kept, because a page needs it for words and several tables."""
    first = [0.0] * alike + [1.0] * only_first + [0.0] * only_second
    second = [0.0] * alike + [0.0] * only_first + [1.0] * only_second
    return paired_interval(first, second)


def subsets(data: ReportData) -> list[tuple[str, list[Row]]]:
    """Problems by what is known of their statements: all, all but those that differ, those vouched for."""
    rows = [row for row in data.rows if row.pair is not None and row.pair.complete]
    return [
        ("all pairs", rows),
        ("without those that differ", [r for r in rows if r.equivalence is not Equivalence.DIFFERS]),
        ("certified or audited only", [r for r in rows if r.equivalence.vouched]),
    ]


def common_terms(data: ReportData) -> tuple[Budget, int]:
    """The budget and the number of attempts that every run had: the smallest of each."""

    def least(limit: Callable[[Budget], float | None]) -> float | None:
        given = [value for run in data.runs if (value := limit(run.budget)) is not None]
        return min(given) if given else None

    seconds, tries = least(lambda b: b.seconds), least(lambda b: b.tries)
    calls, tokens = least(lambda b: b.model_calls), least(lambda b: b.tokens)
    budget = Budget(
        seconds=seconds,
        tries=None if tries is None else int(tries),
        model_calls=None if calls is None else int(calls),
        tokens=None if tokens is None else int(tokens),
    )
    return budget, min((run.attempts for run in data.runs), default=1)


def under(rows: Sequence[Row], own: Sequence[Budget], budget: Budget, attempts: int) -> list[Row]:
    """The same problems, as if every run had had this budget and so many attempts; ``own``: what each had.

    A proof that took more counts as not found: its attempt would have run out. A limit that a run had itself
    it has kept to (a clock is looked at now and then, so a proof may come a moment after the time).
    """
    new = [_tighter(budget, each) for each in own]
    return [
        replace(
            row, cells=[_under(cell, limits, attempts) for cell, limits in zip(row.cells, new, strict=True)]
        )
        for row in rows
    ]


def _tighter(budget: Budget, own: Budget) -> Budget:
    """Those limits of ``budget`` that are below the run's own."""

    def less(limit: float | None, mine: float | None) -> bool:
        return limit is not None and (mine is None or limit < mine)

    return Budget(
        seconds=budget.seconds if less(budget.seconds, own.seconds) else None,
        tries=budget.tries if less(budget.tries, own.tries) else None,
        model_calls=budget.model_calls if less(budget.model_calls, own.model_calls) else None,
        tokens=budget.tokens if less(budget.tokens, own.tokens) else None,
    )


def _under(cell: Cell | None, budget: Budget, attempts: int) -> Cell | None:
    if cell is None:
        return None
    kept = [
        each
        if within(each, budget) or not each.status.conclusive
        else replace(each, status=AttemptStatus.OUT_OF_BUDGET)
        for each in cell.attempts
        if each.number <= attempts
    ]
    return replace(cell, attempts=kept)


def solved_sets(rows: Sequence[Row], runs: int) -> list[tuple[tuple[int, ...], int]]:
    """(which runs, and only these, proved it; how many problems), largest first; nobody's last."""
    counts = Counter(
        tuple(i for i in range(runs) if (cell := row.cells[i]) is not None and cell.proved) for row in rows
    )
    return sorted(counts.items(), key=lambda item: (not item[0], -item[1], item[0]))


def areas(rows: Sequence[Row]) -> Mapping[str, list[Row]]:
    """Area -> its problems, the largest area first."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.area, []).append(row)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))
