"""The ``knn`` policy: tactics of similar states, with the prover's own portfolio. No GPU, no weights."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from prover_core.contracts import Policy, PolicyRequest, Portfolio, ProofEnvironment
from prover_core.errors import ContractError
from prover_core.types import Suggestion, Theorem
from prover_models.knn.access import Access
from prover_models.knn.index import Index
from prover_models.knn.library import extract_file, library_index
from prover_models.knn.neighbours import Neighbourhood
from prover_models.knn.options import KnnOptions
from prover_models.knn.predict import Prediction, predict, suggestions

__all__ = ["KnnPolicy"]

_THEOREMS_KEPT: Final = 8
_FILES_KEPT: Final = 4


class _Source(NamedTuple):
    """A database and who may see what of it."""

    database: Index
    access: Access


class KnnPolicy(Policy):
    """Proposes what was done in the most similar of the states that come before the theorem.

    Never learns from the theorem's own proof, from what stands after it in its file, or from files that are
    not loaded there. Deterministic.
    """

    Options: ClassVar[type[KnnOptions]] = KnnOptions
    suggestions = 256

    def __init__(self, options: KnnOptions | None = None, *, index: Index | None = None) -> None:
        """``index``: a database to use in place of ``options.data``."""
        self.options = options if options is not None else KnnOptions()
        self._library = None if index is None else _Source(index, Access(index))
        self._environment: ProofEnvironment | None = None
        self._portfolio: Portfolio | None = None
        self._files: OrderedDict[tuple[str, tuple[str, ...]], _Source | None] = OrderedDict()
        self._near: OrderedDict[str, list[tuple[Index, Neighbourhood]]] = OrderedDict()
        self._lock = threading.Lock()

    def bind(self, environment: ProofEnvironment) -> None:
        """Load or build the database, and take the environment's portfolio.

        :raises DataError: the dataset cannot be used.
        :raises ConfigError: there is no dataset, and none can be made.
        """
        if self._environment is environment:
            return
        self._environment = environment
        self._portfolio = environment.portfolio() if self.options.portfolio else None
        self.wants_premises = (
            self._portfolio is not None and self._portfolio.wants_premises and self.options.use_premises
        )
        if self._library is None:
            index = library_index(environment, self.options)
            self._library = _Source(index, Access(index))

    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        """At most ``k`` tactics for each request.

        :raises ContractError: it was not bound to an environment.
        """
        if self._library is None:
            message = "KnnPolicy.suggest was called before bind"
            raise ContractError(message)
        with self._lock:
            return [self._one(request)[:k] for request in requests]

    def _one(self, request: PolicyRequest) -> list[Suggestion]:
        found: dict[str, Suggestion] = {}
        for suggestion in [*self._similar(request), *self._stock(request)]:
            tactic = suggestion.tactic.removesuffix(".")
            known = found.get(tactic)
            if known is None or suggestion.logprob > known.logprob:
                found[tactic] = suggestion
        return sorted(found.values(), key=lambda suggestion: -suggestion.logprob)

    def _similar(self, request: PolicyRequest) -> list[Suggestion]:
        focused = request.state.goals.focused
        if not focused or not self.options.suggestions:
            return []
        predictions: dict[str, Prediction] = {}
        for index, near in self._neighbourhoods(request.theorem):
            for prediction in predict(
                index, near, focused[0], neighbours=self.options.neighbours, k=self.options.suggestions
            ):
                known = predictions.get(prediction.tactic)
                if known is None or prediction.support > known.support:
                    predictions[prediction.tactic] = prediction
        best = sorted(predictions.values(), key=lambda prediction: -prediction.support)
        return suggestions(best[: self.options.suggestions])

    def _stock(self, request: PolicyRequest) -> Sequence[Suggestion]:
        if self._portfolio is None:
            return ()
        return self._portfolio.propose(request)[: self.options.portfolio]

    def _neighbourhoods(self, theorem: Theorem) -> list[tuple[Index, Neighbourhood]]:
        key = f"{theorem.id} {theorem.file} {theorem.span} {hash(theorem.preamble)}"
        held = self._near.get(key)
        if held is None:
            held = self._near[key] = self._make_neighbourhoods(theorem)
            while len(self._near) > _THEOREMS_KEPT:
                self._near.popitem(last=False)
        self._near.move_to_end(key)
        return held

    def _make_neighbourhoods(self, theorem: Theorem) -> list[tuple[Index, Neighbourhood]]:
        library = self._library
        if library is None:
            return []
        own = None if library.access.knows(theorem) else self._own_file(theorem)
        requires = own.access.requires(theorem) if own is not None else None
        reaches = [(library, library.access.of(theorem, requires))]
        if own is not None:
            reaches.append((own, own.access.of(theorem)))
        return [
            (source.database, Neighbourhood(source.database, reach))
            for source, reach in reaches
            if reach.allowed.any()
        ]

    def _own_file(self, theorem: Theorem) -> _Source | None:
        if not self.options.own_file or theorem.file is None or self._environment is None:
            return None
        key = (theorem.file, theorem.options)
        if key not in self._files:
            index = extract_file(self._environment, Path(theorem.file), theorem.options)
            self._files[key] = None if index is None else _Source(index, Access(index))
            while len(self._files) > _FILES_KEPT:
                self._files.popitem(last=False)
        return self._files[key]
