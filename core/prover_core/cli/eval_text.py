"""The result of an evaluation as text, at most 80 characters wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prover_core.cli.tables import columns
from prover_core.evaluation.results import BudgetResult, IterationResult, ProjectResult

__all__ = ["budget_label", "percent", "result_lines", "seconds"]

_FEW_KS = 3
_WIDTH = 80


def result_lines(result: IterationResult) -> Iterator[str]:
    """What a person wants to see first, then what the figures cost, then what to know about them."""
    references = ", ".join(source.reference for source in result.sources)
    theorems = max((budget.planned for budget in result.budgets), default=0)
    attempts = f", {result.attempts} attempts at each" if result.attempts > 1 else ""
    split = f" ({result.split})" if result.split else ""
    yield from wrapped(
        f"{result.label} on {references}{split}: {theorems} theorem{'' if theorems == 1 else 's'}{attempts}"
    )
    if result.toolchain is not None:
        yield f"{result.toolchain.prover} {result.toolchain.version}, search {result.search}"
    yield ""
    yield from columns(
        ("BUDGET", "PROVED", "OF", "RATE", "95 % INTERVAL", "MEDIAN", "TOTAL"),
        [
            (
                budget_label(each),
                each.proved,
                each.evaluated,
                percent(each.rate) if each.evaluated else "-",
                interval(each.rate_low, each.rate_high),
                seconds(each.costs.seconds_median),
                seconds(each.costs.seconds_total),
            )
            for each in result.budgets
        ],
    )
    if result.attempts > 1:
        yield ""
        yield from pass_lines(result.budgets)
    yield ""
    yield from _cost_lines(result.budgets)
    yield from _failure_lines(result.budgets)
    yield ""
    yield from wrapped(_explained(result))
    for each in result.budgets:
        if each.projects:
            yield ""
            of = " (median: of a theorem, its attempts together)" if result.attempts > 1 else ""
            yield f"by project, with {each.budget}{of}:"
            yield from project_lines(each.projects)
    if result.budgets:
        yield from _published_lines(result.budgets[-1].projects)
    for source in result.sources:
        if source.problem:
            first = source.problem.partition("\n")[0]
            what = "broken off" if source.theorems else "left out"
            yield from wrapped(f"{what}: {source.reference}: {first}")
        left_out = {key: value for key, value in source.details.items() if key.startswith("left out")}
        for what, count in left_out.items():
            yield f"{source.reference}: {what}: {count}"
    for note in result.notes:
        yield ""
        yield from wrapped(f"note: {note}")


def pass_lines(budgets: Sequence[BudgetResult]) -> Iterator[str]:
    """pass@k of each budget, a few k a table."""
    ks = [each.k for each in budgets[0].pass_at] if budgets else []
    for start in range(0, len(ks), _FEW_KS):
        some = ks[start : start + _FEW_KS]
        rows = []
        for budget in budgets:
            cells = [
                f"{percent(p.value)} [{100 * p.low:.1f}, {100 * p.high:.1f}]" if p.theorems else "-"
                for p in budget.pass_at
                if p.k in some
            ]
            rows.append((budget.budget, *cells))
        yield from columns(("BUDGET", *(f"PASS@{k} [95 %]" for k in some)), rows)
    for k in ks:
        left_out = {b.budget: p.left_out for b in budgets for p in b.pass_at if p.k == k and p.left_out}
        if left_out:
            counts = ", ".join(f"{count} with {budget}" for budget, count in left_out.items())
            what = f"pass@{k} leaves out theorems with fewer than {k} conclusive attempts: {counts}"
            yield from wrapped(what)


def project_lines(projects: Sequence[ProjectResult]) -> Iterator[str]:
    """A table by project; published figures beside ours, where there are any."""
    with_figures = any(project.published for project in projects)
    rows: list[tuple[object, ...]] = []
    for project in projects:
        row: list[object] = [
            project.project,
            project.theorems,
            f"{project.proved}/{project.evaluated}",
            percent(project.rate) if project.evaluated else "-",
            seconds(project.seconds_median),
            seconds(project.seconds_total),
        ]
        if with_figures:
            figure = project.published
            row += ["", ""] if figure is None else [f"{figure.proved}/{figure.total}", percent(figure.rate)]
        rows.append(tuple(row))
    heads = ["PROJECT", "THEOREMS", "PROVED", "RATE", "MEDIAN", "TOTAL"]
    yield from columns([*heads, "PUBLISHED", "RATE"] if with_figures else heads, rows)
    for project in projects:
        if project.problem and project.theorems:
            yield from wrapped(f"{project.project}: {project.problem}")


def _published_lines(projects: Sequence[ProjectResult]) -> Iterator[str]:
    """What to know about the published figures: which theorems they are of."""
    for project in projects:
        figure = project.published
        if figure is not None and (figure.same_ids != figure.total or figure.note):
            note = f"; {figure.note}" if figure.note else ""
            ours = f" (proved here: {figure.same_proved}/{figure.same_evaluated})" if figure.same_ids else ""
            yield from wrapped(
                f"{project.project}: {figure.same_ids} of its {project.theorems} theorems here{ours} are "
                f"among the {figure.total} of the published figure ({figure.source}){note}"
            )


def budget_label(budget: BudgetResult) -> str:
    """The budget, marked where it was read from the run of a larger one."""
    return f"{budget.budget}*" if budget.derived_from else budget.budget


def percent(rate: float) -> str:
    """``37.7 %``."""
    return f"{100 * rate:.1f} %"


def interval(low: float, high: float) -> str:
    """``29.1 to 47.2 %``."""
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def seconds(value: float | None) -> str:
    """A time, to three digits or so."""
    if value is None:
        return "-"
    if value < 10:
        return f"{value:.2f} s"
    if value < 600:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 36000 else f"{value / 3600:.1f} h"


def wrapped(text: str, width: int = _WIDTH) -> list[str]:
    """Lines of at most ``width`` characters, or as wide as a narrower terminal; later ones are indented."""
    import shutil
    import textwrap

    width = min(width, max(20, shutil.get_terminal_size((width, 24)).columns))
    return textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


def _explained(result: IterationResult) -> str:
    """What the figures are of."""
    proved = "Proved: in any of the attempts. " if result.attempts > 1 else ""
    return (
        f"{proved}Rate: of theorems with a conclusive attempt (Wilson's interval). Median: of an attempt; "
        "total: of all of them, added up over workers. Tries/s: in the prover's time, of one worker."
    )


def _cost_lines(budgets: Sequence[BudgetResult]) -> Iterator[str]:
    rows = []
    counted = any(each.costs.tokens for each in budgets)
    for each in budgets:
        costs = each.costs
        rows.append(
            (
                budget_label(each),
                seconds(costs.seconds_env),
                seconds(costs.seconds_model + costs.seconds_value),
                seconds(costs.seconds_open),
                seconds(costs.seconds_verify),
                costs.tries,
                costs.model_calls,
                *([costs.tokens] if counted else []),
                f"{costs.tries_per_second:g}",
            )
        )
    tokens = ["TOKENS"] if counted else []
    heads = ("TIME IN", "PROVER", "MODEL", "OPENING", "CHECKING", "TRIES", "CALLS", *tokens, "TRIES/S")
    yield from columns(heads, rows)


def _failure_lines(budgets: Sequence[BudgetResult]) -> Iterator[str]:
    kinds = sorted({kind for each in budgets for kind in each.failures})
    if kinds:
        yield ""
        rows = [(kind, *(each.failures.get(kind, 0) for each in budgets)) for kind in kinds]
        yield from columns(("ATTEMPTS THAT ENDED AS", *(each.budget for each in budgets)), rows)
