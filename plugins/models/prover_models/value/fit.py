"""Fitting: contrastive within each theorem for ``ebm``, ridge regression for ``steps-remaining``."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from prover_models.value.data import NothingToLearnError, TheoremStates
from prover_models.value.features import NUMBERS, state_features, statement_features
from prover_models.value.model import Floats, Ids, Kind, Model, places

__all__ = [
    "FitSettings",
    "Ranking",
    "calibrate",
    "farther_than_any",
    "fit",
    "ranking",
    "ranking_by",
    "some_negatives",
]

_OFF_PATH_EXTRA: Final = 2
"""A state off every path counts as so many tactics farther away than the longest path seen."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a value model is fitted."""

    rank: int = 4
    """Of the part between state and statement; 0: none."""
    penalty: float = 0.02
    """Weight of the squares of the weights."""
    negatives: int = 64
    """Most states off the path taken for one theorem."""
    least: int = 2
    """Theorems that a hashed feature must occur in."""
    seed: int = 0


class Ranking(NamedTuple):
    """How well values tell states on the path of a proof from others. 0.5 is chance, 1.0 perfect."""

    auc: float | None
    """Over all pairs of one on a path and one off it."""
    auc_within: float | None
    """Over pairs of the same theorem, each theorem counting alike: what matters to a search."""
    theorems: int
    """With states of both kinds."""
    positive: int
    negative: int


class _Batch(NamedTuple):
    """All states, theorem by theorem, as matrices."""

    numbers: Floats
    hashed: Any
    """Sparse, states x features."""
    statements: Any
    """Sparse, theorems x features."""
    theorem: Ids
    """Of each state."""
    positive: npt.NDArray[np.bool_]
    steps: Floats


def fit(kind: Kind, theorems: Sequence[TheoremStates], settings: FitSettings | None = None) -> Model:
    """A model fitted to the states of ``theorems``. Deterministic for a seed.

    :raises NothingToLearnError: no theorem has both a state on the path of its proof (besides the root) and
        one off it.
    """
    settings = settings if settings is not None else FitSettings()
    usable = [theorem for theorem in theorems if theorem.positive and theorem.negative]
    if not usable:
        message = (
            f"nothing to learn from: of {len(theorems)} theorems none has states both on the path of its "
            "proof and off it, besides the statement itself; proofs of several tactics are needed"
        )
        raise NothingToLearnError(message)
    ids = _known(
        ([*{f for s in _states(t) for f in state_features(s, t.statement).hashed}] for t in usable), settings
    )
    goal_ids = _known((statement_features(theorem.statement) for theorem in usable), settings)
    raw = np.asarray([state_features(s, t.statement).numbers for t in usable for s in _states(t)])
    empty = Model(
        kind=kind,
        mean=raw.mean(axis=0),
        scale=np.maximum(raw.std(axis=0), 1e-3),
        numbers=np.zeros(len(NUMBERS)),
        ids=ids,
        weights=np.zeros(len(ids)),
        state_rank=np.zeros((len(ids), settings.rank)),
        goal_ids=goal_ids,
        goal_rank=np.zeros((len(goal_ids), settings.rank)),
    )
    batch = _batch(usable, empty, settings)
    return _fit_energy(empty, batch, settings) if kind == "ebm" else _fit_steps(empty, batch, settings)


def ranking(model: Model, theorems: Sequence[TheoremStates]) -> Ranking:
    """How well a model ranks the states of theorems that it was not fitted to."""

    def values(states: Sequence[str], statement: str) -> list[float]:
        return [model.value(state, statement) for state in states]

    return ranking_by(values, theorems)


def ranking_by(
    values: Callable[[Sequence[str], str], Sequence[float]], theorems: Sequence[TheoremStates]
) -> Ranking:
    """How well values rank the states of theorems.

    :param values: of states in the proof of a statement.
    """
    high: list[float] = []
    low: list[float] = []
    within: list[float] = []
    for theorem in theorems:
        good = list(values(list(theorem.positive), theorem.statement))
        bad = list(values(list(theorem.negative), theorem.statement))
        high += good
        low += bad
        if good and bad:
            within.append(_auc(good, bad))
    return Ranking(
        auc=_auc(high, low) if high and low else None,
        auc_within=float(np.mean(within)) if within else None,
        theorems=len(within),
        positive=len(high),
        negative=len(low),
    )


def _auc(high: Sequence[float], low: Sequence[float]) -> float:
    """The share of pairs in the right order; ties count half."""
    ordered = np.sort(np.asarray(low))
    values = np.asarray(high)
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    return float((below + not_above).sum() / 2 / (len(high) * len(low)))


def _states(theorem: TheoremStates) -> list[str]:
    return [*theorem.positive, *theorem.negative]


def _known(groups: Any, settings: FitSettings) -> Ids:
    counts = Counter(itertools.chain.from_iterable(groups))
    return np.asarray(sorted(f for f, n in counts.items() if n >= settings.least), dtype=np.int64)


def farther_than_any(theorems: Sequence[TheoremStates]) -> int:
    """Tactics that count as left in a state off every path."""
    return max(max(theorem.positive.values()) for theorem in theorems) + _OFF_PATH_EXTRA


def some_negatives(theorem: TheoremStates, most: int, draw: np.random.Generator) -> list[str]:
    """At most so many states off the path, drawn at random."""
    negative = list(theorem.negative)
    if len(negative) <= most:
        return negative
    chosen = draw.choice(len(negative), most, replace=False)
    return [negative[place] for place in sorted(chosen)]


def _batch(theorems: Sequence[TheoremStates], model: Model, settings: FitSettings) -> _Batch:
    draw = np.random.default_rng(settings.seed)
    numbers, hashed, owner, positive, steps = [], [], [], [], []
    farthest = farther_than_any(theorems)
    for at, theorem in enumerate(theorems):
        for state in [*theorem.positive, *some_negatives(theorem, settings.negatives, draw)]:
            features = state_features(state, theorem.statement)
            numbers.append(features.numbers)
            hashed.append(features.hashed)
            owner.append(at)
            positive.append(state in theorem.positive)
            steps.append(theorem.positive.get(state, farthest))
    return _Batch(
        numbers=(np.asarray(numbers) - model.mean) / model.scale,
        hashed=_sparse(hashed, model.ids),
        statements=_sparse([statement_features(theorem.statement) for theorem in theorems], model.goal_ids),
        theorem=np.asarray(owner, dtype=np.int64),
        positive=np.asarray(positive, dtype=bool),
        steps=np.asarray(steps, dtype=np.float64),
    )


def _sparse(rows: Sequence[Sequence[int]], known: Ids) -> Any:
    """One row for each, of norm at most 1, with the known features."""
    from scipy import sparse

    found = [places(known, row) for row in rows]
    counts = [len(row) for row in found]
    values = np.concatenate(
        [np.full(n, 1.0 / np.sqrt(max(1, len(row)))) for n, row in zip(counts, rows, strict=True)]
        or [np.empty(0)]
    )
    columns = np.concatenate(found) if found else np.empty(0, dtype=np.int64)
    return sparse.csr_matrix((values, columns, np.cumsum([0, *counts])), shape=(len(rows), len(known)))


class _Packed(NamedTuple):
    """The weights of an energy model in one vector, for the optimiser."""

    numbers: Floats
    weights: Floats
    state_rank: Floats
    goal_rank: Floats


def _unpack(vector: Floats, model: Model) -> _Packed:
    rank = model.state_rank.shape[1]
    ends = np.cumsum([len(NUMBERS), len(model.ids), len(model.ids) * rank])
    a, b, c, d = np.split(vector, ends)
    return _Packed(a, b, c.reshape(len(model.ids), rank), d.reshape(len(model.goal_ids), rank))


def _fit_energy(model: Model, batch: _Batch, settings: FitSettings) -> Model:
    """Minimise, over pairs of a state on the path and all those off it, the chance of taking another."""
    from scipy.optimize import minimize

    draw = np.random.default_rng(settings.seed)
    size = len(NUMBERS) + len(model.ids) * (1 + settings.rank) + len(model.goal_ids) * settings.rank
    start = np.zeros(size)
    start[len(NUMBERS) + len(model.ids) :] = 0.1 * draw.standard_normal(size - len(NUMBERS) - len(model.ids))
    groups = [np.flatnonzero(batch.theorem == at) for at in range(batch.statements.shape[0])]

    def loss(vector: Floats) -> tuple[float, Floats]:
        weights = _unpack(vector, model)
        left, goals = batch.hashed @ weights.state_rank, batch.statements @ weights.goal_rank
        scores = batch.numbers @ weights.numbers + batch.hashed @ weights.weights
        scores = scores + (left * goals[batch.theorem]).sum(axis=1)
        value, slope = _contrast(scores, groups, batch.positive)
        own = goals[batch.theorem] * slope[:, None]
        of_goals = np.zeros_like(goals)
        np.add.at(of_goals, batch.theorem, left * slope[:, None])
        gradient = np.concatenate(
            [
                batch.numbers.T @ slope,
                batch.hashed.T @ slope,
                (batch.hashed.T @ own).ravel(),
                (batch.statements.T @ of_goals).ravel(),
            ]
        )
        return value + settings.penalty / 2 * float(vector @ vector), gradient + settings.penalty * vector

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    weights = _unpack(np.asarray(found.x), model)
    fitted = _with(model, weights, 0.0)
    scores = batch.numbers @ weights.numbers + batch.hashed @ weights.weights
    scores = scores + (
        (batch.hashed @ weights.state_rank) * (batch.statements @ weights.goal_rank)[batch.theorem]
    ).sum(axis=1)
    slope, offset = calibrate(scores, batch.positive)
    return _with(fitted, weights, 0.0, slope, offset)


def _contrast(scores: Floats, groups: Sequence[Ids], positive: npt.NDArray[np.bool_]) -> tuple[float, Floats]:
    """The loss, averaged over theorems, and its slope by each score."""
    total, slope = 0.0, np.zeros_like(scores)
    for group in groups:
        good, bad = group[positive[group]], group[~positive[group]]
        for one in good:
            among = np.concatenate([[one], bad])
            shifted = scores[among] - scores[among].max()
            chances = np.exp(shifted) / np.exp(shifted).sum()
            share = 1.0 / (len(good) * len(groups))
            total -= share * float(np.log(max(chances[0], 1e-300)))
            slope[among] += share * chances
            slope[one] -= share
    return total, slope


def calibrate(scores: Floats, positive: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope (not negative) and offset of the logistic curve that fits the states best."""
    from scipy.optimize import minimize

    def loss(line: Floats) -> float:
        at = np.exp(line[0]) * scores + line[1]
        return float(np.logaddexp(0.0, np.where(positive, -at, at)).mean()) + 0.01 * float(line @ line)

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"maxiter": 400})
    return float(np.exp(found.x[0])), float(found.x[1])


def _fit_steps(model: Model, batch: _Batch, settings: FitSettings) -> Model:
    """Ridge regression of log(1 + tactics left); on and off the path weigh the same within a theorem."""
    from scipy import sparse
    from scipy.sparse.linalg import lsqr

    weight = np.zeros(len(batch.steps))
    for at in range(batch.statements.shape[0]):
        for side in (batch.positive, ~batch.positive):
            chosen = side & (batch.theorem == at)
            weight[chosen] = 1.0 / max(1, chosen.sum())
    root = np.sqrt(weight)
    target = np.log1p(batch.steps)
    bias = float(np.average(target, weights=weight))
    matrix = sparse.hstack([sparse.csr_matrix(batch.numbers), batch.hashed]).tocsr()
    penalty = np.sqrt(settings.penalty * weight.sum())
    found = lsqr(sparse.diags(root) @ matrix, root * (target - bias), damp=penalty, iter_lim=500)[0]
    none = _Packed(
        found[: len(NUMBERS)],
        found[len(NUMBERS) :],
        np.zeros((len(model.ids), 0)),
        np.zeros((len(model.goal_ids), 0)),
    )
    return _with(model, none, bias)


def _with(model: Model, weights: _Packed, bias: float, slope: float = 1.0, offset: float = 0.0) -> Model:
    return Model(
        kind=model.kind,
        mean=model.mean,
        scale=model.scale,
        numbers=weights.numbers,
        ids=model.ids,
        weights=weights.weights,
        state_rank=weights.state_rank,
        goal_ids=model.goal_ids,
        goal_rank=weights.goal_rank,
        bias=bias,
        slope=slope,
        offset=offset,
    )
