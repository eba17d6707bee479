"""What modules have by ``Include`` or from functors: usable by name, and declared in no line of any file.

``Nat.le_trans`` is such a lemma. The prover is asked, when the file has been walked through, what is in those
modules; private and automatic names it leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from prover_coq.commands import CommandKind, classify
from prover_coq.engine import Engine, EngineLostError, ReplyKind
from prover_coq.extraction.outline import Outline

__all__ = ["Included", "included"]

_LIMIT_S = 60.0
_BORROWS = re.compile(r"(?:Include\b|(?:Declare\s+)?Module\b.*(?::=|<\+))", re.DOTALL)
_DEFINED = re.compile(r"(?:#\[[^\]]*\]\s*)?Module\s+(?:Import\s+|Export\s+)?(?!Type\b)([^\W\d][\w']*)")
_FOUND = re.compile(r"([^\W\d][\w'.]*):\s+(.+)", re.DOTALL)
_THEOREMS = " | ".join(
    f"is:{kind}" for kind in ("Theorem", "Lemma", "Fact", "Remark", "Corollary", "Proposition", "Property")
)


@dataclass(frozen=True, slots=True)
class Included:
    """A constant that a module has without declaring it."""

    name: str
    """Without the file's own logical name: ``Nat.le_trans``."""
    type: str
    theorem: bool
    sentence: int
    """The last sentence of the module that brings in something."""


def included(engine: Engine, outline: Outline) -> list[Included]:
    """Everything in such modules, what they declare themselves not left out; at the end of a walk."""
    modules = dict(_borrowers(outline))
    if not modules:
        return []
    queries = [query for name in modules for query in (f"[ {_THEOREMS} ]", "_")]
    names = [name for name in modules for _ in range(2)]
    sentences = [f"Search {q} inside {name}." for q, name in zip(queries, names, strict=True)]
    try:
        replies = engine.query(sentences, _LIMIT_S)
    except EngineLostError as error:
        replies = error.replies
    found: dict[str, Included] = {}
    for module, query, reply in zip(names, queries, replies, strict=False):
        if reply.kind is not ReplyKind.OK:
            continue
        for message in engine.read_messages(reply.answer):
            match = _FOUND.fullmatch(message)
            if match is not None:
                name = _inside(module, match[1])
                found.setdefault(name, Included(name, match[2], query != "_", modules[module]))
    return sorted(found.values(), key=lambda item: (item.sentence, item.name))


def _borrowers(outline: Outline) -> Iterator[tuple[str, int]]:
    """The outermost modules that have something from others, and the last sentence by which they do."""
    scopes: list[tuple[str, bool]] = []
    borrows = -1
    for index, sentence in enumerate(outline.sentences):
        if not sentence.text.startswith(("Include", "Module", "Section", "End", "Declare", "#")):
            continue
        command = classify(sentence.text)
        inside = any(module for _, module in scopes)
        if command.kind is CommandKind.OPEN_SCOPE:
            scopes.append((command.name, command.keyword == "Module"))
            borrows = borrows if inside else -1
        elif command.kind is CommandKind.CLOSE_SCOPE:
            name, module = scopes.pop() if scopes else ("", False)
            if module and borrows >= 0 and not any(module for _, module in scopes):
                yield name, borrows
        elif not inside and (defined := _DEFINED.match(sentence.text)):
            yield defined[1], index
        if _BORROWS.match(sentence.text):
            borrows = index


def _inside(module: str, shown: str) -> str:
    """``shown`` may leave out any of the first parts of a name inside ``module``."""
    outer, inner = module.split("."), shown.split(".")
    for length in range(min(len(outer), len(inner) - 1), 0, -1):
        if outer[-length:] == inner[:length]:
            return ".".join([*outer, *inner[length:]])
    return f"{module}.{shown}"
