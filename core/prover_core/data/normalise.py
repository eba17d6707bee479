"""Statements and proofs brought to a common form, so that copies of one another have equal hashes.

Two levels. *Text*: comments, white space and the theorem's own name and keyword are left out. *Shape*:
bound names are called by order of appearance as well, so that ``forall n, n = n`` and ``forall m, m = m``
are one. Binding is read off the text (what stands between ``forall``, ``exists``, ``fun``, ``let``, ...
and the next ``,``, ``=>``, ``:``; what stands before ``:`` in parentheses), without the prover: a name that
is bound anywhere in a statement counts as bound everywhere in it. Equal shapes are therefore strong
evidence of a copy, and no proof of one; different shapes prove nothing.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from prover_core.records import ProofRecord

__all__ = ["Hashes", "hashes", "proof_text", "statement_shape", "statement_text", "tokenise"]

_TOKEN = re.compile(
    r'"(?:[^"]|"")*"'  # a text
    r"|[^\W\d][\w']*(?:\.[^\W\d][\w']*)*"  # a name, qualified or not
    r"|\d+(?:\.\d+)?"
    r"|[()\[\]{},.;]"  # marks that never join with others
    r"|[^\s\w()\[\]{},.;\"]+"  # an operator
    r"|\S"
)
_BINDERS = frozenset(
    {"forall", "exists", "exists!", "fun", "fix", "cofix", "let", "∀", "∃", "∃!", "λ", "Π", "Σ"}
)
_BINDING_ENDS = frozenset({",", "=>", ":", ":=", "↦", "in", "."})
_WORDS = frozenset({"in", "let", "rec", "fix", "fun", "forall", "exists", "struct", "as", "return", "with"})
_NAME = re.compile(r"[^\W\d][\w']*")
_KEYWORDS_BEFORE_NAME = 8
_PROOF_MARK = re.compile(r"Proof(\s+using\b[^.]*)?\s*\.|[-+*]+|\{|\}")


class Hashes(NamedTuple):
    """Of one proof record, 16 hexadecimal digits each; an empty text has an empty hash."""

    text: str
    """Of the statement, level *text*."""
    shape: str
    """Of the statement, level *shape*."""
    proof: str
    """Of the proof's sentences, without bullets."""


def hashes(record: ProofRecord) -> Hashes:
    """The hashes by which copies are found."""
    statement = statement_text(record.statement, record.name)
    return Hashes(
        _hash(statement),
        _hash(_shape(statement.split("\x1f"))) if statement else "",
        _hash(proof_text(record)),
    )


def statement_text(statement: str, name: str = "") -> str:
    """The statement's tokens, separated by a control character; keyword and name left out."""
    tokens = tokenise(statement)
    head = tokens[:_KEYWORDS_BEFORE_NAME]
    written = next((n for n in (name, name.rpartition(".")[2]) if n and n in head), None)
    if written is not None:
        tokens = tokens[head.index(written) + 1 :]
    if tokens and tokens[-1] in (".", ":="):
        tokens = tokens[:-1]
    return "\x1f".join(tokens)


def statement_shape(statement: str, name: str = "") -> str:
    """The statement's tokens with bound names called by order of appearance."""
    text = statement_text(statement, name)
    return _shape(text.split("\x1f")) if text else ""


def proof_text(record: ProofRecord) -> str:
    """The tokens of the proof's sentences; ``Proof.`` and bullets left out."""
    sentences = (step.tactic for step in record.steps if not _PROOF_MARK.fullmatch(step.tactic.strip()))
    return "\x1f".join(token for sentence in sentences for token in tokenise(sentence))


def tokenise(text: str) -> list[str]:
    """Names, numbers, texts, marks and operators; comments of Coq and Lean left out."""
    return _TOKEN.findall(_without_comments(text))


def _without_comments(text: str) -> str:
    """``(* nested *)`` and ``/- nested -/`` and ``-- line`` comments out; texts in quotes as they are."""
    if "(*" not in text and "/-" not in text and "--" not in text:
        return text
    out: list[str] = []
    depth = 0
    for piece in re.split(r'("(?:[^"]|"")*"|\(\*|\*\)|/-|-/|--[^\n]*)', text):
        if piece in ("(*", "/-"):
            depth += 1
        elif piece in ("*)", "-/") and depth:
            depth -= 1
            out.append(" ")
        elif not depth and not piece.startswith("--"):
            out.append(piece)
    return "".join(out)


def _shape(tokens: list[str]) -> str:
    numbers: dict[str, str] = {}
    for name in _bound(tokens):
        numbers.setdefault(name, f"\x02{len(numbers)}")
    return "\x1f".join(numbers.get(token, token) for token in tokens)


def _bound(tokens: list[str]) -> list[str]:
    """Names that are bound somewhere, in order."""
    found: list[str] = []
    group: list[str] = []
    in_group = binding = False
    for token in tokens:
        if token in _BINDERS:
            binding = True
        elif token in ("(", "{", "["):
            in_group, group = True, []
        elif token in (")", "}", "]"):
            in_group = False
        elif in_group and token == ":":
            found += group
            in_group = False
        elif in_group:
            if _NAME.fullmatch(token) and token not in _WORDS:
                group.append(token)
            else:
                in_group = False  # not a list of names: no binder
        elif token in _BINDING_ENDS:
            binding = False
        elif binding and _NAME.fullmatch(token) and token not in _WORDS:
            found.append(token)
    return found


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest() if text else ""
