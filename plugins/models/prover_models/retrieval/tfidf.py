"""``tfidf``: nearest neighbours by cosine over the symbols of statements, rare symbols counting more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from prover_core.contracts import ComponentOptions
from prover_core.records import DeclarationRecord
from prover_core.types import Goal
from prover_models.retrieval.base import ScoringRetriever
from prover_models.retrieval.corpus import declaration_symbols, goal_symbols

__all__ = ["TfidfOptions", "TfidfRetriever"]


class TfidfOptions(ComponentOptions):
    """Nothing can be set."""


class TfidfRetriever(ScoringRetriever):
    """Cosine of TF-IDF vectors, in a sparse matrix."""

    Options: ClassVar[type[TfidfOptions]] = TfidfOptions
    name: ClassVar[str] = "tfidf"

    def __init__(self, options: TfidfOptions | None = None) -> None:
        super().__init__()
        self.options = options if options is not None else TfidfOptions()
        self._vocabulary: dict[str, int] = {}
        self._idf: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._by_symbol: Any = None

    def _fit(self, declarations: Sequence[DeclarationRecord]) -> None:
        from scipy.sparse import csr_array, diags_array

        columns: list[int] = []
        values: list[float] = []
        ends = [0]
        for declaration in declarations:
            counts = Counter(declaration_symbols(declaration))
            columns += [self._vocabulary.setdefault(symbol, len(self._vocabulary)) for symbol in counts]
            values += [1.0 + float(np.log(count)) for count in counts.values()]
            ends.append(len(columns))
        shape = (len(declarations), max(1, len(self._vocabulary)))
        matrix = csr_array((np.array(values, dtype=np.float32), columns, ends), shape=shape)
        frequency = np.bincount(matrix.indices, minlength=shape[1])
        self._idf = np.log((1 + shape[0]) / (1 + frequency)).astype(np.float32)
        weighted = matrix @ diags_array(self._idf)
        norms = np.sqrt(weighted.power(2).sum(axis=1))
        norms[norms == 0] = 1
        self._by_symbol = (diags_array(1 / norms) @ weighted).T.tocsr().astype(np.float32)

    def _scores(self, goal: Goal) -> NDArray[np.float32]:
        counts = Counter(symbol for symbol in goal_symbols(goal) if symbol in self._vocabulary)
        if not counts:
            return np.zeros(len(self._corpus or ()), dtype=np.float32)
        columns = np.array([self._vocabulary[symbol] for symbol in counts])
        weights = (1 + np.log(list(counts.values()))).astype(np.float32) * self._idf[columns]
        norm = float(np.linalg.norm(weights)) or 1.0
        return np.asarray((weights / norm) @ self._by_symbol[columns], dtype=np.float32)
