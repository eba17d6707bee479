"""What a reader of the figures must know: of one evaluation, and of several that are compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from prover_core.evaluation.matching import Matching
from prover_core.evaluation.results import NOT_MADE, BudgetResult, IterationResult
from prover_core.store.log import LOG_FILE, read_events

__all__ = ["changes_noted", "comparison_notes", "notes"]

_MOST: Final = 8
"""Most settings that are listed."""
_LONGEST: Final = 40
"""Most characters of one value."""

_SAID_ELSEWHERE: Final = frozenset(
    {
        *("schema_version", "attempts", "seed", "components", "options", "trajectories"),
        *("env", "model", "search"),
        *("only", "skip", "sample", "limit"),  # which theorems: those that not all have are listed
    }
)
"""Settings that decide nothing about a common theorem, or that a comparison shows anyway."""


def notes(budgets: Sequence[BudgetResult], attempts: int, *, missing: int = 0) -> list[str]:
    """Of one evaluation.

    :param missing: theorems that were to be attempted and of which there is no trace.
    """
    said = _derived(budgets)
    unmade = max((each.statuses.get(NOT_MADE, 0) for each in budgets), default=0)
    if missing > 0 or unmade:
        what = f"attempts at {missing} theorems" if missing > 0 else f"{unmade} attempts"
        said.append(f"not complete: {what} have not been made")
    limited = [b for b in budgets if "tokens" in b.limits and b.method == "run" and b.evaluated]
    if any(not b.costs.tokens for b in limited):
        said.append("the model counts no tokens, so a limit on tokens limited nothing")
    conclusive = [t for each in budgets for t in each.theorems if t.n > 1]
    if attempts > 1 and conclusive and all(t.c in (0, t.n) for t in conclusive):
        said.append(
            "all attempts at each theorem ended alike: either the model draws nothing at random, or it is "
            "sure of itself; pass@k says no more than pass@1"
        )
    if excluded := max((each.excluded for each in budgets), default=0):
        said.append(
            f"up to {excluded} attempts say nothing about their theorem, because the machinery broke or the "
            "theorem could not be opened; they are in no rate"
        )
    return said


def changes_noted(folders: Iterable[Path]) -> list[str]:
    """What was not as at the beginning when runs were gone on with, each once."""
    found = {
        str(change)
        for folder in folders
        for event in read_events(folder / LOG_FILE, "resumed")
        for change in event.get("changes") or ()
    }
    return [f"gone on with under other conditions: {change}" for change in sorted(found)]


def comparison_notes(
    results: Sequence[IterationResult], labels: Sequence[str], matching: Matching
) -> list[str]:
    """Of several: where they are not alike, and what each says of itself."""
    said = []
    if len({result.attempts for result in results}) > 1:
        least = min(result.attempts for result in results)
        said.append(
            f"they made different numbers of attempts: only the first {least} of each are compared, and "
            "tries and seconds are left out"
        )
    for what, values in (
        ("searches", [result.search for result in results]),
        ("seeds", [str(result.seed) for result in results]),
    ):
        if len(set(values)) > 1:
            shown = ", ".join(f"{label}: {value}" for label, value in zip(labels, values, strict=True))
            said.append(f"they differ in {what} too ({shown})")
    common = set.intersection(*({each.budget for each in result.budgets} for result in results))
    if any("seconds" in each.limits for each in results[0].budgets if each.budget in common):
        said.append(
            "what a second buys depends on machine, load and workers: budgets in seconds are the same cost "
            "only where these were"
        )
    said += _settings(results, labels)
    for label, problems in zip(labels, matching.unclear, strict=True):
        if problems:
            more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
            said.append(
                f"{label}: several of its theorems could be {', '.join(problems[:3])}{more} of the pairing "
                "table, so none is taken; give their ids in the table"
            )
    for label, result in zip(labels, results, strict=True):
        derived = _derived(result.budgets)  # a star says it
        said += [f"{label}: {note}" for note in result.notes if note not in derived]
    return said


def _derived(budgets: Sequence[BudgetResult]) -> list[str]:
    derived = [each for each in budgets if each.derived_from]
    said = []
    for largest in dict.fromkeys(each.derived_from for each in derived):
        texts = ", ".join(each.budget for each in derived if each.derived_from == largest)
        said.append(
            f"{texts}: read from the searches with {largest}, which a smaller budget only ends earlier; "
            "times are estimates"
        )
    return said


def _settings(results: Sequence[IterationResult], labels: Sequence[str]) -> Iterator[str]:
    """Settings that all of them have, with other values."""
    found = [dict(_flat(result.settings)) for result in results]
    alike = [_components(result) for result in results]
    shown = []
    for key in found[0]:
        kind = key.partition(".")[0]
        if "." in key and any(each.get(kind) != alike[0].get(kind) for each in alike):
            continue  # options of different components: what each of them means is its own
        if all(key in each for each in found) and any(each[key] != found[0][key] for each in found):
            values = (f"{label}: {_short(each[key])}" for label, each in zip(labels, found, strict=True))
            shown.append(f"{key} ({', '.join(values)})")
    if shown:
        more = [f"{len(shown) - _MOST} more"] if len(shown) > _MOST else []
        yield "they differ in settings too: " + ", ".join([*shown[:_MOST], *more])


def _flat(settings: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Key -> value; options of components as KIND.NAME, as --set takes them."""
    yield from ((key, value) for key, value in settings.items() if key not in _SAID_ELSEWHERE)
    options = settings.get("options")
    for kind, values in options.items() if isinstance(options, Mapping) else ():
        if kind != "data" and isinstance(values, Mapping):
            yield from ((f"{kind}.{name}", value) for name, value in values.items())


def _components(result: IterationResult) -> Mapping[str, object]:
    found = result.settings.get("components")
    return found if isinstance(found, Mapping) else {}


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
