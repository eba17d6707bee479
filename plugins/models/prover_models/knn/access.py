"""What a theorem may learn from: the steps that come before it, and no others.

Before it come the proofs that end before its statement begins, in its own file, and all proofs of the files
that were loaded there. A file is known again by the hash of its text, so that positions mean the same.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prover_core.errors import DataError
from prover_core.records import ProofRecord
from prover_core.types import Theorem
from prover_models.knn.index import Index

__all__ = ["Access", "Reach"]

_REQUIRE = re.compile(
    r"(?:From\s+(?P<prefix>[\w.]+)\s+)?\bRequire\b(?:\s+(?:Import|Export))?\s+(?P<names>[\w.\s]*?)\.(?=\s|$)"
)
_PRELUDE = ".Init."


@dataclass(frozen=True, slots=True)
class Reach:
    """The rows of an index that a theorem may learn from."""

    allowed: NDArray[np.bool_]
    """For each row."""
    own_file: int
    """The theorem's file in the index; -1: the index does not know it."""
    position: int
    """Where its statement starts in that file."""
    sections: str
    modules: str
    project: str


class Access:
    """Finds what comes before a theorem. Not for several threads at a time."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._by_module: dict[str, list[int]] = {}
        self._by_hash: dict[str, list[int]] = {}
        for number, part in enumerate(index.files):
            self._by_module.setdefault(part.module, []).append(number)
            if part.sha256:
                self._by_hash.setdefault(part.sha256, []).append(number)
        rows = index.proof_of
        self._file_of = np.array([proof.file for proof in index.proofs], dtype=np.int32)[rows]
        self._end_of = np.array([proof.end for proof in index.proofs], dtype=np.int64)[rows]
        self._starts: dict[int, list[int]] = {}
        for at, proof in enumerate(index.proofs):
            self._starts.setdefault(proof.file, []).append(at)

    def knows(self, theorem: Theorem) -> bool:
        """Whether the index holds the theorem's file, as it is now."""
        return self._own_file(theorem) >= 0

    def requires(self, theorem: Theorem) -> tuple[str, ...] | None:
        """Modules loaded at a theorem of a file that the index holds; ``None``: it does not hold it."""
        own = self._own_file(theorem)
        return self._place(own, _start(theorem))[0] if own >= 0 else None

    def of(self, theorem: Theorem, requires: Iterable[str] | None = None) -> Reach:
        """The rows before a theorem.

        :param requires: modules loaded there, where the caller knows better than the index.
        """
        own = self._own_file(theorem)
        position = _start(theorem)
        sections = modules = project = ""
        if own >= 0:
            recorded, sections, modules = self._place(own, position)
            requires = recorded if requires is None else requires
            project = self._index.files[own].project
        elif requires is None:
            requires = self._required_by_text(_prefix(theorem))
        # itself and its copies: only what precedes
        allowed = self._files(requires, self._same_text(theorem))[self._file_of]
        if own >= 0:
            allowed |= (self._file_of == own) & (self._end_of <= position)
        return Reach(allowed, own, position, sections, modules, project or theorem.project)

    def of_record(self, proof: ProofRecord) -> Reach:
        """The rows before a proof that the index was made from, among others.

        :raises DataError: the index does not hold its file, or it has no position.
        """
        own = next((n for n, part in enumerate(self._index.files) if part.source == proof.file), -1)
        if own < 0 or proof.position is None:
            message = f"{proof.id} is not among the proofs of this index"
            raise DataError(message)
        start = proof.position.start
        allowed = self._files(proof.requires, {own})[self._file_of]
        allowed |= (self._file_of == own) & (self._end_of <= start)
        return Reach(allowed, own, start, "/".join(proof.sections), ".".join(proof.modules), proof.project)

    def _files(self, modules: Iterable[str], without: Iterable[int]) -> NDArray[np.bool_]:
        files = np.zeros(len(self._index.files), dtype=np.bool_)
        for module in modules:
            files[self._by_module.get(module, [])] = True
        files[list(without)] = False
        return files

    def _own_file(self, theorem: Theorem) -> int:
        if theorem.file is None or theorem.span is None:
            return -1
        known = self._by_hash.get(_file_hash(theorem.file), [])
        name = theorem.id.partition(":")[0]
        return next((n for n in known if self._index.files[n].source == name), known[0] if known else -1)

    def _same_text(self, theorem: Theorem) -> list[int]:
        """Files with the text of the theorem's, and an older or newer version under the same name."""
        if theorem.file is None:
            return []
        name = theorem.id.partition(":")[0]
        same = [n for n, part in enumerate(self._index.files) if part.source == name]
        return same + self._by_hash.get(_file_hash(theorem.file), [])

    def _place(self, file: int, position: int) -> tuple[tuple[str, ...], str, str]:
        """Modules loaded at a place of a known file, and the sections and modules open there."""
        proofs = [self._index.proofs[at] for at in self._starts.get(file, [])]
        here = next((proof for proof in proofs if proof.start == position), None)
        if here is None:
            here = max(
                (proof for proof in proofs if proof.start < position),
                key=lambda proof: proof.start,
                default=proofs[0] if proofs else None,
            )
        if here is None:
            return (), "", ""
        return self._index.requires[here.requires], here.sections, here.modules

    def _required_by_text(self, text: str) -> set[str]:
        """Modules that a text loads, as far as the index knows them, with what they load in turn."""
        found = {module for module in self._by_module if _PRELUDE in f".{module}"}
        for match in _REQUIRE.finditer(text):
            for name in match["names"].split():
                ends = f".{name}"
                starts = f"{match['prefix']}." if match["prefix"] else ""
                found |= {
                    module
                    for module in self._by_module
                    if f".{module}".endswith(ends) and module.startswith(starts)
                }
        for module in tuple(found):
            for number in self._by_module[module]:
                found.update(self._index.files[number].requires)
        return found


def _start(theorem: Theorem) -> int:
    return theorem.span.start if theorem.span is not None else 0


def _prefix(theorem: Theorem) -> str:
    """The text before a theorem; empty where it cannot be read (the environment will say so)."""
    if theorem.file is None or theorem.span is None:
        return theorem.preamble
    try:
        return Path(theorem.file).read_text(encoding="utf-8")[: theorem.span.start]
    except (OSError, UnicodeDecodeError):
        return ""


@functools.lru_cache(maxsize=256)
def _file_hash(file: str) -> str:
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return ""
