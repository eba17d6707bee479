"""The nearest of the steps that a theorem may learn from.

Similarity is the weighted cosine of feature sets; weights are squared inverse document frequencies, counted
over the allowed rows alone. Candidates are found by the rarer features through an inverted index, and
ranked by all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prover_models.knn.access import Reach
from prover_models.knn.features import FEATURES, HALF
from prover_models.knn.index import Index

__all__ = ["Neighbour", "Neighbourhood", "Weights"]

_COMMON: Final = 0.04
"""Features of a larger share of all rows do not find candidates; they rank them only."""
_LEAST_IDF: Final = 0.25
"""So that what all of a few states have in common still counts for something."""
_CANDIDATES: Final = 4
"""Candidates ranked for each neighbour wanted."""


class Weights(NamedTuple):
    """How much things count; set by measurement (see ``benchmarks/coq_knn.py --ranks``)."""

    hypotheses: float = 0.4
    """Of a feature of the hypotheses, against one of the conclusion."""
    same_file: float = 0.25
    same_section: float = 0.1
    near: float = 0.15
    """For the last proof before the theorem; falls with distance, in proofs."""
    same_project: float = 0.05


class Neighbour(NamedTuple):
    """A step, and how much it has to say."""

    row: int
    similarity: float
    """From 0 to 1."""
    score: float
    """Similarity with locality."""


class Neighbourhood:
    """The steps that one theorem may learn from, ready for questions. For one thread at a time."""

    def __init__(self, index: Index, reach: Reach, weights: Weights | None = None) -> None:
        self._index = index
        self.reach = reach
        weights = weights or Weights()
        rows = max(1, int(reach.allowed.sum()))
        frequency = _frequencies(index.matrix, reach.allowed)
        idf = (np.log((1 + rows) / (1 + frequency)) + _LEAST_IDF).astype(np.float32)
        idf[HALF:] *= weights.hypotheses
        self._weights: NDArray[np.float32] = idf * idf
        self._common = frequency > max(50.0, _COMMON * rows)
        norms = np.sqrt(index.matrix @ self._weights)
        self._scale = np.where(reach.allowed & (norms > 0), 1 / np.maximum(norms, 1e-6), 0).astype(np.float32)
        self._boost = _boost(index, reach, weights)
        self._factor = self._scale * self._boost
        self._query = np.zeros(FEATURES, dtype=np.float32)

    def nearest(self, features: Sequence[int], k: int) -> list[Neighbour]:
        """The ``k`` nearest steps, nearest first; of equally near ones the latest."""
        query = np.array(features, dtype=np.int64)
        weights = self._weights[query]
        norm = float(np.sqrt(weights.sum()))
        if norm <= 0:
            return []
        found = self._candidates(query, weights, _CANDIDATES * k)
        if not len(found):
            return []
        self._query[query] = weights
        similarity = (self._index.matrix[found] @ self._query) * self._scale[found] / norm
        self._query[query] = 0
        score = similarity * self._boost[found]
        order = np.lexsort((-found, -score))[:k]
        return [
            Neighbour(int(found[at]), min(1.0, float(similarity[at])), float(score[at]))
            for at in order
            if similarity[at] > 0
        ]

    def _candidates(
        self, query: NDArray[np.int64], weights: NDArray[np.float32], wanted: int
    ) -> NDArray[np.int64]:
        by_feature = self._index.by_feature
        ends, rows = by_feature.indptr, by_feature.indices
        rare = ~self._common[query]
        if not rare.any():
            rare[:] = True
        scores = np.zeros(self._index.rows, dtype=np.float32)
        for feature, weight in zip(query[rare].tolist(), weights[rare].tolist(), strict=True):
            scores[rows[ends[feature] : ends[feature + 1]]] += weight
        touched = np.flatnonzero(scores)
        found = scores[touched] * self._factor[touched]
        touched, found = touched[found > 0], found[found > 0]
        if len(touched) > wanted:
            least = np.partition(found, -wanted)[-wanted]
            touched = touched[found >= least]
        return touched


def _frequencies(matrix: Any, allowed: NDArray[np.bool_]) -> NDArray[np.float32]:
    """In how many allowed rows each feature occurs."""
    return np.asarray(allowed.astype(np.float32) @ matrix, dtype=np.float32)


def _boost(index: Index, reach: Reach, weights: Weights) -> NDArray[np.float32]:
    """What locality multiplies similarity with, for each row."""
    of_proof = np.ones(len(index.proofs), dtype=np.float32)
    before = [at for at, p in enumerate(index.proofs) if p.file == reach.own_file and p.end <= reach.position]
    before.sort(key=lambda at: -index.proofs[at].start)
    for distance, at in enumerate(before):
        proof = index.proofs[at]
        of_proof[at] += weights.same_file + weights.near / (1 + distance / 4)
        if proof.sections == reach.sections and proof.modules == reach.modules:
            of_proof[at] += weights.same_section
    if reach.project:
        same = [part.project == reach.project for part in index.files]
        of_proof += weights.same_project * np.array([same[p.file] for p in index.proofs], dtype=np.float32)
    return of_proof[index.proof_of] if len(index.proofs) else np.ones(0, dtype=np.float32)
