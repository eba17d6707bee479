"""What the iterations found so far, read from what their stages left: ``iterations.json`` and the table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prover_core.data.dataset import Dataset
from prover_core.errors import DataError
from prover_core.evaluation.comparison import BudgetComparison, Comparison
from prover_core.evaluation.results import RESULT_FILE, IterationResult
from prover_core.iterate.plan import Facts, Kind, Stage, iteration_folder
from prover_core.records import ProofRecord
from prover_core.store import RunStore, summarise

__all__ = ["BudgetLine", "Carried", "IterationLine", "Progress", "facts_before", "read_progress"]

PROGRESS_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class BudgetLine(_Record):
    """An evaluation under one budget."""

    budget: str
    theorems: int
    proved: int
    pass_1: float | None = None
    pass_1_low: float | None = None
    pass_1_high: float | None = None
    difference: float | None = Field(default=None, description="Of the shares proved: less the one before.")
    p: float | None = Field(default=None, description="Of that difference: exact McNemar test.")


class IterationLine(_Record):
    """One iteration, as far as it got."""

    iteration: int
    searched: int = Field(default=0, description="Attempts of its searches that were carried through.")
    proved: int = Field(default=0, description="Of those.")
    inconclusive: int = Field(
        default=0, description="Attempts about which the machinery let us know nothing."
    )
    found_theorems: int = Field(default=0, description="Theorems proved in all searches so far.")
    found_proofs: int = Field(default=0, description="Different proofs of these that training has.")
    value_auc: float | None = Field(default=None, description="Of the value model, theorems held out.")
    guided: bool = Field(default=False, description="Its search had a value model.")
    evaluated: tuple[BudgetLine, ...] = ()
    seconds: float = Field(default=0.0, description="Wall time of its stages.")


class Progress(_Record):
    """All iterations."""

    schema_version: int = PROGRESS_VERSION
    kind: str = "polyprover-iterations"
    iterations: tuple[IterationLine, ...] = ()


@dataclass(slots=True)
class Carried:
    """The stages of an iteration that are done. Other files in its folder are of an earlier plan."""

    stages: list[Stage] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, stage: Stage, seconds: float) -> None:
        """One more; ``seconds`` that it took."""
        self.stages.append(stage)
        self.seconds += seconds

    def of_kind(self, kind: Kind) -> list[Path]:
        """What stages of that kind have left."""
        return [stage.out for stage in self.stages if stage.kind == kind and stage.out.exists()]

    def the(self, kind: Kind) -> Path | None:
        """What the stage of a kind of which there is one at the most has left."""
        return next(iter(self.of_kind(kind)), None)


def facts_before(out: Path, iteration: int) -> Facts:
    """What the plan of an iteration depends on; read from the iteration before.

    :raises DataError: that iteration's proofs cannot be read.
    """
    if iteration == 0:
        return Facts()
    found = iteration_folder(out, iteration - 1) / "found"
    with Dataset.open(found) as dataset:
        return Facts(proofs=dataset.manifest.counts.proofs)


def read_progress(carried: Mapping[int, Carried]) -> Progress:
    """Of the iterations that were carried through."""
    return Progress(iterations=tuple(_line(number, here) for number, here in carried.items()))


def _line(iteration: int, here: Carried) -> IterationLine:
    searched = proved = inconclusive = 0
    for run in here.of_kind("search"):
        with RunStore.open(run) as store:
            told = summarise(store)
        searched += told.conclusive
        proved += told.proved
        inconclusive += told.attempts - told.conclusive
    theorems = proofs = 0
    for found in here.of_kind("harvest"):
        with Dataset.open(found) as dataset:
            proofs = dataset.manifest.counts.proofs
            theorems = len({_theorem(record) for record in dataset.proofs()})
    value, evaluation, compared = (here.the(kind) for kind in ("value", "evaluate", "compare"))
    return IterationLine(
        iteration=iteration, searched=searched, proved=proved, inconclusive=inconclusive,
        found_theorems=theorems, found_proofs=proofs, value_auc=_auc(value), guided=value is not None,
        evaluated=_compared(compared) if evaluation is None else _evaluated(evaluation, compared),
        seconds=round(here.seconds, 1),
    )  # fmt: skip


def _theorem(record: ProofRecord) -> str:
    """Its id; the second and later proofs of a theorem have a number behind it."""
    return re.sub(r"~\d+$", "", record.id)


def _auc(model: Path | None) -> float | None:
    if model is None:
        return None
    try:
        told = json.loads((model / "value.json").read_text(encoding="utf-8"))["held_out"]["auc"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no model yet, or one that says nothing of itself
    return float(told) if isinstance(told, int | float) else None


def _evaluated(folder: Path, compared: Path | None) -> tuple[BudgetLine, ...]:
    result = IterationResult.load(folder / RESULT_FILE)
    deltas = _differences(compared)
    lines = []
    for budget in result.budgets:
        first = next((each for each in budget.pass_at if each.k == 1), None)
        difference, p = deltas.get(budget.budget, (None, None))
        lines.append(
            BudgetLine(
                budget=budget.budget, theorems=budget.evaluated,
                proved=budget.proved,
                pass_1=None if first is None else first.value,
                pass_1_low=None if first is None else first.low,
                pass_1_high=None if first is None else first.high, difference=difference, p=p,
            )
        )  # fmt: skip
    return tuple(lines)


def _compared(path: Path | None) -> tuple[BudgetLine, ...]:
    """Of an iteration whose searches are compared, nothing being held out."""
    return tuple(
        BudgetLine(
            budget=each.budget, theorems=each.theorems, proved=each.sides[-1].proved,
            pass_1=each.sides[-1].pass_1, pass_1_low=each.sides[-1].pass_1_low,
            pass_1_high=each.sides[-1].pass_1_high, difference=each.pairs[0].difference, p=each.pairs[0].p,
        )
        for each in _comparison(path)
        if each.pairs
    )  # fmt: skip


def _differences(path: Path | None) -> dict[str, tuple[float, float]]:
    return {
        each.budget: (each.pairs[0].difference, each.pairs[0].p) for each in _comparison(path) if each.pairs
    }


def _comparison(path: Path | None) -> tuple[BudgetComparison, ...]:
    if path is None:
        return ()
    try:
        comparison = Comparison.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        message = f"{path} is not a comparison, or it is damaged: {error}"
        raise DataError(message) from error
    return comparison.subsets[0].budgets if comparison.subsets else ()
