"""Which of a source's theorems are wanted: options that all Coq sources share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from prover_core.contracts.options import ComponentOptions
from prover_core.types import Theorem

__all__ = ["SelectionOptions", "wanted"]


class SelectionOptions(ComponentOptions):
    """Filters. A theorem that is asked for by its name passes them all."""

    kinds: tuple[str, ...] = Field(
        default=(), description="Keep only these kinds (Lemma, Theorem, Instance, ...); empty: all."
    )
    skip_admitted: bool = Field(
        default=True, description="Leave out what its own file does not prove (Admitted, Abort, unfinished)."
    )
    min_proof_sentences: int = Field(
        default=0, ge=0, description="Leave out theorems whose own proof has fewer sentences."
    )
    max_proof_sentences: int | None = Field(
        default=None, ge=0, description="Leave out theorems whose own proof has more sentences."
    )
    coq_options: tuple[str, ...] = Field(
        default=(), description="More options for Coq's command line (-Q dir Name), after the project's."
    )


def wanted(theorems: Iterable[Theorem], options: SelectionOptions) -> Iterator[Theorem]:
    """Those that pass the filters, in order."""
    kinds = {kind.lower() for kind in options.kinds}
    for theorem in theorems:
        facts = theorem.metadata
        size = int(facts["proof_sentences"])
        if kinds and facts["kind"].lower() not in kinds:
            continue
        if options.skip_admitted and facts["terminator"] in ("", "Admitted", "Abort"):
            continue
        if size < options.min_proof_sentences:
            continue
        if options.max_proof_sentences is not None and size > options.max_proof_sentences:
            continue
        yield theorem
