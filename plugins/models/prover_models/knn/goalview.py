"""A goal taken apart for comparison: which names are local, what stands in front, what is concluded."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from prover_core.types import Goal
from prover_models.terms import is_name, tokenise

__all__ = ["Entry", "GoalView", "view_goal"]

_MOST_TOKENS: Final = 240
_MOST_HYPOTHESES: Final = 60
_BINDERS: Final = frozenset({"forall", "exists", "fun", "∀", "∃", "λ"})
_BINDING: Final = _BINDERS | {"match", "let", "if", "fix", "cofix"}
_OPEN: Final = frozenset("([{") | {"match"}
_CLOSE: Final = frozenset(")]}") | {"end"}
_LEVELS: Final[Sequence[frozenset[str]]] = (
    frozenset({"<->", "↔"}),
    frozenset({"\\/", "∨"}),
    frozenset({"/\\", "∧"}),
    frozenset({"~", "¬"}),
    frozenset(
        {"=", "<", ">", "<=", ">=", "<>", "==", "≡", "≤", "≥", "≠", "=?=", "⊆", "∈", "===", "=~=", "==>"}
        | {"[=]", "[<=]", "∉", "∼", "≃", "≅"}
    ),
)
"""Connectives and relations, the weakest first."""


class Entry(NamedTuple):
    """A name that a tactic can speak of: a hypothesis, or a variable quantified in front."""

    name: str
    type: str
    """Its type with local names replaced by what they are."""
    used: bool
    """Occurs in the conclusion."""
    age: int
    """Hypotheses: 0 is the youngest. Variables in front: place from the left."""
    bound: bool
    """A variable in front."""


@dataclass(frozen=True, slots=True)
class GoalView:
    """A goal, taken apart."""

    conclusion: tuple[str, ...]
    """Tokens; a local name is replaced by ``$`` and the head of its type."""
    skeleton: str
    """The conclusion with local names replaced by their order of occurrence: equal up to renaming."""
    prefix: str
    """What stands in front: ``v`` for a variable, ``p`` for a premise."""
    head: str
    """Outermost relation or connective of the rest, or the head of an application."""
    hypotheses: tuple[Entry, ...]
    """Oldest first."""
    binders: tuple[Entry, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything that can be spoken of."""
        return self.hypotheses + self.binders


@functools.lru_cache(maxsize=4096)
def view_goal(goal: Goal) -> GoalView:
    """Take a goal apart; never raises."""
    tokens = _tokens(goal.conclusion)
    hypotheses = goal.hypotheses[-_MOST_HYPOTHESES:]
    kinds: dict[str, str] = {}
    for hypothesis in hypotheses:
        symbol = "$" + _type_head(hypothesis.type, kinds)
        kinds.update((name, symbol) for name in hypothesis.names)
    at, prefix, front = _read_prefix(tokens)
    inner = dict(kinds)
    for name, kind in front:
        if name:
            inner[name] = "$" + _type_head(kind, inner)
    inner |= {name: "$_" for name in _inner_binders(tokens[at:]) if name not in inner}
    used = set(tokens)
    entries: list[Entry] = []
    for age, hypothesis in enumerate(reversed(hypotheses)):
        kind = " ".join(_abstract(_tokens(hypothesis.type), kinds))
        entries += [Entry(name, kind, name in used, age, False) for name in reversed(hypothesis.names)]
    entries.reverse()
    variables = [(name, kind) for name, kind in front if name]
    return GoalView(
        conclusion=tuple(_abstract(tokens, inner)),
        skeleton=_skeleton(tokens, inner),
        prefix=prefix[:8],
        head=_head(tokens[at:]),
        hypotheses=tuple(entries),
        binders=tuple(
            Entry(name, " ".join(_abstract(_tokens(kind), inner)), True, place, True)
            for place, (name, kind) in enumerate(variables)
        ),
    )


@functools.lru_cache(maxsize=32768)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(tokenise(text)[:_MOST_TOKENS])


def _type_head(text: str, kinds: Mapping[str, str]) -> str:
    """The head of a type; ``_`` where it is a variable itself."""
    for token in _tokens(text)[:12]:
        if token in kinds:
            return "_"
        if token not in "([{" and token not in _BINDERS:
            return token.rpartition(".")[2] or token
    return "_"


def _abstract(tokens: Sequence[str], kinds: Mapping[str, str]) -> list[str]:
    return [kinds.get(token, token) for token in tokens]


def _skeleton(tokens: Sequence[str], kinds: Mapping[str, str]) -> str:
    order: dict[str, str] = {}
    return " ".join(
        order.setdefault(token, f"${len(order)}") if token in kinds else token for token in tokens
    )


def _read_prefix(tokens: Sequence[str]) -> tuple[int, str, list[tuple[str, str]]]:
    """Where the rest begins; the shape of what stands before it; names (empty for premises) with types."""
    at, prefix = 0, ""
    front: list[tuple[str, str]] = []
    while at < len(tokens):
        if tokens[at] in ("forall", "∀"):
            end = _find(tokens, at + 1, frozenset({","}))
            if end is None:
                break
            group = _read_binders(tokens[at + 1 : end])
            prefix += "v" * len(group)
            front += group
        else:
            end = _find(tokens, at, frozenset({"->", "→"}), _BINDING)
            if end is None:
                break
            prefix += "p"
            front.append(("", " ".join(tokens[at:end])))
        at = end + 1
    return at, prefix, front


def _find(
    tokens: Sequence[str], start: int, wanted: frozenset[str], stop: frozenset[str] = frozenset()
) -> int | None:
    depth = 0
    for at in range(start, len(tokens)):
        token = tokens[at]
        if depth == 0 and token in stop:
            return None
        if depth == 0 and token in wanted:
            return at
        if token in _OPEN:
            depth += 1
        elif token in _CLOSE:
            depth -= 1
    return None


def _read_binders(tokens: Sequence[str]) -> list[tuple[str, str]]:
    """``x y : T`` or ``(x y : T) (z : U)`` or ``x y``."""
    found: list[tuple[str, str]] = []
    if not tokens or tokens[0] not in ("(", "{", "["):
        return _read_group(tokens)
    depth, begin = 0, 0
    for at, token in enumerate(tokens):
        if token in _OPEN:
            if depth == 0:
                begin = at + 1
            depth += 1
        elif token in _CLOSE:
            depth -= 1
            if depth == 0:
                found += _read_group(tokens[begin:at])
        elif depth == 0 and is_name(token):
            found.append((token, ""))
    return found


def _read_group(tokens: Sequence[str]) -> list[tuple[str, str]]:
    colon = tokens.index(":") if ":" in tokens else len(tokens)
    kind = " ".join(tokens[colon + 1 :])
    return [(token, kind) for token in tokens[:colon] if is_name(token)]


def _inner_binders(tokens: Sequence[str]) -> set[str]:
    """Names bound anywhere in a term, roughly: what stands after a binder up to its colon or comma."""
    names: set[str] = set()
    reading = False
    for token in tokens:
        if token in _BINDERS:
            reading = True
        elif token in (":", ",", "=>"):
            reading = False
        elif reading and is_name(token):
            names.add(token)
    return names


def _head(tokens: Sequence[str]) -> str:
    for level in _LEVELS:
        at = _find(tokens, 0, level, _BINDING)
        if at is not None:
            return tokens[at]
    return next((token for token in tokens if token not in _OPEN), "")
