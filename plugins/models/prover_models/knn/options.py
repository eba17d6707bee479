"""Options of the ``knn`` policy."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from prover_core.contracts import ComponentOptions

__all__ = ["KnnOptions"]


class KnnOptions(ComponentOptions):
    """What ``--set model.KEY=VALUE`` sets."""

    data: Path | None = Field(
        default=None,
        description="dataset to learn from (made by `prover extract`); default: the prover's own standard "
        "library, extracted on first use into the cache folder",
    )
    areas: tuple[str, ...] = Field(
        default=(),
        description="areas of the standard library to extract, e.g. Init, Logic, Arith, Lists; default: all",
    )
    extract: bool = Field(
        default=True, description="extract what is needed and missing; false: an error says what to run"
    )
    extract_workers: int | None = Field(
        default=None, ge=1, description="provers at the same time while extracting; default: one per core"
    )
    own_file: bool = Field(
        default=True,
        description="learn from the proofs earlier in the theorem's own file when the dataset does not hold "
        "it: the file is extracted at its first theorem, which takes as long as compiling it",
    )
    neighbours: int = Field(default=128, ge=1, description="similar steps looked at for each state")
    suggestions: int = Field(default=48, ge=0, description="most tactics taken from similar steps")
    portfolio: int = Field(
        default=48, ge=0, description="most tactics taken from the prover's own portfolio; 0: none"
    )
    use_premises: bool = Field(
        default=True, description="ask the prover for lemmas that fit the state, for the portfolio's use"
    )
