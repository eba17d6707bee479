"""Fitting the head of a value model on hidden states: the language model stays as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from prover_models.lm.adapter import vocabulary_hash
from prover_models.lm.head import Floats, Head
from prover_models.lm.hidden import HiddenStates
from prover_models.value.data import NothingToLearnError, TheoremStates
from prover_models.value.fit import Ranking, calibrate, farther_than_any, ranking_by, some_negatives
from prover_models.value.model import Kind

__all__ = ["HeadSettings", "fit_head", "rank_head"]

_RATE: Final = 2e-3


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How a head is fitted."""

    width: int = 64
    """Of its one hidden layer."""
    penalty: float = 0.02
    """Decay of the weights."""
    dropout: float = 0.2
    steps: int = 150
    """Of the optimiser, each over all states."""
    negatives: int = 64
    """Most states off the path taken for one theorem."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    """All states, theorem by theorem."""

    states: Floats
    statements: Floats
    theorem: Any
    """Of each state."""
    positive: Any
    steps: Any


def fit_head(
    kind: Kind,
    theorems: Sequence[TheoremStates],
    hidden: HiddenStates,
    settings: HeadSettings | None = None,
) -> Head:
    """A head fitted to the states of ``theorems``. Deterministic for a seed.

    :raises NothingToLearnError: no theorem has both a state on the path of its proof (besides the root) and
        one off it.
    """
    settings = settings if settings is not None else HeadSettings()
    usable = [theorem for theorem in theorems if theorem.positive and theorem.negative]
    if not usable:
        message = (
            f"nothing to learn from: of {len(theorems)} theorems none has states both on the path of its "
            "proof and off it, besides the statement itself; proofs of several tactics are needed"
        )
        raise NothingToLearnError(message)
    batch = _batch(usable, hidden, settings)
    loaded = hidden.load()
    source = loaded.source
    tensors = _train(kind, batch, settings)
    head = Head(
        kind=kind,
        base=str(Path(source.base).resolve()) if Path(source.base).is_dir() else source.base,
        adapter=source.adapter.resolve() if source.adapter is not None else None,
        vocabulary_hash=vocabulary_hash(loaded.tokenizer),
        template=hidden.template,
        max_tokens=hidden.max_tokens,
        tensors=tensors,
    )
    if kind != "ebm":
        return head
    slope, offset = calibrate(head.raw(batch.states, batch.statements), batch.positive)
    return dataclasses.replace(head, slope=slope, offset=offset)


def rank_head(head: Head, theorems: Sequence[TheoremStates], hidden: HiddenStates) -> Ranking:
    """How well a head ranks the states of theorems that it was not fitted to."""

    def values(states: Sequence[str], statement: str) -> list[float]:
        if not states:
            return []
        told = hidden.statements([statement])
        return head.values(hidden.states(states), np.repeat(told, len(states), axis=0))

    return ranking_by(values, theorems)


def _batch(theorems: Sequence[TheoremStates], hidden: HiddenStates, settings: HeadSettings) -> _Batch:
    draw = np.random.default_rng(settings.seed)
    far = farther_than_any(theorems)
    texts: list[str] = []
    owner: list[int] = []
    positive: list[bool] = []
    steps: list[float] = []
    for at, theorem in enumerate(theorems):
        for state in [*theorem.positive, *some_negatives(theorem, settings.negatives, draw)]:
            texts.append(state)
            owner.append(at)
            positive.append(state in theorem.positive)
            steps.append(theorem.positive.get(state, far))
    told = hidden.statements([theorem.statement for theorem in theorems])
    return _Batch(
        states=hidden.states(texts),
        statements=told[np.asarray(owner)],
        theorem=np.asarray(owner),
        positive=np.asarray(positive),
        steps=np.asarray(steps, dtype=np.float64),
    )


def _train(kind: Kind, batch: _Batch, settings: HeadSettings) -> dict[str, Floats]:
    import torch

    size = batch.states.shape[1]
    tensors: dict[str, Floats] = {}
    for name, array in (("state", batch.states), ("statement", batch.statements)):
        tensors[f"{name}.mean"] = array.mean(axis=0)
        tensors[f"{name}.scale"] = np.maximum(array.std(axis=0), 1e-3)
    s = torch.from_numpy((batch.states - tensors["state.mean"]) / tensors["state.scale"])
    g = torch.from_numpy((batch.statements - tensors["statement.mean"]) / tensors["statement.scale"])
    inputs = torch.cat([s, g, s * g], -1)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        hidden, out = torch.nn.Linear(3 * size, settings.width), torch.nn.Linear(settings.width, 1)
        drop = torch.nn.Dropout(settings.dropout)
        network = torch.nn.Sequential(drop, hidden, torch.nn.GELU(), drop, out)
        bias = 0.0 if kind == "ebm" else float(np.average(np.log1p(batch.steps), weights=_weights(batch)))
        torch.nn.init.constant_(out.bias, bias)
        loss_of = _contrast(batch) if kind == "ebm" else _regression(batch)
        optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=settings.penalty)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
        for _ in range(settings.steps):
            optimiser.zero_grad()
            loss = loss_of(network(inputs)[:, 0])
            loss.backward()
            optimiser.step()
            schedule.step()
    for name, layer in (("hidden", hidden), ("out", out)):
        tensors[f"{name}.weight"] = layer.weight.detach().numpy()
        tensors[f"{name}.bias"] = layer.bias.detach().numpy()
    return tensors


def _contrast(batch: _Batch) -> Any:
    """The chance of taking a state off the path for one on it, averaged over theorems."""
    import torch

    groups = []
    for at in np.unique(batch.theorem):
        mine = batch.theorem == at
        groups.append(
            (
                torch.from_numpy(np.flatnonzero(mine & batch.positive)),
                torch.from_numpy(np.flatnonzero(mine & ~batch.positive)),
            )
        )

    def loss(scores: Any) -> Any:
        each = []
        for good, bad in groups:
            others = torch.logsumexp(scores[bad], 0)
            each.append((torch.logaddexp(scores[good], others) - scores[good]).mean())
        return torch.stack(each).mean()

    return loss


def _regression(batch: _Batch) -> Any:
    """Squared error of log(1 + tactics left); on and off the path weigh the same within a theorem."""
    import torch

    weights, target = torch.from_numpy(_weights(batch)), torch.from_numpy(np.log1p(batch.steps))

    def loss(scores: Any) -> Any:
        return (weights * (scores.double() - target) ** 2).sum() / weights.sum()

    return loss


def _weights(batch: _Batch) -> Any:
    weights = np.zeros(len(batch.steps))
    for at in np.unique(batch.theorem):
        for side in (batch.positive, ~batch.positive):
            chosen = side & (batch.theorem == at)
            weights[chosen] = 1.0 / max(1, chosen.sum())
    return weights
