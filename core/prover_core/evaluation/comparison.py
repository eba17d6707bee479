"""What a comparison found, typed and versioned: what ``prover compare --json`` prints."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from prover_core.evaluation.results import Costs

__all__ = [
    "COMPARISON_VERSION",
    "BudgetComparison",
    "ComparedInput",
    "Comparison",
    "LeftOut",
    "PairComparison",
    "SideResult",
    "Subset",
]

COMPARISON_VERSION: Final = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ComparedInput(_Record):
    """One of the evaluations that are compared."""

    label: str
    path: str
    env: str = ""
    prover: str = ""
    version: str = Field(default="", description="Of the prover.")
    model: str = ""
    search: str = ""
    created: str = ""
    attempts: int = 1
    theorems: int = 0
    budgets: tuple[str, ...] = ()


class LeftOut(_Record):
    """What one of them has and not all have."""

    label: str
    budgets: tuple[str, ...] = ()
    theorems: tuple[str, ...] = Field(
        default=(), description="Ids that not all have, or that are in no pair."
    )
    other_statement: tuple[str, ...] = Field(
        default=(), description="Ids that all have, with statements that are not the same text."
    )


class SideResult(_Record):
    """One of them on the common theorems, under one budget."""

    label: str
    proved: int
    rate: float
    rate_low: float = Field(description="Of the Wilson 95 % interval.")
    rate_high: float
    pass_1: float = Field(description="Mean share of the attempts that proved.")
    pass_1_low: float
    pass_1_high: float
    seconds_median_proved: float | None = Field(
        default=None,
        description="Wall time of the best attempts at the theorems that all of them proved; none where "
        "they made different numbers of attempts.",
    )
    tries_median_proved: float | None = Field(default=None, description="Of the same attempts.")
    derived_from: str = ""
    costs: Costs = Field(default=Costs(), description="Of all its theorems, common or not.")


class PairComparison(_Record):
    """Two of them on the common theorems, under one budget. Differences are second minus first."""

    first: str
    second: str
    both: int = 0
    only_first: int = 0
    only_second: int = 0
    neither: int = 0
    only_first_ids: tuple[str, ...] = ()
    only_second_ids: tuple[str, ...] = ()
    p: float = Field(description="Exact McNemar test, two-sided.")
    p_holm: float = Field(description="The same, adjusted for all tests of the subset (Holm).")
    difference: float = Field(default=0.0, description="Of the shares of theorems proved.")
    difference_low: float = Field(default=-1.0, description="Of the paired bootstrap's 95 % interval.")
    difference_high: float = 1.0
    method: str = ""
    pass_1_difference: float = 0.0
    pass_1_low: float = -1.0
    pass_1_high: float = 1.0


class BudgetComparison(_Record):
    """All of them under one budget."""

    budget: str
    attempts: int = Field(description="Of each theorem that are looked at: as many as all made.")
    theorems: int = Field(description="Common ones, with a conclusive attempt in each.")
    inconclusive: tuple[str, ...] = Field(
        default=(), description="Common ones about which one of them says nothing: the machinery broke."
    )
    uneven: int = Field(
        default=0, description="Theorems with more conclusive attempts in one of them than in another."
    )
    sides: tuple[SideResult, ...] = ()
    pairs: tuple[PairComparison, ...] = ()


class Subset(_Record):
    """The comparison on some of the theorems: all of them, or pairs of some equivalence."""

    name: str
    description: str = ""
    tests: int = Field(description="That the Holm correction is for.")
    budgets: tuple[BudgetComparison, ...] = ()


class Comparison(_Record):
    """A paired comparison of two evaluations or more."""

    schema_version: int = COMPARISON_VERSION
    kind: Literal["polyprover-comparison"] = "polyprover-comparison"
    inputs: tuple[ComparedInput, ...]
    pairs: str = Field(default="", description="The pairing table; empty: theorems are the same by id.")
    equivalence: dict[str, int] = Field(
        default_factory=dict, description="Problems compared by what is known of their statements."
    )
    budgets: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    subsets: tuple[Subset, ...] = ()
    notes: tuple[str, ...] = ()
