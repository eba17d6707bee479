"""Results of evaluations, made by hand for the tests of what compares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prover_core.evaluation import BudgetResult, IterationResult, TheoremResult
from prover_core.evaluation.compare import compare_results
from prover_core.evaluation.comparison import Comparison
from prover_core.evaluation.pairing import PairingTable

P, F, X = "proved", "failed", "crashed"


def budget(
    text: str, outcomes: Mapping[str, Sequence[str]], prover: str = "fake", **more: Any
) -> BudgetResult:
    theorems = tuple(
        TheoremResult(
            id=id,
            name=id,
            prover=prover,
            statement_hash=more.get("hashes", {}).get(id, "h"),
            statuses=tuple(found),
        )
        for id, found in outcomes.items()
    )
    proved = sum(theorem.proved for theorem in theorems)
    return BudgetResult(
        budget=text,
        kind="tries",
        limits={"tries": 1.0},
        method="run",
        attempts=max((len(found) for found in outcomes.values()), default=1),
        planned=len(theorems),
        evaluated=sum(theorem.n > 0 for theorem in theorems),
        proved=proved,
        rate=0.0,
        rate_low=0.0,
        rate_high=1.0,
        theorems=theorems,
    )


def result(name: str, *budgets: BudgetResult, prover: str = "fake") -> IterationResult:
    attempts = max(each.attempts for each in budgets)
    return IterationResult(
        name=name, env=prover, prover=prover, model="m", attempts=attempts, budgets=tuple(budgets)
    )


def compare(*results: IterationResult, pairs: PairingTable | None = None) -> Comparison:
    return compare_results(results, [Path(each.name) for each in results], pairs=pairs)


def outcomes(text: str, prefix: str = "t") -> dict[str, list[str]]:
    """``"PF."``: one theorem a character, one attempt each."""
    return {f"{prefix}{i}": [{"P": P, "F": F, "X": X}[c]] for i, c in enumerate(text)}
