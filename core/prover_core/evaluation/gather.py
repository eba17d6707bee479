"""From run directories to the result: what is read of them, and what a reader of the figures must know."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prover_core.errors import DataError, RunStoreError
from prover_core.evaluation.budgets import EvaluationBudget, PlannedRun, parse_budgets
from prover_core.evaluation.derive import under
from prover_core.evaluation.plan import MAY_CHANGE, EvaluationPlan
from prover_core.evaluation.published import read_published, with_published
from prover_core.evaluation.reservations import changes_noted, notes
from prover_core.evaluation.results import (
    RESULT_FILE,
    BudgetResult,
    IterationResult,
    ProjectResult,
    SourceResult,
)
from prover_core.evaluation.tally import Tally
from prover_core.store import RunStore
from prover_core.types import Theorem

__all__ = ["RunOfSource", "gather", "load_result", "result_of_run"]


@dataclass(frozen=True, slots=True)
class RunOfSource:
    """One run directory, and what was to be attempted in it."""

    folder: Path
    run: PlannedRun
    theorems: Sequence[Theorem]
    project: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    """Other ids for those of its theorems whose own another source uses too."""


def gather(
    plan: EvaluationPlan,
    runs: Sequence[RunOfSource],
    sources: tuple[SourceResult, ...],
    folder: Path,
    prover: str,
) -> IterationResult:
    """The result of an evaluation whose runs are done.

    :raises RunStoreError: a run directory cannot be read.
    :raises DataError: the published figures cannot be read.
    """
    config = plan.configs[0]
    tallies = {each.text: Tally(each, attempts=plan.attempts) for each in plan.parsed_budgets}
    derived_from: dict[str, str] = {}
    for each in runs:
        for budget in (each.run.budget, *each.run.derived):
            tally = tallies[budget.text]
            tally.plan(each.theorems, project=each.project, ids=each.ids)
            tally.run_dirs.append(os.path.relpath(each.folder, folder.absolute()))
            if budget is not each.run.budget:
                derived_from[budget.text] = each.run.budget.text
        with RunStore.open(each.folder) as store:
            for record in store.records():
                for budget in (each.run.budget, *each.run.derived):
                    view = under(record, budget, each.run.budget)
                    tallies[budget.text].add(view, project=each.project, ids=each.ids)
    seed = int(config.get("seed") or 0)
    budgets = [
        tally.result(plan.ks, seed=seed, derived_from=derived_from.get(text, ""), by_project=plan.by_project)
        for text, tally in tallies.items()
    ]
    if plan.by_project:
        budgets = [_with_unusable(each, sources) for each in budgets]
    if plan.published:
        figures = read_published(Path(plan.published))
        budgets = [with_published(each, figures) for each in budgets]
    with RunStore.open(runs[0].folder) as store:
        provenance = store.provenance
    return IterationResult(
        name=plan.name,
        iteration=plan.iteration,
        env=str(config.get("env", "")),
        prover=prover,
        model=str(config.get("model", "")),
        search=str(config.get("search", "")),
        value=str(config.get("value") or ""),
        split=plan.split,
        seed=seed,
        attempts=plan.attempts,
        toolchain=provenance.toolchain,
        sources=sources,
        settings=_settings(config),
        run_dirs=tuple(dict.fromkeys(d for each in budgets for d in each.run_dirs)),
        notes=(*notes(budgets, plan.attempts), *changes_noted(each.folder for each in runs)),
        budgets=tuple(budgets),
    )


def _with_unusable(budget: BudgetResult, sources: Sequence[SourceResult]) -> BudgetResult:
    """With a line for each source that could not be used: it is a project of which nothing is known."""
    more = tuple(
        ProjectResult(
            project=source.reference,
            theorems=0,
            evaluated=0,
            proved=0,
            rate=0.0,
            rate_low=0.0,
            rate_high=1.0,
            problem=source.problem,
        )
        for source in sources
        if source.problem and not source.theorems
    )
    return budget.model_copy(update={"projects": budget.projects + more})


def result_of_run(folder: Path) -> IterationResult:
    """A run directory of ``prover run``, as the result of an evaluation with one budget.

    :raises RunStoreError: there is no run, or it cannot be read.
    :raises DataError: its settings are damaged.
    """
    with RunStore.open(folder) as store:
        config, provenance = store.config, store.provenance
        attempts = config.get("attempts")
        attempts = attempts if isinstance(attempts, int) and attempts > 0 else 1
        budget = _budget_of(config, folder)
        tally = Tally(budget, attempts=attempts)
        tally.run_dirs.append(".")
        for record in store.records():
            tally.add(under(record, budget, budget))
    seed = provenance.seed
    result = tally.result(tuple(2**i for i in range(attempts.bit_length())), seed=seed)
    return IterationResult(
        env=str(config.get("env", "")),
        prover=provenance.toolchain.prover if provenance.toolchain else "",
        model=str(config.get("model", "")),
        search=str(config.get("search", "")),
        value=str(config.get("value") or ""),
        seed=seed,
        attempts=attempts,
        created=provenance.created_at,
        toolchain=provenance.toolchain,
        sources=(
            SourceResult(
                reference=str(config.get("data", "")),
                theorems=provenance.theorems,
                data_hash=provenance.data_hash,
            ),
        ),
        settings=_settings(config),
        run_dirs=(".",),
        notes=(
            *notes([result], attempts, missing=provenance.theorems - result.planned),
            *changes_noted([folder]),
        ),
        budgets=(result,),
    )


def load_result(path: Path) -> IterationResult:
    """What ``prover compare`` and ``prover report`` take: a result file, its directory, or a run directory.

    :raises DataError: it is none of these, or is damaged.
    :raises RunStoreError: the run cannot be read.
    """
    if path.is_dir() and not (path / RESULT_FILE).is_file():
        if (path / "plan.json").is_file():
            msg = f"the evaluation in {path} has not ended; go on with it: prover eval --out {path} --resume"
            raise DataError(msg)
        try:
            return result_of_run(path)
        except RunStoreError as error:
            if (path / "provenance.json").is_file():
                raise
            msg = f"{path} holds neither an evaluation nor a run; name what `prover eval --out` made"
            raise DataError(msg) from error
    return IterationResult.load(path)


def _budget_of(config: Mapping[str, object], folder: Path) -> EvaluationBudget:
    text = config.get("budget")
    if not isinstance(text, str) or not text:
        msg = f"{folder}/config.yaml names no budget; it was changed or damaged"
        raise DataError(msg)
    return parse_budgets(text.replace(",", "+"))[0]


def _settings(config: Mapping[str, object]) -> dict[str, object]:
    left_out = {"origins", "out", "cwd", "data", "budget", *MAY_CHANGE}
    return {key: value for key, value in config.items() if key not in left_out}
