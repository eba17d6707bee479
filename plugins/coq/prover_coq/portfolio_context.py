"""What the portfolio's templates look at: the focused goal, sorted into variables, facts and lemmas."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prover_coq.portfolio_view import TermView, TypeKind, identifiers, is_identifier, type_kind, view_term
from prover_core.contracts.policy import PolicyRequest
from prover_core.types import Goal, Premise

__all__ = ["Context", "Fact", "Lemma", "Variable", "names_of", "read_context", "symbols_of"]

_FACT_NAMES: Final = ("H", "IH", "Heq", "Hin")
_MOST_LEMMAS: Final = 64


@dataclass(frozen=True, slots=True)
class Variable:
    """Something to destruct or to do induction on."""

    name: str
    type: str
    kind: str
    """A :class:`~prover_coq.portfolio_view.TypeKind`."""
    bound: bool
    """Still quantified in the conclusion."""
    in_goal: bool
    """Occurs in the conclusion proper."""

    @property
    def boolean(self) -> bool:
        return self.type == "bool"


@dataclass(frozen=True, slots=True)
class Fact:
    """A hypothesis that states something."""

    name: str
    view: TermView
    age: int
    """0: the youngest."""

    @property
    def inductive(self) -> bool:
        """An induction hypothesis, by its name."""
        return self.name.startswith("IH")

    @property
    def plain(self) -> bool:
        """Stands without variables or premises in front."""
        return not self.view.prefix

    @property
    def equation(self) -> bool:
        return self.view.head in ("=", "==", "<->")


@dataclass(frozen=True, slots=True)
class Lemma:
    """A premise, and how well it seems to fit the conclusion."""

    name: str
    view: TermView
    applies: float
    """Share of what its conclusion mentions that the goal mentions too; 0.0: other relation."""
    rewrites: float
    """The same for the left side of an equation; 0.0: no equation."""
    rewrites_back: float
    determined: bool
    """Applying it backwards leaves nothing to guess, and its conclusion says something."""


@dataclass(frozen=True, slots=True)
class Context:
    """One state, as seen by the templates."""

    goal: Goal
    view: TermView
    variables: tuple[Variable, ...]
    """Those in the conclusion first; bound ones in their order."""
    facts: tuple[Fact, ...]
    """Youngest first."""
    lemmas: tuple[Lemma, ...]
    """In the order of the request."""
    depth: int
    hammer: bool
    """Whether CoqHammer's tactics are loaded, as far as is known."""

    @property
    def introduced(self) -> bool:
        """Nothing is left to introduce."""
        return not self.view.prefix

    def data(self) -> list[Variable]:
        """Variables of inductive (or abstract) types."""
        return [variable for variable in self.variables if variable.kind == TypeKind.DATA]


def read_context(request: PolicyRequest, *, hammer: bool) -> Context | None:
    """The context of the first focused goal; ``None``: no goal is focused."""
    focused = request.state.goals.focused
    if not focused:
        return None
    goal = focused[0]
    view = view_term(goal.conclusion)
    variables, facts = _hypotheses(goal, view)
    used = view.symbols
    bound = [
        Variable(b.name, b.type, type_kind(b.type) if b.type else TypeKind.DATA, True, True)
        for b in view.binders
    ]
    variables = bound + sorted(variables, key=lambda variable: not variable.in_goal)
    symbols = used | identifiers(" ".join(view.premises))
    return Context(
        goal=goal,
        view=view,
        variables=tuple(variables),
        facts=tuple(facts),
        lemmas=tuple(_lemma(premise, view, symbols) for premise in request.premises[:_MOST_LEMMAS]),
        depth=request.state.depth,
        hammer=hammer,
    )


def _hypotheses(goal: Goal, view: TermView) -> tuple[list[Variable], list[Fact]]:
    variables: list[Variable] = []
    facts: list[Fact] = []
    for age, hypothesis in enumerate(reversed(goal.hypotheses)):
        kind = type_kind(hypothesis.type)
        for name in hypothesis.names:
            if not is_identifier(name):
                continue
            if kind == TypeKind.FACT or (name.startswith(_FACT_NAMES) and kind == TypeKind.DATA):
                facts.append(Fact(name, view_term(hypothesis.type), age))
            elif kind == TypeKind.FUNCTION and name.startswith(_FACT_NAMES):
                facts.append(Fact(name, view_term(hypothesis.type), age))
            else:
                variables.append(Variable(name, hypothesis.type, kind, False, name in view.symbols))
    variables.reverse()
    return variables, facts


def _lemma(premise: Premise, view: TermView, symbols: frozenset[str]) -> Lemma:
    lemma = view_term(premise.statement)
    applies = 0.0
    if lemma.head == view.head or lemma.head == "<->":
        applies = _share(symbols_of(lemma.body), symbols)
    elif lemma.head in ("False", "~"):
        applies = 0.05
    rewrites = rewrites_back = 0.0
    if lemma.head in ("=", "==", "<->", "≡"):
        rewrites = _share(symbols_of(lemma.left), symbols)
        rewrites_back = _share(symbols_of(lemma.right), symbols)
    used = view_term(lemma.body).symbols | identifiers(lemma.body)
    determined = all(
        binder.name in used or type_kind(binder.type) == TypeKind.SORT for binder in lemma.binders
    ) and bool(symbols_of(lemma.body) - {"=", "<->"})
    return Lemma(premise.name, lemma, applies, rewrites, rewrites_back, determined)


@functools.lru_cache(maxsize=16384)
def symbols_of(term: str) -> frozenset[str]:
    """Symbols of a term that say something: no single letters, which are mostly variables."""
    return frozenset(s for s in view_term(term).symbols if not (len(s) <= 2 and is_identifier(s)))


def _share(part: frozenset[str], whole: frozenset[str]) -> float:
    """How much of ``part`` is in ``whole``; a part that says nothing fits everything a little."""
    return 0.3 if not part else len(part & whole) / len(part)


def names_of(variables: Sequence[Variable]) -> str:
    """``a, b, c``"""
    return ", ".join(variable.name for variable in variables)
