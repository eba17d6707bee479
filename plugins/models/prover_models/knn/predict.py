"""Tactics for a goal: those of the nearest steps, fitted to the goal, each as likely as its witnesses say."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from prover_core.types import Goal, Suggestion
from prover_models.knn.features import goal_features
from prover_models.knn.goalview import view_goal
from prover_models.knn.index import Index
from prover_models.knn.neighbours import Neighbour, Neighbourhood
from prover_models.knn.slots import Fitter, Lemma

__all__ = ["Prediction", "predict", "suggestions"]

_SUPPORT: Final = 0.15
"""What a second witness adds to the first, and so on, each less."""
_MOST_WITNESSES: Final = 6


class Prediction(NamedTuple):
    """A tactic, how strongly it is supported (about 0 to 1.5), and the row that supports it most."""

    tactic: str
    support: float
    row: int


def predict(index: Index, near: Neighbourhood, goal: Goal, *, neighbours: int, k: int) -> list[Prediction]:
    """The ``k`` best supported tactics for a goal, best first."""
    fitter = Fitter(view_goal(goal))
    support: dict[str, list[float]] = {}
    row_of: dict[str, int] = {}
    seen: dict[int, float] = {}
    for neighbour in near.nearest(goal_features(goal), neighbours):
        tactic_id = int(index.tactic_of[neighbour.row])
        seen[tactic_id] = seen.get(tactic_id, 0) + 1
        if seen[tactic_id] > _MOST_WITNESSES:
            continue
        recorded = index.tactics[tactic_id]
        names = _lemma_names(index, near, neighbour, recorded.lemmas)
        strength = _strength(neighbour)
        for instance in fitter.instances(recorded, names):
            support.setdefault(instance.tactic, []).append(strength * instance.fit)
            row_of.setdefault(instance.tactic, neighbour.row)
    ranked = sorted(
        (Prediction(tactic, _together(values), row_of[tactic]) for tactic, values in support.items()),
        key=lambda prediction: -prediction.support,
    )
    return ranked[:k]


def suggestions(predictions: list[Prediction]) -> list[Suggestion]:
    """Predictions with log-probabilities: of the chance to be a step of a proof, if the prover accepts it."""
    best = predictions[0].support if predictions else 0.0
    return [
        Suggestion(p.tactic, _logprob(p.support, best, rank), "knn") for rank, p in enumerate(predictions)
    ]


def _logprob(support: float, best: float, rank: int) -> float:
    chance = min(0.95, 0.1 + 0.8 * support) * (support / best if best > 0 else 1.0)
    return math.log(max(1e-4, chance)) - 0.02 * rank


def _strength(neighbour: Neighbour) -> float:
    return math.pow(neighbour.score, 1.5)


def _together(values: list[float]) -> float:
    values.sort(reverse=True)
    return values[0] + sum(_SUPPORT * value / (place + 1) for place, value in enumerate(values[1:8]))


def _lemma_names(
    index: Index, near: Neighbourhood, neighbour: Neighbour, lemmas: tuple[Lemma, ...]
) -> dict[str, list[str]]:
    """Other names for the lemmas of a tactic, where the present theorem may stand in another module.

    Inside the modules that the step was in, short names mean the same. Outside, a lemma is called by its
    modules as well.
    """
    proof = index.proofs[index.proof_of[neighbour.row]]
    if proof.file == near.reach.own_file and proof.modules == near.reach.modules:
        return {}
    others: dict[str, list[str]] = {}
    for lemma in lemmas:
        if lemma.inside != lemma.token and not _inside(lemma, near.reach.modules):
            others[lemma.token] = [lemma.inside]
    return others


def _inside(lemma: Lemma, modules: str) -> bool:
    outer = lemma.inside.removesuffix(lemma.token).rstrip(".")
    return bool(outer) and (modules == outer or modules.startswith(outer + "."))
