"""Theorems of benchmarks found again in checkouts of their projects."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from prover_coq.document import parse_document, read_source
from prover_coq.formats.sentences import flat
from prover_coq.theorems import theorems_of_file
from prover_core.types import Theorem

__all__ = ["Wanted", "find_in_file", "project_options", "theorems_of"]

_GOAL = re.compile(r"Goal_(\d+)")
_ARITY = {"-Q": 2, "-R": 2, "-I": 1}


class Wanted(NamedTuple):
    """A theorem that a benchmark names."""

    id: str
    name: str
    statement: str = ""
    """On one line, without comments; empty: not known."""


def project_options(root: Path, words: Sequence[str]) -> tuple[str, ...]:
    """Options as they are written in a project's folder, with absolute paths.

    CoqStoq's lists have a bare ``Q`` for ``-Q`` in places; that is taken for what it means.
    """
    found: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        word = f"-{word}" if f"-{word}" in _ARITY else word
        found.append(word)
        if word in _ARITY and rest:
            found.append(str((root / rest.pop(0)).resolve()))
            found += [rest.pop(0)] if _ARITY[word] > 1 and rest else []
    return tuple(found)


@functools.lru_cache(maxsize=32)
def theorems_of(file: Path, options: tuple[str, ...], project: str) -> tuple[Theorem, ...]:
    """The theorems of a file; those of the last few files are kept.

    :raises DataError: it cannot be read.
    """
    return tuple(theorems_of_file(file, options, project=project))


def find_in_file(
    file: Path, wanted: Iterable[Wanted], options: tuple[str, ...], project: str
) -> Iterator[tuple[Wanted, Theorem | str]]:
    """Each wanted theorem, in the file's order, as it stands there; or why it cannot be told which it is.

    :raises DataError: the file cannot be read.
    """
    theorems = theorems_of(file, options, project)
    by_text: defaultdict[str, list[int]] = defaultdict(list)
    by_name: defaultdict[str, list[int]] = defaultdict(list)
    for number, theorem in enumerate(theorems):
        by_text[flat(theorem.statement)].append(number)
        by_name[theorem.name.rpartition(".")[2]].append(number)
    taken: set[int] = set()
    found: list[tuple[int, Wanted, Theorem | str]] = []
    for item in wanted:
        numbers = by_text[item.statement] if item.statement else _named(item, file, theorems, by_name)
        if item.statement and not numbers:
            numbers = by_name[item.name]
        free = [number for number in numbers if number not in taken]
        if free and (item.statement or len(free) == 1):
            taken.add(free[0])
            found.append((free[0], item, theorems[free[0]]))
        else:
            reason = (
                "not in its source file"
                if not free
                else "more than one theorem of its source file has its name"
            )
            found.append((len(theorems), item, reason))
    yield from ((item, theorem) for _, item, theorem in sorted(found, key=lambda row: row[0]))


def _named(item: Wanted, file: Path, theorems: Sequence[Theorem], by_name: dict[str, list[int]]) -> list[int]:
    """By name; a ``Goal_62`` is the sentence of that number."""
    goal = _GOAL.fullmatch(item.name)
    if goal is None or by_name.get(item.name):
        return by_name.get(item.name, [])
    sentences = parse_document(read_source(file)).sentences
    if int(goal[1]) >= len(sentences):
        return []
    start = sentences[int(goal[1])].start
    return [n for n, t in enumerate(theorems) if t.span is not None and t.span.start == start]
