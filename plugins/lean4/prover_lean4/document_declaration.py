"""Where a declaration's signature ends and its body starts.

The first ``:=`` outside brackets ends a signature, unless a ``let`` or ``have`` of the type itself owns it;
so do ``where`` and the first alternative (``| 0 => ...``), which is to be told from an absolute value.
"""

from __future__ import annotations

from dataclasses import dataclass

from prover_lean4.document_commands import Command
from prover_lean4.document_source import SourceTokens
from prover_lean4.keywords import DATA_KINDS, DECLARATION_KINDS
from prover_lean4.lexer import TokenKind

__all__ = ["Parts", "is_declaration", "parts_of"]

_ANONYMOUS = frozenset({"example", "instance"})
_BINDING = frozenset({"let", "have", "haveI", "letI", "let_fun"})
_LOOK_AHEAD = 400
"""Tokens between ``|`` and ``=>`` of an alternative, at the most."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Token indices of a declaration's parts."""

    name: str
    """Empty for an anonymous one."""
    signature_end: int
    """Just past the signature's last token."""
    proof: int
    """The first token of the body; -1: it has none."""
    proof_kind: str
    """``by``, ``term``, ``where``, ``match`` or ``none``."""
    end: int
    """Just past the last token of the whole declaration."""


def is_declaration(word: str) -> bool:
    """Whether a command of that word declares something."""
    return word.split(" ")[-1] in DECLARATION_KINDS and word != "deriving instance"


def parts_of(source: SourceTokens, command: Command) -> Parts | None:
    """The parts of a declaration; ``None``: it lacks the name that its kind must have."""
    name, index = _name(source, command)
    if not name and command.word not in _ANONYMOUS:
        return None
    data = command.word.split(" ")[-1] in DATA_KINDS
    end = command.end
    stop, kind = _signature_end(source, index, end)
    if data or stop >= end or kind == "none":
        return Parts(name, min(stop, end), -1, "none", end)
    if kind != "term":
        return Parts(name, stop, stop, kind, end)
    if stop + 1 >= end:
        return Parts(name, stop, -1, "none", end)
    proof = stop + 1
    if source.word(proof) == "by":
        return Parts(name, stop, proof, "by", _tactics_end(source, command, proof))
    return Parts(name, stop, proof, "term", end)


def _name(source: SourceTokens, command: Command) -> tuple[str, int]:
    """The declared name, empty if there is none, and the index after it."""
    index = command.body
    end = command.end
    if command.word == "example" or index >= end:
        return "", index
    if command.word == "instance" and source.word(index) in ("(", "["):
        if source.word(index + 1) != "priority":
            return "", index
        index = source.past(index)
    if index < end and source.tokens[index].kind is TokenKind.IDENT:
        return source.word(index), index + 1
    return "", index


def _signature_end(source: SourceTokens, index: int, end: int) -> tuple[int, str]:
    """Index of ``:=`` (kind ``term``), ``where`` or the first ``|`` (``match``); ``end`` if there is none."""
    owed = 0
    matching = False
    while index < end:
        text = source.word(index)
        if text in _BINDING:
            owed += 1
        elif text == ":=":
            if not owed:
                return index, "term"
            owed -= 1
        elif text == "where":
            return index, "where"
        elif text == "deriving":
            return index, "none"
        elif text == "match":
            matching = True
        elif text == "|" and not matching and _is_alternative(source, index, end):
            return index, "match"
        index = source.past(index)
    return end, "none"


def _is_alternative(source: SourceTokens, index: int, end: int) -> bool:
    """Whether the ``|`` starts a case (``| 0 => ...``, a constructor), not an absolute value."""
    token = source.tokens[index]
    text = source.text
    spaced = text[token.end : token.end + 1].isspace() and text[token.start - 1 : token.start].isspace()
    if not (spaced or source.first[index]):
        return False
    functions = 0
    stop = min(end, index + _LOOK_AHEAD)
    index += 1
    while index < stop:
        word = source.word(index)
        if word == ":=":
            return False
        if word in ("fun", "λ"):
            functions += 1
        elif word == "=>":
            if not functions:
                return True
            functions -= 1
        index = source.past(index)
    return spaced


def _tactics_end(source: SourceTokens, command: Command, proof: int) -> int:
    """Just past the last token of a ``by`` proof, which a command unknown to us may follow.

    Lean takes no tactic to the left of the first one: a name that starts a line there starts something else.
    """
    margin = source.column(command.first)
    index = proof + 1
    if index >= command.end or source.column(index) <= margin:
        return command.end
    while index < command.end:
        if (
            source.first[index]
            and source.tokens[index].kind is TokenKind.IDENT
            and source.column(index) <= margin
        ):
            return index
        index = source.past(index)
    return command.end
