"""Premises from a retriever, in place of those that the prover's own search finds."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from prover_core.contracts.extraction import Retriever
from prover_core.data.accessible import Accessibility
from prover_core.records import DeclarationRecord, ProofRecord
from prover_core.types import Premise, ProofState, Theorem

__all__ = ["PremiseSource", "RetrievedPremises"]


class PremiseSource(Protocol):
    """Where the runner gets premises from, if not from the prover. Called from several threads."""

    def premises(self, theorem: Theorem, state: ProofState, limit: int) -> Sequence[Premise] | None:
        """The best first; ``None``: it knows nothing about this theorem, so the prover is asked.

        Nothing that stands after the theorem, nor the theorem itself, may be among them.
        """
        ...


class _Place(NamedTuple):
    statement: str
    module: str
    start: int
    requires: tuple[str, ...]


class RetrievedPremises(PremiseSource):
    """A retriever over what a dataset declares, restricted to what each theorem may use.

    What that is, the dataset's own record of the theorem says: it is found by its id, and only while its
    statement is the same.
    """

    def __init__(
        self,
        retriever: Retriever,
        declarations: Sequence[DeclarationRecord],
        proofs: Iterable[ProofRecord],
    ) -> None:
        """Index the declarations; takes as long as the retriever needs."""
        retriever.index(declarations)
        self._retriever = retriever
        self._access = Accessibility(declarations)
        self._lock = threading.Lock()
        loaded: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._places = {
            proof.id: _Place(
                proof.statement,
                proof.module,
                proof.position.start,
                loaded.setdefault(proof.requires, proof.requires),
            )
            for proof in proofs
            if proof.position is not None
        }

    def premises(self, theorem: Theorem, state: ProofState, limit: int) -> Sequence[Premise] | None:
        """For the first focused goal; see :class:`PremiseSource`."""
        place = self._places.get(theorem.id)
        if place is None or place.statement.split() != theorem.statement.split():
            return None
        focused = state.goals.focused
        if not focused:
            return ()
        with self._lock:
            accessible = self._access.at(place.module, place.start, place.requires)
            return self._retriever.retrieve(focused[0], accessible.tolist(), limit)
