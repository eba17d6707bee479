"""The portfolio's closing templates: what they propose ends the goal, or fails, or changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from prover_coq.portfolio_context import Context

__all__ = ["CLOSING", "Instances", "Template"]

Instances: TypeAlias = Iterator[tuple[str, float]]
"""Tactics, each with its penalty (0.0 or more, in units of natural log-probability)."""
Template: TypeAlias = Callable[[Context], Instances]

_CONNECTIVES: Final = frozenset({"=", "<->", "/\\", "\\/", "exists", "False", "True", "~", "<>", "<=", "<"})


def _close(context: Context) -> Instances:
    yield "auto", 0.0
    yield "easy", 0.01
    yield "congruence", 0.02


def _close_hints(context: Context) -> Instances:
    yield "auto with *", 0.0
    yield "solve [eauto with *]", 0.7


def _close_arithmetic(context: Context) -> Instances:
    symbols = context.view.symbols
    yield "lia", 0.0
    if any(variable.type in ("R", "Q") for variable in context.variables):
        yield "lra", 0.1
    yield "intuition lia", 0.7
    if "*" in symbols:
        yield "nia", 0.8


def _close_algebra(context: Context) -> Instances:
    if context.view.head in ("=", "==") and context.view.symbols & {"+", "*", "-"}:
        yield "intros; ring", 0.0
    if context.view.head in ("=", "==") and "/" in context.view.symbols:
        yield "intros; field", 0.3


def _close_logic(context: Context) -> Instances:
    yield "tauto", 0.0
    yield "intuition congruence", 0.1
    yield "solve [simpl in *; intuition (subst; auto)]", 0.2
    yield "solve [firstorder]", 0.6
    yield "solve [intuition eauto]", 0.8
    yield "solve [simpl in *; firstorder (subst; auto)]", 0.9


def _close_using(context: Context) -> Instances:
    usable = sorted((m for m in context.lemmas if m.uses > 0), key=lambda m: -m.uses)
    safe = ", ".join([lemma.name for lemma in usable if lemma.determined][:6])
    if safe:
        yield f"solve [auto using {safe}]", 0.0
        if context.view.head in _CONNECTIVES or any(fact.view.head == "\\/" for fact in context.facts):
            yield f"solve [intuition (auto using {safe})]", 0.3
    if usable:
        yield f"solve [eauto 4 using {', '.join(lemma.name for lemma in usable[:4])}]", 0.8


def _close_hammer(context: Context) -> Instances:
    if context.hammer:
        yield "sauto", 0.0
        yield "hammer", 0.5


CLOSING: Final[dict[str, Template]] = {
    "close": _close,
    "close-hints": _close_hints,
    "close-arithmetic": _close_arithmetic,
    "close-algebra": _close_algebra,
    "close-logic": _close_logic,
    "close-using": _close_using,
    "close-hammer": _close_hammer,
}
"""Source name -> template."""
