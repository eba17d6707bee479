"""What a theorem may use of a corpus of declarations: what stands before it, and what was loaded there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from prover_core.records import DeclarationRecord, ProofRecord

__all__ = ["Accessibility"]


class Accessibility:
    """Which declarations of a corpus a theorem may use: those before it in its file, and those of the
    modules that were loaded before it (``ProofRecord.requires``, which is transitive).
    """

    def __init__(self, declarations: Sequence[DeclarationRecord]) -> None:
        by_module: dict[str, list[int]] = {}
        for index, declaration in enumerate(declarations):
            by_module.setdefault(declaration.module, []).append(index)
        self._ends: dict[str, list[int]] = {}
        self._indices: dict[str, NDArray[np.int64]] = {}
        for module, indices in by_module.items():
            indices.sort(key=lambda index: _end(declarations[index]))
            self._ends[module] = [_end(declarations[index]) for index in indices]
            self._indices[module] = np.array(indices, dtype=np.int64)
        self._required: tuple[tuple[str, ...], NDArray[np.int64]] | None = None

    def of(self, proof: ProofRecord) -> NDArray[np.int64]:
        """Indices into the corpus of what the theorem may use."""
        start = proof.position.start if proof.position is not None else 0
        return self.at(proof.module, start, proof.requires)

    def at(self, module: str, start: int, requires: tuple[str, ...]) -> NDArray[np.int64]:
        """The same for a place: character ``start`` of the file of ``module``."""
        required = self._of_modules(requires)
        ends = self._ends.get(module)
        if not ends:
            return required
        return np.concatenate([required, self._indices[module][: bisect_right(ends, start)]])

    def _of_modules(self, requires: tuple[str, ...]) -> NDArray[np.int64]:
        known = self._required
        if known is None or known[0] != requires:
            parts = _present(self._indices, requires)
            known = (requires, np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64))
            self._required = known
        return known[1]


def _present(indices: dict[str, NDArray[np.int64]], modules: Iterable[str]) -> list[NDArray[np.int64]]:
    return [indices[module] for module in dict.fromkeys(modules) if module in indices]


def _end(declaration: DeclarationRecord) -> int:
    """A declaration without a position cannot be said to come before anything in its file."""
    return declaration.position.end if declaration.position is not None else 2**62
