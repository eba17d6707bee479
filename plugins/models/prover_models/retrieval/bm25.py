"""``bm25``: Okapi's ranking over the symbols of statements, by the library ``bm25s``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from prover_core.contracts import ComponentOptions
from prover_core.records import DeclarationRecord
from prover_core.types import Goal
from prover_models.retrieval.base import ScoringRetriever
from prover_models.retrieval.corpus import declaration_symbols, goal_symbols

__all__ = ["Bm25Options", "Bm25Retriever"]


class Bm25Options(ComponentOptions):
    """What can be set."""

    k1: float = Field(default=1.2, ge=0, description="How much a repeated symbol counts; 0: not at all.")
    b: float = Field(default=0.6, ge=0, le=1, description="How much long statements are held back.")


class Bm25Retriever(ScoringRetriever):
    """BM25 over symbols; no model, no GPU."""

    Options: ClassVar[type[Bm25Options]] = Bm25Options
    name: ClassVar[str] = "bm25"

    def __init__(self, options: Bm25Options | None = None) -> None:
        super().__init__()
        self.options = options if options is not None else Bm25Options()
        self._model: Any = None
        self._vocabulary: dict[str, int] = {}

    def _fit(self, declarations: Sequence[DeclarationRecord]) -> None:
        import bm25s

        texts = [declaration_symbols(declaration) for declaration in declarations]
        vocabulary: dict[str, int] = {}
        ids = [[vocabulary.setdefault(symbol, len(vocabulary)) for symbol in text] for text in texts]
        if not vocabulary:
            return
        model = bm25s.BM25(k1=self.options.k1, b=self.options.b)
        model.index((ids, vocabulary), show_progress=False, create_empty_token=False)
        self._model, self._vocabulary = model, vocabulary

    def _scores(self, goal: Goal) -> NDArray[np.float32]:
        known = [symbol for symbol in goal_symbols(goal) if symbol in self._vocabulary]
        if self._model is None or not known:
            return np.zeros(len(self._corpus or ()), dtype=np.float32)
        return np.asarray(self._model.get_scores(known), dtype=np.float32)
