"""``dense``: cosine of embeddings, by a model in the layout of sentence-transformers or any function."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from prover_core.contracts import ComponentOptions
from prover_core.errors import ConfigError, ToolMissingError
from prover_core.records import DeclarationRecord
from prover_core.types import Goal
from prover_models.retrieval.base import ScoringRetriever
from prover_models.retrieval.corpus import goal_text, premise_text

__all__ = ["DenseOptions", "DenseRetriever", "Embed"]

Embed: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to one row each. Called from one thread at a time."""


class DenseOptions(ComponentOptions):
    """What can be set."""

    model: str = Field(
        default="",
        description="folder or name of a sentence-transformers model, or module:function that takes texts "
        "and returns one row of numbers each",
    )
    batch: int = Field(default=64, ge=1, description="texts given to the model at a time")
    query_prefix: str = Field(default="", description="put before each goal, where the model wants it")
    premise_prefix: str = Field(default="", description="put before each premise, where the model wants it")


class DenseRetriever(ScoringRetriever):
    """Embeds the corpus once, and each goal; the model is imported on first use."""

    Options: ClassVar[type[DenseOptions]] = DenseOptions
    name: ClassVar[str] = "dense"

    def __init__(self, options: DenseOptions | None = None, *, embed: Embed | None = None) -> None:
        """``embed``: the function itself, in place of ``options.model``."""
        super().__init__()
        self.options = options if options is not None else DenseOptions()
        self._embed = embed
        self._lock = threading.Lock()
        self._matrix: NDArray[np.float32] = np.zeros((0, 1), dtype=np.float32)

    def _fit(self, declarations: Sequence[DeclarationRecord]) -> None:
        texts = [self.options.premise_prefix + premise_text(declaration) for declaration in declarations]
        size = self.options.batch
        rows = [self._rows(texts[at : at + size]) for at in range(0, len(texts), size)]
        self._matrix = np.concatenate(rows)

    def _scores(self, goal: Goal) -> NDArray[np.float32]:
        row = self._rows([self.options.query_prefix + goal_text(goal)])[0]
        # from 0 to 1, so that "above 0" means what it means to every retriever
        return np.asarray((self._matrix @ row + 1) / 2, dtype=np.float32)

    def _rows(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings of length 1.

        :raises ConfigError: the function gives something else than one row of numbers for each text.
        """
        with self._lock:
            if self._embed is None:
                self._embed = _load(self.options.model)
            rows = np.asarray(self._embed(texts), dtype=np.float32)
        if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():
            message = (
                f"the embedding model gave an array of shape {rows.shape} for {len(texts)} texts, "
                "or numbers that are not finite; it must give one row for each text"
            )
            raise ConfigError([message])
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(norms == 0, 1, norms), dtype=np.float32)


def _load(model: str) -> Embed:
    """The embedding function that ``model`` names.

    :raises ConfigError: it names none.
    :raises ToolMissingError: sentence-transformers is not installed.
    """
    if not model:
        message = "the dense retriever needs a model: set its option `model` to a folder or module:function"
        raise ConfigError([message])
    module, colon, function = model.partition(":")
    if colon and function.isidentifier():
        try:
            found = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError) as error:
            message = f"the dense retriever's model {model} cannot be imported: {error}"
            raise ConfigError([message]) from error
        return _as_embed(found)
    try:
        transformers = importlib.import_module("sentence_transformers")
    except ImportError as error:
        tool = "sentence-transformers"
        raise ToolMissingError(
            tool,
            needed_for=f"the dense retriever's model {model}",
            install="pip install sentence-transformers",
        ) from error
    encoder = transformers.SentenceTransformer(model)
    return _as_embed(lambda texts: encoder.encode(list(texts), show_progress_bar=False))


def _as_embed(function: Callable[[Sequence[str]], object]) -> Embed:
    return lambda texts: np.asarray(function(texts), dtype=np.float32)
