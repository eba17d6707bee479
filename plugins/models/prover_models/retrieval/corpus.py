"""Declarations and goals as retrieval reads them."""

from __future__ import annotations

from typing import Final

from prover_core.records import DeclarationRecord
from prover_core.types import Goal
from prover_models.terms import symbols

__all__ = ["declaration_symbols", "goal_symbols", "goal_text", "premise_text"]

_HYPOTHESIS_LIMIT: Final = 64
"""Hypotheses of a goal that are looked at, the youngest ones."""


def premise_text(declaration: DeclarationRecord) -> str:
    """Name and statement, as a dense model reads them."""
    return f"{declaration.name} {declaration.statement}"


def goal_text(goal: Goal) -> str:
    """The goal as a dense model reads it."""
    return str(goal)


def declaration_symbols(declaration: DeclarationRecord) -> list[str]:
    """What a declaration speaks of, with the words of its own name."""
    short = declaration.name.rpartition(".")[2]
    words = [word for word in short.split("_") if len(word) > 1]
    return symbols(declaration.statement) + words


def goal_symbols(goal: Goal) -> list[str]:
    """What a goal speaks of; its conclusion counts twice, for it is what has to be proved."""
    told = symbols(goal.conclusion) * 2
    for hypothesis in goal.hypotheses[-_HYPOTHESIS_LIMIT:]:
        told += symbols(hypothesis.type)
    local = {name for hypothesis in goal.hypotheses for name in hypothesis.names}
    return [symbol for symbol in told if symbol not in local]
