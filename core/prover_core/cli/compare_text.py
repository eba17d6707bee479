"""A comparison as text for a terminal of 80 columns, where labels are short, and as Markdown."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prover_core.cli.eval_text import interval, percent, seconds, wrapped
from prover_core.cli.tables import columns, markdown
from prover_core.evaluation.comparison import BudgetComparison, Comparison, LeftOut, PairComparison, Subset

__all__ = ["comparison_lines", "comparison_markdown", "difference", "p_value"]

_SHOWN_IDS = 5
_FEW = 10
_LONG = 16
"""Longest label that stands in a table's heading."""

Table = Callable[[Sequence[object], Iterable[Sequence[object]]], Iterator[str]]


def comparison_lines(comparison: Comparison, *, list_ids: bool = False) -> Iterator[str]:
    """For a terminal. ``list_ids``: every theorem that only one of two proved."""
    letters = _letters(comparison)
    yield from _opening(comparison, letters)
    for subset in comparison.subsets:
        if len(comparison.subsets) > 1:
            yield ""
            yield f"== {subset.description} =="
        for budget in subset.budgets:
            yield ""
            yield from wrapped(_heading(budget))
            if not budget.theorems:
                continue
            yield from columns(*_sides(budget, letters))
            yield ""
            yield from columns(*_pairs(budget, subset, letters))
            yield from _ids(budget, list_ids)
    for line in _left_out(comparison, list_ids):
        yield from wrapped(line) or [""]
    yield ""
    yield from wrapped(_explained(comparison))


def comparison_markdown(comparison: Comparison) -> Iterator[str]:
    """For a README, an issue, a paper's notes."""
    yield from markdown(*_inputs(comparison, {}))
    if said := list(_said(comparison)):
        yield ""
        yield from (f"- {line}" for line in said)
    for subset in comparison.subsets:
        if len(comparison.subsets) > 1:
            yield ""
            yield f"## {subset.description.capitalize()}"
        for budget in subset.budgets:
            yield ""
            yield f"### {_heading(budget)}"
            if not budget.theorems:
                continue
            yield ""
            yield from markdown(*_sides(budget, {}))
            yield ""
            yield from markdown(*_pairs(budget, subset, {}))
    lines = list(_left_out(comparison, list_ids=False))
    if lines:
        yield ""
        yield from (f"- {line.strip()}" for line in lines if line.strip())
    yield ""
    yield _explained(comparison)


def difference(value: float) -> str:
    """A difference of two shares, in percentage points."""
    return f"{round(100 * value, 1) + 0.0:+.1f}"  # no minus before a zero


def p_value(p: float) -> str:
    """A p-value, to two digits."""
    if p >= 0.9995:
        return "1"
    if p < 1e-99:
        return "<1e-99"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def _letters(comparison: Comparison) -> Mapping[str, str]:
    """Label -> what stands for it in tables: itself, or a letter where that would be too wide."""
    labels = [each.label for each in comparison.inputs]
    if len(labels) == 2 and max(map(len, labels)) <= _LONG:
        return {label: label for label in labels}
    names = [*string.ascii_uppercase, *(f"#{n}" for n in range(27, len(labels) + 1))]
    return dict(zip(labels, names, strict=False))


def _opening(comparison: Comparison, letters: Mapping[str, str]) -> Iterator[str]:
    for label, letter in letters.items():
        if letter != label:
            yield f"{letter} = {label}"
    yield from columns(*_inputs(comparison, letters))
    for line in _said(comparison):
        yield from wrapped(line)


def _said(comparison: Comparison) -> Iterator[str]:
    """What a reader must know before the figures."""
    if comparison.pairs:
        counts = comparison.equivalence.items()
        flags = ", ".join(f"{count} {flag}" for flag, count in counts if count)
        yield f"paired by {comparison.pairs}; statements of the problems compared: {flags}"
    for note in comparison.notes:
        yield f"note: {note}"


def _inputs(
    comparison: Comparison, letters: Mapping[str, str]
) -> tuple[Sequence[object], list[Sequence[object]]]:
    rows: list[Sequence[object]] = [
        (
            letters.get(each.label, each.label),
            f"{each.prover} {each.version}".strip(),
            each.model,
            each.search,
            each.theorems,
            each.attempts,
        )
        for each in comparison.inputs
    ]
    return ("COMPARED", "PROVER", "MODEL", "SEARCH", "THEOREMS", "ATTEMPTS"), rows


def _heading(budget: BudgetComparison) -> str:
    attempts = f", {budget.attempts} attempts" if budget.attempts > 1 else ""
    inconclusive = len(budget.inconclusive)
    less = f" ({inconclusive} left out: no conclusive attempt in one of them)" if inconclusive else ""
    theorems = "theorem" if budget.theorems == 1 else "theorems"
    uneven = (
        f"; at {budget.uneven} of them one has fewer conclusive attempts than another, so fewer chances"
        if budget.uneven
        else ""
    )
    return f"budget {budget.budget}{attempts}: {budget.theorems} common {theorems}{less}{uneven}"


def _sides(
    budget: BudgetComparison, letters: Mapping[str, str]
) -> tuple[Sequence[object], list[Sequence[object]]]:
    several = budget.attempts > 1
    heads: list[object] = ["", "PROVED", "RATE", "95 % INTERVAL"]
    heads += ["PASS@1"] if several else []
    heads += ["TRIES", "SECONDS"]
    rows: list[Sequence[object]] = []
    for side in budget.sides:
        row: list[object] = [
            letters.get(side.label, side.label) + ("*" if side.derived_from else ""),
            side.proved,
            percent(side.rate),
            interval(side.rate_low, side.rate_high),
        ]
        row += [percent(side.pass_1)] if several else []
        tries = side.tries_median_proved
        row += ["-" if tries is None else f"{tries:g}", seconds(side.seconds_median_proved)]
        rows.append(row)
    if len(budget.pairs) == 1:
        rows.append(_delta(budget, budget.pairs[0], several))
    return heads, rows


def _delta(budget: BudgetComparison, pair: PairComparison, several: bool) -> list[object]:
    """The second minus the first, in percentage points where it is a share."""
    span = f"{_span(pair)} pp"
    first, second = budget.sides
    row: list[object] = [
        "delta",
        f"{second.proved - first.proved:+d}",
        difference(pair.difference) + " pp",
        span,
    ]
    row += [difference(pair.pass_1_difference) + " pp"] if several else []
    return [*row, "", ""]


def _pairs(
    budget: BudgetComparison, subset: Subset, letters: Mapping[str, str]
) -> tuple[Sequence[object], list[Sequence[object]]]:
    adjusted = subset.tests > 1
    if len(budget.pairs) == 1:
        pair = budget.pairs[0]
        first, second = letters.get(pair.first, pair.first), letters.get(pair.second, pair.second)
        heads: list[object] = ["BOTH", f"ONLY {first}", f"ONLY {second}", "NEITHER", "MCNEMAR P"]
        row: list[object] = [pair.both, pair.only_first, pair.only_second, pair.neither, p_value(pair.p)]
        if adjusted:
            heads, row = [*heads, "P (HOLM)"], [*row, p_value(pair.p_holm)]
        return heads, [row]
    heads = ["PAIR", "BOTH", "1ST", "2ND", "NONE", "DIFF", "95 %", "P", "P (HOLM)"]
    rows = [
        (
            f"{letters.get(pair.first, pair.first)}, {letters.get(pair.second, pair.second)}",
            pair.both,
            pair.only_first,
            pair.only_second,
            pair.neither,
            difference(pair.difference),
            _span(pair),
            p_value(pair.p),
            p_value(pair.p_holm),
        )
        for pair in budget.pairs
    ]
    return heads, list(rows)


def _span(pair: PairComparison) -> str:
    return f"{difference(pair.difference_low)} to {difference(pair.difference_high)}"


def _ids(budget: BudgetComparison, list_ids: bool) -> Iterator[str]:
    if not list_ids:
        return
    for pair in budget.pairs:
        for label, other, ids in (
            (pair.first, pair.second, pair.only_first_ids),
            (pair.second, pair.first, pair.only_second_ids),
        ):
            if ids:
                yield ""
                yield f"proved by {label} and not by {other}:"
                yield from (f"  {id}" for id in ids)


def _left_out(comparison: Comparison, list_ids: bool) -> Iterator[str]:
    lines = [line for each in comparison.left_out for line in _left_out_of(each, list_ids)]
    if lines:
        yield ""
        yield "left out, because not all of them have it:"
        yield from lines


def _left_out_of(left: LeftOut, list_ids: bool) -> Iterator[str]:
    if left.budgets:
        yield f"  {left.label}: budgets {', '.join(left.budgets)}"
    for what, ids in (("theorems", left.theorems), ("theorems of another statement", left.other_statement)):
        if not ids:
            continue
        shown = ids if list_ids else ids[:_SHOWN_IDS]
        more = f", and {len(ids) - len(shown)} more (--list)" if len(ids) > len(shown) else ""
        counted = f"{len(ids)} {what}" if len(ids) > 1 else what.replace("theorems", "1 theorem")
        yield f"  {left.label}: {counted}: {', '.join(shown)}{more}"


def _explained(comparison: Comparison) -> str:
    tests = max(subset.tests for subset in comparison.subsets)
    several = f" P (Holm) is adjusted for the {tests} tests." if tests > 1 else ""
    three = len(comparison.inputs) > 2
    pairs = " 1st, 2nd: proved by that one of the pair alone; diff: 2nd minus 1st." if three else ""
    few = any(
        0 < pair.only_first + pair.only_second < _FEW
        for subset in comparison.subsets
        for each in subset.budgets
        for pair in each.pairs
    )
    warning = (
        f" Fewer than {_FEW} theorems proved by one of two alone: the interval is too narrow; go by P."
        if few
        else ""
    )
    derived = any(
        side.derived_from for subset in comparison.subsets for each in subset.budgets for side in each.sides
    )
    star = " *: read from searches with a larger budget." if derived else ""
    return (
        "A theorem counts as proved if any of the attempts proved it. P: exact McNemar test of the theorems "
        "that only one of two proved. Differences: intervals of a paired bootstrap over theorems (of "
        "Wilson's width where no theorem tells two apart), in percentage points. Tries and seconds: medians "
        f"of the best proofs of what all of them proved.{pairs}{several}{warning}{star}"
    )
