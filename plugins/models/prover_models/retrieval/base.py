"""What all retrievers have in common: a corpus, scores for a goal, and the best of what is accessible."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from prover_core.contracts import Retriever
from prover_core.errors import ContractError
from prover_core.records import DeclarationRecord
from prover_core.types import Goal, Premise

__all__ = ["ScoringRetriever"]


class ScoringRetriever(Retriever):
    """Scores every declaration of the corpus for a goal; the best accessible ones are the answer."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self._corpus: Sequence[DeclarationRecord] | None = None

    def index(self, declarations: Sequence[DeclarationRecord]) -> None:
        """Take the corpus; called once, before :meth:`retrieve`."""
        self._corpus = declarations
        if declarations:
            self._fit(declarations)

    def retrieve(self, goal: Goal, accessible: Iterable[int] | None, k: int) -> list[Premise]:
        """The best ``k``; only what scores above 0 is ever an answer. Equal scores: the corpus's order.

        :raises ContractError: there is no corpus yet.
        """
        corpus = self._corpus
        if corpus is None:
            message = f"{type(self).__name__}.retrieve was called before index"
            raise ContractError(message)
        if not corpus or k <= 0:
            return []
        scores = self._scores(goal)
        return [
            Premise(corpus[i].name, corpus[i].statement, source=self.name, score=float(scores[i]))
            for i in _best(scores, accessible, k)
        ]

    @abstractmethod
    def _fit(self, declarations: Sequence[DeclarationRecord]) -> None:
        """Index a corpus that is not empty."""

    @abstractmethod
    def _scores(self, goal: Goal) -> NDArray[np.float32]:
        """One number for each declaration; 0 or less: it has nothing to do with the goal."""


def _best(scores: NDArray[np.float32], accessible: Iterable[int] | None, k: int) -> list[int]:
    if accessible is None:
        candidates = np.flatnonzero(scores > 0)
    else:
        given = accessible if isinstance(accessible, np.ndarray) else np.fromiter(accessible, dtype=np.int64)
        candidates = np.unique(given[scores[given] > 0])
    if len(candidates) > k:
        least = np.partition(scores[candidates], -k)[-k]
        candidates = candidates[scores[candidates] >= least]
    order = np.argsort(-scores[candidates], kind="stable")
    return [int(i) for i in candidates[order[:k]]]
