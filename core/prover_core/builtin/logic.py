"""Propositional formulas: what the ``fake`` prover's theorems are made of.

Syntax, loosest first: ``a <-> b``, ``a -> b`` (to the right), ``a \\/ b``, ``a /\\ b``, ``~a``, ``True``,
``False``, names, parentheses; ``↔ → ∨ ∧ ¬ ⊤ ⊥`` are the same. ``~a`` is ``a -> False``, and ``a <-> b`` is
``(a -> b) /\\ (b -> a)``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "FALSE",
    "TRUE",
    "And",
    "Atom",
    "Constant",
    "Formula",
    "FormulaError",
    "Implies",
    "Or",
    "atoms",
    "parse_formula",
    "show",
]

_DEPTH = 100
_LENGTH = 10_000
_TOKEN = re.compile(r"\s*(<->|->|\\/|/\\|[~()↔→∨∧¬⊤⊥]|[^\W\d][\w']*)")
_ASCII = {"↔": "<->", "→": "->", "∨": "\\/", "∧": "/\\", "¬": "~", "⊤": "True", "⊥": "False"}


class FormulaError(ValueError):
    """The text is not a formula; says where and why."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A propositional variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """``True`` or ``False``."""

    value: bool


@dataclass(frozen=True, slots=True)
class Implies:
    left: Formula
    right: Formula


@dataclass(frozen=True, slots=True)
class And:
    left: Formula
    right: Formula


@dataclass(frozen=True, slots=True)
class Or:
    left: Formula
    right: Formula


Formula: TypeAlias = Atom | Constant | Implies | And | Or

TRUE = Constant(True)
FALSE = Constant(False)


def parse_formula(text: str) -> Formula:
    """The formula that ``text`` spells.

    :raises FormulaError: it spells none, or one that is too long or too deep for this little prover.
    """
    if len(text) > _LENGTH:
        message = f"a formula of {len(text)} characters is too long (at most {_LENGTH})"
        raise FormulaError(message)
    parser = _Parser(_tokens(text))
    formula = parser.equivalence(0)
    if parser.peek() is not None:
        message = f"unexpected '{parser.peek()}' after the formula"
        raise FormulaError(message)
    return formula


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            message = f"cannot read '{text[position : position + 20].strip()}'"
            raise FormulaError(message)
        found.append(_ASCII.get(match[1], match[1]))
        position = match.end()
    return found


class _Parser:
    """Recursive descent over the tokens; the depth is bounded so that no input can exhaust the stack."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0

    def peek(self) -> str | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _accept(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self._next += 1
        return True

    def equivalence(self, depth: int) -> Formula:
        left = self._implication(depth)
        while self._accept("<->"):
            right = self._implication(depth)
            left = And(Implies(left, right), Implies(right, left))
        return left

    def _implication(self, depth: int) -> Formula:
        if depth > _DEPTH:
            message = f"the formula is nested too deeply (at most {_DEPTH} levels)"
            raise FormulaError(message)
        left = self._disjunction(depth)
        return Implies(left, self._implication(depth + 1)) if self._accept("->") else left

    def _disjunction(self, depth: int) -> Formula:
        left = self._conjunction(depth)
        return Or(left, self._disjunction(depth + 1)) if self._accept("\\/") else left

    def _conjunction(self, depth: int) -> Formula:
        if depth > _DEPTH:
            message = f"the formula is nested too deeply (at most {_DEPTH} levels)"
            raise FormulaError(message)
        left = self._prefix(depth)
        return And(left, self._conjunction(depth + 1)) if self._accept("/\\") else left

    def _prefix(self, depth: int) -> Formula:
        negations = 0
        while self._accept("~"):
            negations += 1
        formula = self._primary(depth + negations)
        for _ in range(negations):
            formula = Implies(formula, FALSE)
        return formula

    def _primary(self, depth: int) -> Formula:
        token = self.peek()
        if token is None:
            message = "the formula ends too early"
            raise FormulaError(message)
        self._next += 1
        if token == "(":
            inner = self.equivalence(depth + 1)
            if not self._accept(")"):
                message = "a parenthesis is not closed"
                raise FormulaError(message)
            return inner
        if token in ("True", "False"):
            return Constant(token == "True")
        if not (token[0].isalpha() or token[0] == "_") or depth > _DEPTH:
            message = f"unexpected '{token}'" if depth <= _DEPTH else "the formula is nested too deeply"
            raise FormulaError(message)
        return Atom(token)


def show(formula: Formula, tight: int = 0) -> str:
    """The formula as text, in one spelling; ``tight`` is the binding strength of what surrounds it."""
    if isinstance(formula, Atom):
        return formula.name
    if isinstance(formula, Constant):
        return str(formula.value)
    if isinstance(formula, Implies):
        if formula.right == FALSE:
            return f"~{show(formula.left, 4)}"
        text, strength = f"{show(formula.left, 2)} -> {show(formula.right, 1)}", 1
    elif isinstance(formula, Or):
        text, strength = f"{show(formula.left, 3)} \\/ {show(formula.right, 2)}", 2
    else:
        text, strength = f"{show(formula.left, 4)} /\\ {show(formula.right, 3)}", 3
    return f"({text})" if tight > strength else text


def atoms(formula: Formula) -> frozenset[str]:
    """The names that occur in it."""
    if isinstance(formula, Atom):
        return frozenset((formula.name,))
    if isinstance(formula, Constant):
        return frozenset()
    return atoms(formula.left) | atoms(formula.right)
