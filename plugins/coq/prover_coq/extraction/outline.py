"""Which sentences of a document are statements, which belong to which proof."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from prover_coq.commands import CommandKind, classify
from prover_coq.document import Document, TheoremDecl

__all__ = ["Outline", "ProofOutline"]


@dataclass(frozen=True, slots=True)
class ProofOutline:
    """A theorem, by the numbers of its sentences."""

    decl: TheoremDecl
    statement: int
    first: int
    """First sentence of the proof."""
    last: int | None
    """The sentence that ends it; ``None``: the file ends before."""


class Outline:
    """The theorems of a document and the sentences of each."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.sentences = [s for s in document.sentences if s.complete]
        self._starts = [s.start for s in self.sentences]
        self.proofs = [p for decl in document.theorems if (p := self._proof(decl)) is not None]
        self._owner: list[ProofOutline | None] = [None] * len(self.sentences)
        # A later statement within an earlier proof is nested in it, and has its own sentences.
        for proof in self.proofs:
            last = len(self.sentences) - 1 if proof.last is None else proof.last
            for index in range(proof.statement, last + 1):
                self._owner[index] = proof

    def _proof(self, decl: TheoremDecl) -> ProofOutline | None:
        statement = self.index(decl.statement.start)
        if statement is None:
            return None
        if decl.proof is None:
            return ProofOutline(decl, statement, statement + 1, None)
        first = bisect_left(self._starts, decl.proof.start)
        last = bisect_left(self._starts, decl.proof.end) - 1
        return ProofOutline(decl, statement, first, last)

    def index(self, start: int) -> int | None:
        """The sentence that starts at this character."""
        at = bisect_left(self._starts, start)
        return at if at < len(self._starts) and self._starts[at] == start else None

    def owner(self, index: int) -> ProofOutline | None:
        """The innermost theorem whose statement or proof the sentence is part of."""
        return self._owner[index]

    def around(self, proof: ProofOutline) -> ProofOutline | None:
        """The theorem in whose proof this one is nested."""
        return self._owner[proof.statement - 1] if self._is_inside(proof) else None

    def _is_inside(self, proof: ProofOutline) -> bool:
        if proof.statement == 0:
            return False
        before = self._owner[proof.statement - 1]
        return before is not None and (before.last is None or before.last > proof.statement)

    def end_of_proof(self, index: int) -> int | None:
        """The next sentence, from ``index`` on, that ends a proof: for proofs that the outline misses."""
        for at in range(index, len(self.sentences)):
            if classify(self.sentences[at].text).kind is CommandKind.END_PROOF:
                return at
        return None
