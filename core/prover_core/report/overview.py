"""The page's first sections: what came out, in words and counts, and the runs compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from prover_core.evaluation.pairing import Equivalence
from prover_core.report.bars import Part, stacked_chart
from prover_core.report.charts import rates_chart
from prover_core.report.figures import (
    Comparison,
    Rate,
    common_terms,
    comparisons,
    rate_of,
    subsets,
    under,
)
from prover_core.report.model import ReportData, Row
from prover_core.report.svg import counted, esc, percent, seconds_text, table
from prover_core.types import Budget

__all__ = ["comparison", "first_words", "summary"]

_SAID = 3
"""Most runs whose rates are told in the first sentences."""
_NAMED = 3
"""Most differing pairs of runs that are named there."""
_LEVEL = 0.05
_READING = (
    "Only A, only B: proved by one of the two alone, which is what the exact McNemar test looks at. B − A: "
    "difference of the rates in percentage points, its interval by a paired bootstrap over problems; with "
    "fewer than 10 problems proved by one of two alone it is too narrow, so go by p."
)

_MACHINERY = ("crashed", "unchecked", "unavailable", "not_attempted")
_ENDINGS = (
    ("proved", "proved", "st-proved"),
    ("failed", "nothing left to try", "st-failed"),
    ("out_of_budget", "out of budget", "st-budget"),
    ("rejected", "refused by the check", "st-rejected"),
    ("unchecked", "check broke", "st-unchecked"),
    ("crashed", "machinery broke", "st-crashed"),
    ("unavailable", "could not be opened", "st-unavailable"),
)


def first_words(data: ReportData) -> str:
    """What came out, in a sentence or two: how much each run proves, and whether one is better."""
    rates = [rate_of([row.cells[i] for row in data.rows]) for i in range(len(data.runs))]
    told = [i for i, rate in enumerate(rates) if rate.total]
    if not told:
        said = ["No attempt says anything about a theorem: the machinery failed, or nothing was attempted."]
    elif len(told) <= _SAID:
        said = [_rate_words(data, i, rates[i]) for i in told]
    else:
        best = max(told, key=lambda i: rates[i].value)
        own = "" if _same_terms(data) else ", each on its own terms"
        said = [f"Highest of {len(told)} runs{own}: {_rate_words(data, best, rates[best])}"]
    parts = [" ".join(said)]
    if len(data.runs) > 1:
        rows, same, terms = _levelled(data)
        under_what = "" if same else f" under common terms ({esc(terms)})"
        made = comparisons(rows, len(data.runs))
        told_apart = (
            [_difference(data, made[0], under_what)]
            if len(made) == 1
            else _differences(data, made, under_what)
        )
        parts.append(" ".join([*told_apart, *_doubtful(data, rows)]))
    return "".join(f'<p class="lede">{part}</p>' for part in parts if part)


def _rate_words(data: ReportData, index: int, rate: Rate) -> str:
    run = data.runs[index]
    left = run.summary.not_attempted
    unfinished = f"; not finished, {left:,} not attempted" if left else ""
    return (
        f"<b>{esc(run.label)}</b> proves {rate.proved:,} of {counted(rate.total, 'theorem')} "
        f"({percent(rate.value)}, 95 % interval {percent(rate.low)} to {percent(rate.high)}{unfinished})."
    )


def _same_terms(data: ReportData) -> bool:
    return len({(run.budget_text, run.attempts) for run in data.runs}) == 1


def _levelled(data: ReportData) -> tuple[list[Row], bool, str]:
    """The problems under the terms that all runs had; whether all had the same; the terms in words."""
    budget, attempts = common_terms(data)
    said = f"{_budget_words(budget)}, {counted(attempts, 'attempt')} at each theorem"
    same = _same_terms(data)
    own = [run.budget for run in data.runs]
    return (list(data.rows) if same else under(data.rows, own, budget, attempts)), same, said


def _budget_words(budget: Budget) -> str:
    """``60 tactics, 20 s``: for readers who have never typed ``60t,20s``."""
    said = [counted(budget.tries, "tactic")] if budget.tries is not None else []
    said += [seconds_text(budget.seconds)] if budget.seconds is not None else []
    said += [counted(budget.model_calls, "model call")] if budget.model_calls is not None else []
    said += [counted(budget.tokens, "token")] if budget.tokens is not None else []
    return ", ".join(said) or "no limits"


def _difference(data: ReportData, made: Comparison, terms: str) -> str:
    """Of two runs: how large, how sure, and what that comes to."""
    a, b = esc(data.runs[made.first].label), esc(data.runs[made.second].label)
    more, fewer = (b, a) if made.difference >= 0 else (a, b)
    gap = abs(made.only_second - made.only_first)
    came = f"<b>{more}</b> proves {gap:,} more than {fewer}" if gap else f"{a} and {b} prove equally many"
    shown = "a difference" if made.p_value < _LEVEL else "no difference"
    return (
        f"On the {counted(made.total, 'problem')} with a result from both, {came}{terms}: {b} minus {a} "
        f"is {_points(made.difference)} points, 95 % interval {_points(made.interval.low)} to "
        f"{_points(made.interval.high)}, exact McNemar {esc(_equals(made.p_value))}. "
        f"At the 5 % level that shows {shown}."
    )


def _differences(data: ReportData, made: Sequence[Comparison], terms: str) -> list[str]:
    """Of several runs: which pairs can be told apart."""
    if not made:
        return ["The runs have no problem in common, so nothing here says which is better."]
    apart = sorted((each for each in made if each.adjusted < _LEVEL), key=lambda each: each.adjusted)
    named = []
    for each in apart[:_NAMED]:
        more, fewer = (each.second, each.first) if each.difference > 0 else (each.first, each.second)
        labels = f"<b>{esc(data.runs[more].label)}</b> over {esc(data.runs[fewer].label)}"
        named.append(f"{labels} ({esc(_equals(each.adjusted))})")
    rest = f", and {len(apart) - _NAMED} more" if len(apart) > _NAMED else ""
    begun = f"{terms.strip().capitalize()}, " if terms else ""
    count = f"{len(apart) or 'none'} of {len(made)} pairs of runs {'differs' if len(apart) < 2 else 'differ'}"
    listed = f": {', '.join(named)}{rest}" if named else ""
    tested = "by the exact McNemar test, adjusted by Holm, at the 5 % level"
    return [f"{begun}{count if begun else count.capitalize()} {tested}{listed}."]


def _doubtful(data: ReportData, rows: Sequence[Row]) -> list[str]:
    """A word where pairs whose statements differ are among what was compared."""
    found = [row for row in rows if row.equivalence is Equivalence.DIFFERS]
    compared = sum(sum(cell is not None and cell.n > 0 for cell in row.cells) > 1 for row in found)
    if not compared or not data.crossed:
        return []
    are, them = ("problem is", "it") if compared == 1 else ("problems are", "them")
    return [
        f"{compared:,} {are} known to be stated differently; the comparison is made without {them} too, "
        "below."
    ]


def summary(data: ReportData) -> str:
    """Rates, and how attempts ended; machinery failures apart."""
    labels = [run.label for run in data.runs]
    rates = [rate_of([row.cells[i] for row in data.rows]) for i in range(len(data.runs))]
    rows = []
    for run, rate in zip(data.runs, rates, strict=True):
        s = run.summary
        rows.append(
            (run.label, rate.proved, rate.total, percent(rate.value), s.attempts, s.proved, s.failed,
             s.out_of_budget, s.rejected, *(getattr(s, name) for name in _MACHINERY))
        )  # fmt: skip
    headers = (
        "Run", "Theorems proved", "Of", "Rate", "Attempts", "Proved", "Nothing left to try", "Out of budget",
        "Refused by the check", "Machinery broke", "Check broke", "Not opened", "Not attempted",
    )  # fmt: skip
    broken = sum(getattr(run.summary, name) for run in data.runs for name in _MACHINERY[:3])
    apart = (
        f'<p class="warn"><b>{counted(broken, "attempt")} ended because something broke</b> '
        "(the counts of every run say what). That says nothing about any theorem, and no rate on this page "
        "counts it.</p>"
        if broken
        else '<p class="note">No attempt was lost to a failure of the machinery.</p>'
    )
    bars = [
        (run.label, [Part(name, kind, getattr(run.summary, key)) for key, name, kind in _ENDINGS])
        for run in data.runs
    ]
    ended = stacked_chart(
        "endings", "How attempts ended",
        "Hatched: the machinery failed, which says nothing about the theorem. Everything else counts.",
        bars,
    )  # fmt: skip
    notes = "".join(f"<li>{esc(note)}</li>" for note in data.notes)
    return (
        f'<section id="summary"><h2>Summary</h2>{f"<ul class=notes>{notes}</ul>" if notes else ""}'
        f'<div class="grid">{rates_chart(labels, rates)}{ended}</div>{apart}'
        '<details class="card numbers"><summary>Counts of every run</summary>'
        f"{table(headers, rows)}</details></section>"
    )


def comparison(data: ReportData) -> str:
    """Every two runs; across provers by what is known of the statements; the terms that all had."""
    if len(data.runs) < 2:
        return ""
    levelled, same, said = _levelled(data)
    terms = [(run.label, run.prover, run.budget_text, run.attempts) for run in data.runs]
    parts = ['<section id="comparison"><h2>Comparison</h2>']
    if same:
        parts.append(f"<p>Every run had the same terms: {esc(said)}.</p>")
    else:
        parts.append(
            f"<p>The runs had different terms. Under the common ones ({esc(said)}) a proof that took more "
            "counts as not found.</p>" + table(("Run", "Prover", "Budget", "Attempts"), terms, left=3)
        )
    if not comparisons(data.rows, len(data.runs)):
        parts.append("<p>No two runs have a problem in common, so there is nothing to compare.</p></section>")
        return "".join(parts)
    both = "Problems with a result from both runs"
    parts.append(_pairwise(data, levelled, both + ("" if same else ", common terms")))
    if not same:
        parts.append(_pairwise(data, data.rows, "The same, each run on its own terms"))
    if data.pairs is not None:
        parts.append(_by_equivalence(data, levelled))
    parts.append(f'<p class="note">{esc(_READING)}</p></section>')
    return "".join(parts)


def _pairwise(data: ReportData, rows: Sequence[Row], caption: str) -> str:
    made = comparisons(rows, len(data.runs))
    if not made:
        return f"<p>{esc(caption)}: there are none.</p>"
    lines = [(*_names(data, each), *_numbers(each)) for each in made]
    headers = (
        "A", "B", "Problems", "Both", "Only A", "Only B", "Neither", "B − A, points",
        "95 % interval", "p (McNemar)", "p (Holm)",
    )  # fmt: skip
    return table(headers, lines, caption=caption, left=2)


def _names(data: ReportData, made: Comparison) -> tuple[str, str]:
    return data.runs[made.first].label, data.runs[made.second].label


def _numbers(made: Comparison) -> tuple[object, ...]:
    low, high = _points(made.interval.low), _points(made.interval.high)
    return (
        made.total, made.both, made.only_first, made.only_second, made.neither, _points(made.difference),
        f"{low} to {high}", _p(made.p_value), _p(made.adjusted),
    )  # fmt: skip


def _by_equivalence(data: ReportData, rows: Sequence[Row]) -> str:
    """The comparisons across provers again, with and without pairs whose statements may not agree."""
    levelled = ReportData(data.runs, rows, data.pairs)
    flags = Counter(row.equivalence for row in rows if row.pair is not None and row.pair.complete)
    by_flag = ", ".join(f"{flags[flag]:,} {flag.value}" for flag in Equivalence)
    lines = []
    for name, chosen in subsets(levelled):
        for made in comparisons(chosen, len(data.runs)):
            if data.runs[made.first].prover != data.runs[made.second].prover or not data.crossed:
                numbers = _numbers(made)
                lines.append((name, *_names(data, made), *numbers[:-2], numbers[-2]))
    headers = (
        "Pairs", "A", "B", "Problems", "Both", "Only A", "Only B", "Neither", "B − A, points",
        "95 % interval", "p (McNemar)",
    )  # fmt: skip
    head = "<h3>With and without pairs that are not equivalent</h3>"
    head += f"<p>Statements of the pairs: {esc(by_flag)}.</p>"
    return head + (table(headers, lines, left=3) if lines else "<p>No two runs have a pair in common.</p>")


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _equals(p: float) -> str:
    return f"p {_p(p)}" if p < 0.001 else f"p = {_p(p)}"


def _points(value: float) -> str:
    """A difference of rates, in percentage points, always with its sign."""
    return f"{100 * value:+.1f}".replace("-", "−") if abs(value) >= 0.0005 else "0.0"
