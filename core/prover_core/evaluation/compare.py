"""Paired comparison of evaluations: the same theorems, the same budgets, nothing else.

What not all of them have is left out and listed. Two that are compared on the theorems of both differ in
the theorems that only one of them proved, so these decide: exact McNemar for whether they could be chance,
a paired bootstrap for how large the difference is, Holm where several are tested at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from prover_core.errors import DataError
from prover_core.evaluation.comparison import (
    BudgetComparison,
    ComparedInput,
    Comparison,
    LeftOut,
    PairComparison,
    SideResult,
    Subset,
)
from prover_core.evaluation.matching import Matched, Matching, match, of_budget, subsets
from prover_core.evaluation.pairing import Equivalence, PairingTable
from prover_core.evaluation.reservations import comparison_notes
from prover_core.evaluation.results import RESULT_FILE, BudgetResult, IterationResult, TheoremResult
from prover_core.evaluation.statistics import (
    holm,
    mcnemar_exact,
    mean_interval,
    paired_interval,
    pass_at_k,
    wilson_interval,
)
from prover_core.store.records import writable_text

__all__ = ["compare_results"]


def compare_results(
    results: Sequence[IterationResult],
    paths: Sequence[Path],
    *,
    pairs: PairingTable | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare evaluations, two or more.

    :param paths: where each was read from, for its name.
    :param pairs: which theorems of different provers are one problem.
    :param seed: of the bootstrap.
    :raises DataError: they have no budget in common, or no theorem.
    """
    if len(results) < 2:
        msg = "a comparison needs two evaluations or more"
        raise DataError(msg)
    labels = _labels(results, paths)
    budgets = _common_budgets(results, labels)
    left_out = [LeftOut(label=label) for label in labels]
    for index, result in enumerate(results):
        mine = [each.budget for each in result.budgets if each.budget not in budgets]
        left_out[index] = left_out[index].model_copy(update={"budgets": tuple(mine)})
    matched = {budget: match(results, budget, pairs) for budget in budgets}
    first = matched[budgets[0]]
    _need_theorems(first, results, labels, pairs)
    left_out = [
        each.model_copy(update={"theorems": first.missing[i], "other_statement": first.changed[i]})
        for i, each in enumerate(left_out)
    ]
    rows = {budget: matching.rows for budget, matching in matched.items()}
    found = [
        _subset(name, description, flags, results, rows, labels, seed)
        for name, description, flags in subsets(first)
    ]
    return Comparison(
        inputs=tuple(
            ComparedInput(
                label=label,
                path=writable_text(str(path)),
                env=result.env,
                prover=result.prover,
                version=result.toolchain.version if result.toolchain else "",
                model=result.model,
                search=result.search,
                created=result.created,
                attempts=result.attempts,
                theorems=max(each.planned for each in result.budgets),
                budgets=tuple(each.budget for each in result.budgets),
            )
            for label, path, result in zip(labels, paths, results, strict=True)
        ),
        pairs=pairs.name if pairs is not None else "",
        equivalence={flag.value: count for flag, count in first.equivalence().items()},
        budgets=tuple(budgets),
        left_out=tuple(left_out),
        subsets=tuple(found),
        notes=tuple(comparison_notes(results, labels, first)),
    )


def _common_budgets(results: Sequence[IterationResult], labels: Sequence[str]) -> list[str]:
    found = [b.budget for b in results[0].budgets if all(r.budget(b.budget) is not None for r in results)]
    if not found:
        theirs = "\n".join(
            f"  {label}: {', '.join(each.budget for each in result.budgets) or 'none'}"
            for label, result in zip(labels, results, strict=True)
        )
        msg = (
            f"they have no budget in common, so there is nothing to compare:\n{theirs}\n"
            "Evaluate one of them with the budgets of the other."
        )
        raise DataError(msg)
    return found


def _need_theorems(
    matched: Matching,
    results: Sequence[IterationResult],
    labels: Sequence[str],
    pairs: PairingTable | None,
) -> None:
    if matched.rows:
        return
    counts = ", ".join(
        f"{label} {max(each.planned for each in result.budgets)}"
        for label, result in zip(labels, results, strict=True)
    )
    msg = f"they have no theorem in common (theorems: {counts})"
    if empty := [label for label, each in zip(labels, results, strict=True) if not _any_theorem(each)]:
        msg += f": there is none in {' and '.join(empty)}"
    elif pairs is not None:
        msg += f", not even by the pairing table {pairs.name}: does it hold their theorems?"
    elif len({result.prover for result in results}) > 1:
        msg += "; they are of different provers: say which theorems are one problem, with --pairs"
    else:
        msg += ": ids or statements differ in all of them"
    raise DataError(msg)


def _any_theorem(result: IterationResult) -> bool:
    return any(budget.theorems for budget in result.budgets)


def _subset(
    name: str,
    description: str,
    flags: frozenset[Equivalence] | None,
    results: Sequence[IterationResult],
    matched: Mapping[str, Sequence[Matched]],
    labels: Sequence[str],
    seed: int,
) -> Subset:
    comparisons = []
    for budget, rows in matched.items():
        kept = [row for row in rows if flags is None or row.equivalence in flags]
        comparisons.append(_compare_budget(budget, kept, results, labels, seed))
    tests = [pair.p for each in comparisons for pair in each.pairs]
    adjusted = iter(holm(tests))
    comparisons = [
        each.model_copy(
            update={"pairs": tuple(pair.model_copy(update={"p_holm": next(adjusted)}) for pair in each.pairs)}
        )
        for each in comparisons
    ]
    return Subset(name=name, description=description, tests=len(tests), budgets=tuple(comparisons))


def _compare_budget(
    budget: str,
    rows: Sequence[Matched],
    results: Sequence[IterationResult],
    labels: Sequence[str],
    seed: int,
) -> BudgetComparison:
    attempts = min(of_budget(result, budget).attempts for result in results)
    known: list[Matched] = []
    inconclusive: list[str] = []
    for row in rows:
        if all(theorem.first(attempts)[0] > 0 for theorem in row.theorems):
            known.append(row)
        else:
            inconclusive.append(row.key)
    counts = [[row.theorems[i].first(attempts) for row in known] for i in range(len(results))]
    solved = [np.array([c > 0 for _, c in side], dtype=bool) for side in counts]
    pass_1 = [
        pass_at_k([n for n, _ in side], [c for _, c in side], 1) if side else np.empty(0) for side in counts
    ]
    # times of what all of them proved; a cut to fewer attempts may have left the best proof out
    whole = all(of_budget(result, budget).attempts == attempts for result in results)
    easy = [row for row, *proved in zip(known, *solved, strict=True) if all(proved)] if whole else []
    keys = [row.key for row in known]
    pairs = [
        _pair(labels[a], labels[b], (solved[a], solved[b]), (pass_1[a], pass_1[b]), keys, attempts, seed)
        for a, b in itertools.combinations(range(len(results)), 2)
    ]
    sides = [
        _side(
            of_budget(result, budget),
            label,
            solved[i],
            pass_1[i],
            [row.theorems[i] for row in easy],
            seed,
        )
        for i, (result, label) in enumerate(zip(results, labels, strict=True))
    ]
    return BudgetComparison(
        budget=budget,
        attempts=attempts,
        theorems=len(known),
        inconclusive=tuple(inconclusive),
        uneven=sum(len({n for n, _ in row}) > 1 for row in zip(*counts, strict=True)),
        sides=tuple(sides),
        pairs=tuple(pairs),
    )


def _side(
    result: BudgetResult,
    label: str,
    solved: np.typing.NDArray[np.bool_],
    pass_1: np.typing.NDArray[np.float64],
    theorems: Sequence[TheoremResult],
    seed: int,
) -> SideResult:
    proved, total = int(solved.sum()), int(solved.size)
    low, high = wilson_interval(proved, total)
    interval = mean_interval(pass_1, seed=seed)
    best = [theorem.best for theorem in theorems if theorem.best is not None]
    return SideResult(
        label=label,
        proved=proved,
        rate=proved / total if total else 0.0,
        rate_low=low,
        rate_high=high,
        pass_1=float(np.sort(pass_1).mean()) if total else 0.0,
        pass_1_low=interval.low,
        pass_1_high=interval.high,
        seconds_median_proved=_median([each.seconds_total for each in best]),
        tries_median_proved=_median([each.tries for each in best]),
        derived_from=result.derived_from,
        costs=result.costs,
    )


def _pair(
    first: str,
    second: str,
    solved: tuple[np.typing.NDArray[np.bool_], np.typing.NDArray[np.bool_]],
    pass_1: tuple[np.typing.NDArray[np.float64], np.typing.NDArray[np.float64]],
    keys: Sequence[str],
    attempts: int,
    seed: int,
) -> PairComparison:
    a, b = solved
    only_a = tuple(key for key, here, there in zip(keys, a, b, strict=True) if here and not there)
    only_b = tuple(key for key, here, there in zip(keys, a, b, strict=True) if there and not here)
    p = mcnemar_exact(len(only_a), len(only_b))
    if not keys:
        return PairComparison(first=first, second=second, p=p, p_holm=p)
    interval = paired_interval(a.astype(np.float64), b.astype(np.float64), seed=seed)
    one = paired_interval(pass_1[0], pass_1[1], seed=seed) if attempts > 1 else interval
    return PairComparison(
        first=first,
        second=second,
        both=int((a & b).sum()),
        neither=int((~a & ~b).sum()),
        only_first=len(only_a),
        only_second=len(only_b),
        only_first_ids=only_a,
        only_second_ids=only_b,
        p=p,
        p_holm=p,
        difference=(len(only_b) - len(only_a)) / len(keys),
        difference_low=interval.low,
        difference_high=interval.high,
        method=interval.method,
        pass_1_difference=float(np.sort(pass_1[1]).mean() - np.sort(pass_1[0]).mean()),
        pass_1_low=one.low,
        pass_1_high=one.high,
    )


def _median(values: Sequence[float]) -> float | None:
    return round(float(np.median(values)), 4) if values else None


def _labels(results: Sequence[IterationResult], paths: Sequence[Path]) -> list[str]:
    """What each is called: as it calls itself, as its folder is called where that is not enough."""
    own = [result.label for result in results]
    labels = list(own)
    for index, path in enumerate(paths):
        if own.count(own[index]) > 1:
            folder = path.absolute().parent if path.name == RESULT_FILE else path.absolute()
            labels[index] = writable_text(folder.name) or own[index]
    return [
        label if labels.count(label) == 1 else f"{label} #{labels[: index + 1].count(label)}"
        for index, label in enumerate(labels)
    ]
