"""The library's name in imports: ``Coq`` until 8.20, ``Stdlib`` (and ``Corelib``) since Rocq 9.0."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

from prover_coq.lexer import split_sentences

__all__ = ["Adapted", "ImportMode", "adapt_imports", "imported_libraries"]

ImportMode: TypeAlias = Literal["auto", "keep", "coq", "stdlib"]

_IMPORT = re.compile(r"(?:From\s+(?P<root>[\w.']+)\s+)?(?:Require\b|Import\b|Export\b)")
_NEW = re.compile(r"(?<![\w.'])(?:Stdlib|Corelib)(?![\w'])")
_OLD = re.compile(r"(?<![\w.'])Coq(?![\w'])")
_WORD = re.compile(r"(?<![\w.'])[^\W\d][\w']*(?:\.[^\W\d][\w']*)*")
_KEYWORDS = frozenset({"From", "Require", "Import", "Export"})
_ROCQ = (9, 0)


class Adapted(NamedTuple):
    """A text, and what was done to it in words; empty: nothing."""

    text: str
    note: str


def adapt_imports(text: str, version: str, mode: ImportMode = "auto") -> Adapted:
    """The text with its imports as the prover of this version knows them; nothing else is touched.

    ``auto`` writes ``Coq`` for ``Stdlib`` and ``Corelib`` where the prover is older than Rocq 9.0. Rocq takes
    ``Coq`` for its own library still (with a warning), so there nothing is changed; ``stdlib`` changes it all
    the same, ``coq`` always writes ``Coq``, and ``keep`` never changes anything.
    """
    if mode == "auto":
        mode = "coq" if version and _numbers(version) < _ROCQ else "keep"
    if mode == "keep":
        return Adapted(text, "")
    pattern, name = (_NEW, "Coq") if mode == "coq" else (_OLD, "Stdlib")
    parts: list[str] = []
    changed = 0
    at = 0
    for sentence in split_sentences(text):
        if not _IMPORT.match(sentence.text):
            continue
        new, count = pattern.subn(name, sentence.text)
        if count:
            parts += [text[at : sentence.start], new]
            at = sentence.end
            changed += 1
    if not changed:
        return Adapted(text, "")
    return Adapted(
        "".join([*parts, text[at:]]), f"{changed} import{'s' * (changed > 1)} rewritten for {name}"
    )


def imported_libraries(text: str) -> tuple[str, ...]:
    """First words of what is required: ``("Reals", "Coquelicot")``."""
    found: dict[str, None] = {}
    for sentence in split_sentences(text):
        match = _IMPORT.match(sentence.text)
        if match is None or "Require" not in sentence.text:
            continue
        if match["root"]:
            found[match["root"].partition(".")[0]] = None
            continue
        words = [word for word in _WORD.findall(sentence.text) if word not in _KEYWORDS]
        found |= dict.fromkeys(word.partition(".")[0] for word in words)
    return tuple(found)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
