"""A goal as the portfolio sees it: binders, premises, the relation at the top, and what could be acted on.

Coq prints terms with notations, and only Coq can parse those in full. The portfolio needs much less: where
the brackets are, which quantifiers stand in front, which connective or relation is outermost. Whatever is
read wrongly here costs a tactic that fails, never a wrong proof. Pure, never raises, linear in the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = [
    "Binder",
    "TermView",
    "TypeKind",
    "identifiers",
    "is_identifier",
    "says_something",
    "type_kind",
    "view_term",
]

_TOKEN: Final = re.compile(
    r"""\s+
      | (?P<ident>[^\W\d][\w']*(?:\.[^\W\d][\w']*)*)
      | (?P<number>\d[\w.]*)
      | (?P<string>"(?:[^"]|"")*"?)
      | (?P<bracket>[()\[\]{},;]|\{\||\|\})
      | (?P<symbol>[^\w\s()\[\]{},;"]+)
    """,
    re.VERBOSE,
)
_IDENT: Final = re.compile(r"[^\W\d][\w']*")
_OPEN: Final = frozenset("([{") | {"match", "{|"}
_CLOSE: Final = frozenset(")]}") | {"end", "|}"}
_BINDING: Final = frozenset({"forall", "exists", "fun", "let", "if", "fix", "cofix", "∀", "∃", "λ"})
"""Words whose body reaches as far to the right as it can."""
_KEYWORDS: Final = _BINDING | {
    "as", "at", "by", "do", "else", "end", "for", "in", "is", "match", "return", "then", "using", "where",
    "with", "Prop", "Set", "Type", "SProp",
}  # fmt: skip

_LEVELS: Final[Sequence[frozenset[str]]] = (
    frozenset({"<->", "↔"}),
    frozenset({"\\/", "∨"}),
    frozenset({"/\\", "∧"}),
    frozenset({"~", "¬"}),
    frozenset(
        {"=", "<", ">", "<=", ">=", "<>", "==", "≡", "≤", "≥", "≠", "=?=", "⊆", "∈", "===", "=~=", "==>"}
        | {"?=", "=?", "<=?", "<?", "=b"}
    ),
)
"""Connectives and relations, the weakest first. Boolean tests bind like relations."""
_RELATIONS: Final = _LEVELS[-1]
_TESTS: Final = frozenset({"?=", "=?", "<=?", "<?", "=b"})


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class Binder(NamedTuple):
    """A quantified variable; ``type`` is empty where none is written."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class TermView:
    """What can be seen of a proposition without parsing it."""

    text: str
    binders: tuple[Binder, ...]
    """Variables quantified in front, through arrows, outermost first."""
    premises: tuple[str, ...]
    """What stands left of the arrows in front."""
    prefix: str
    """The order of the two: ``v`` for a variable, ``p`` for a premise."""
    body: str
    """What is left: the conclusion proper."""
    head: str
    """Its outermost connective or relation, ``exists``, ``forall``, or the head of an application."""
    left: str
    right: str
    """Both sides, where ``head`` is a binary connective or relation; else empty."""
    constants: tuple[str, ...]
    """Identifiers of ``body`` that are no keyword and no binder, each once, in order."""
    symbols: frozenset[str]
    """Identifiers, numbers and notation symbols of ``body``, binders left out: for comparing terms."""
    scrutinees: tuple[str, ...]
    """What ``match`` and ``if`` look at in ``body``, each once, innermost first."""


class TypeKind:
    """What a variable of some type invites to do; see :func:`type_kind`."""

    SORT: Final = "sort"
    """``Type``, ``Set``, ``Prop``, or a function to one of them."""
    FUNCTION: Final = "function"
    DATA: Final = "data"
    """An inductive type, or an abstract one: to be destructed or inducted on."""
    FACT: Final = "fact"
    """A proposition: to be used."""


_DATA_HEADS: Final = frozenset(
    """nat bool list option Z N positive ascii string prod sum unit Empty_set comparison t Fin.t Vector.t
    vector tree sumbool sumor byte int Q R sig sigT elt key""".split()
)


_SHORT: Final = frozenset({"S", "O", "In", "Z", "N", "Q", "R", "le", "lt", "xO", "xI", "xH"})
_NOISE: Final = frozenset({":", "=>", "|", ":=", "@", "_", ".", "->", "!", "%", "?"})


def says_something(symbol: str) -> bool:
    """Whether a symbol tells terms apart: no punctuation, and by its looks no variable."""
    if symbol in _NOISE:
        return False
    return len(symbol) > 2 or symbol in _SHORT or not is_identifier(symbol)


def is_identifier(text: str) -> bool:
    """Whether ``text`` is one unqualified identifier."""
    return _IDENT.fullmatch(text) is not None


def identifiers(text: str) -> frozenset[str]:
    """Every identifier in ``text``, qualified ones as they stand."""
    return frozenset(token.text for token in _tokens(text) if token.kind == "ident")


@functools.lru_cache(maxsize=8192)
def type_kind(text: str) -> str:
    """What kind of thing has the type ``text``, as far as its text tells: a :class:`TypeKind`."""
    view = view_term(text)
    if view.body in ("Type", "Set", "Prop", "SProp") or view.body.startswith("Type@"):
        return TypeKind.SORT
    prefixed = bool(view.prefix)
    if view.head in _RELATIONS or view.head in {"exists", "False", "True", "/\\", "\\/", "<->", "~"}:
        return TypeKind.FACT
    if view.binders:
        return TypeKind.FACT
    if prefixed:
        return TypeKind.FUNCTION
    head = view.head
    plain = head.rpartition(".")[2]
    if head in _DATA_HEADS or plain in _DATA_HEADS or is_identifier(text):
        return TypeKind.DATA
    # `list A` and `In x l` look alike; a type's arguments are rarely long, and types are seldom capitalised
    return TypeKind.DATA if plain[:1].islower() and len(view.symbols) <= 3 else TypeKind.FACT


@functools.lru_cache(maxsize=8192)
def view_term(text: str) -> TermView:
    """Read a proposition (or type) as Coq prints it."""
    tokens = list(_tokens(text))
    at, binders, premises, prefix = _read_prefix(text, tokens)
    rest = tokens[at:]
    body = text[rest[0].start :].strip() if rest else ""
    head, left, right = _head(text, rest)
    bound = {binder.name for binder in binders}
    words = [token for token in rest if token.kind != "bracket" and token.text not in bound]
    constants = [w.text for w in words if w.kind == "ident" and w.text not in _KEYWORDS]
    return TermView(
        text=text,
        binders=tuple(binders),
        premises=tuple(premises),
        prefix=prefix,
        body=body,
        head=head,
        left=left,
        right=right,
        constants=tuple(dict.fromkeys(constants)),
        symbols=frozenset(word.text for word in words) - _KEYWORDS,
        scrutinees=tuple(dict.fromkeys(_scrutinees(text, rest))),
    )


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup is not None:
            yield _Token(match.lastgroup, match.group(), match.start(), match.end())


def _read_prefix(text: str, tokens: Sequence[_Token]) -> tuple[int, list[Binder], list[str], str]:
    """Where the body begins, the binders and premises before it, and their order."""
    binders: list[Binder] = []
    premises: list[str] = []
    prefix = ""
    at = 0
    while at < len(tokens):
        if tokens[at].text in ("forall", "∀"):
            comma = _find(tokens, at + 1, ",")
            if comma is None:
                break
            group = _read_binders(text, tokens[at + 1 : comma])
            binders += group
            prefix += "v" * len(group)
        else:
            comma = _find(tokens, at, "->", "→", stop=_BINDING)
            if comma is None:
                break
            premises.append(text[tokens[at].start : tokens[comma].start].strip())
            prefix += "p"
        at = comma + 1
    return at, binders, premises, prefix


def _find(
    tokens: Sequence[_Token], start: int, *wanted: str, stop: frozenset[str] = frozenset()
) -> int | None:
    """Index of the first of ``wanted`` outside brackets, unless one of ``stop`` comes before."""
    depth = 0
    for index in range(start, len(tokens)):
        text = tokens[index].text
        if text in _OPEN:
            depth += 1
        elif text in _CLOSE:
            depth -= 1
        elif depth == 0 and text in stop:
            return None
        elif depth == 0 and text in wanted:
            return index
    return None


def _read_binders(text: str, tokens: Sequence[_Token]) -> list[Binder]:
    """``x y : T``, ``(x y : T) {z : U}``, ``x y``, or a mixture."""
    binders: list[Binder] = []
    at = 0
    while at < len(tokens):
        if tokens[at].text in _OPEN:
            close = _matching(tokens, at)
            binders += _read_group(text, tokens[at + 1 : close])
            at = close + 1
        else:
            end = next((i for i in range(at, len(tokens)) if tokens[i].text in _OPEN), len(tokens))
            if any(token.text == ":" for token in tokens[at:end]):
                end = len(tokens)
            binders += _read_group(text, tokens[at:end])
            at = end
    return binders


def _read_group(text: str, tokens: Sequence[_Token]) -> list[Binder]:
    colon = next((i for i, token in enumerate(tokens) if token.text == ":"), len(tokens))
    kind = text[tokens[colon + 1].start : tokens[-1].end] if colon + 1 < len(tokens) else ""
    return [Binder(token.text, kind) for token in tokens[:colon] if token.kind == "ident"]


def _matching(tokens: Sequence[_Token], start: int) -> int:
    """Index of the bracket that closes the one at ``start``; the last index if there is none."""
    depth = 0
    for index in range(start, len(tokens)):
        if tokens[index].text in _OPEN:
            depth += 1
        elif tokens[index].text in _CLOSE:
            depth -= 1
            if depth == 0:
                return index
    return len(tokens) - 1


def _head(text: str, tokens: Sequence[_Token]) -> tuple[str, str, str]:
    """Outermost connective, relation or head of a term without prefix, and its two sides."""
    if not tokens:
        return "", "", ""
    tokens = _unwrap(tokens)
    first = tokens[0].text
    if first in ("exists", "∃"):
        return "exists", "", ""
    if first in _BINDING:
        return first, "", ""
    for level in _LEVELS:
        at = _find(tokens, 0, *level, stop=_BINDING)
        if at is not None:
            left = text[tokens[0].start : tokens[at].start].strip()
            right = text[tokens[at].end : tokens[-1].end].strip()
            return tokens[at].text, left, right.partition(" :> ")[0]
    name = next((token.text for token in tokens if token.kind in ("ident", "number")), first)
    return name, "", ""


def _unwrap(tokens: Sequence[_Token]) -> Sequence[_Token]:
    """Without brackets around the whole."""
    while len(tokens) > 2 and tokens[0].text == "(" and _matching(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _scrutinees(text: str, tokens: Sequence[_Token]) -> list[str]:
    found: list[str] = []
    for at, token in enumerate(tokens):
        if token.text not in ("match", "if"):
            continue
        end = _find(
            tokens,
            at + 1,
            *(("with", "as", "in", "return", ",") if token.text == "match" else ("then", "is")),
        )
        if end is not None and end > at + 1:
            found.append(text[tokens[at + 1].start : tokens[end].start].strip())
    return sorted(found, key=len)
