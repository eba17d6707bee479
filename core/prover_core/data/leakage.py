"""Near-duplicates: proofs of one dataset that are copies, across the parts of a split or across projects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prover_core.data.normalise import hashes
from prover_core.records import ProofRecord

__all__ = ["LeakReport", "Leaks", "find_leaks"]

LEVELS = ("text", "shape", "proof")
_LONG_PROOF = 4
"""Proofs of fewer steps that are not structural are alike by nature."""
_EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Leaks:
    """Proofs of one part that have a copy in the part that is trained on."""

    ids: frozenset[str]
    examples: tuple[tuple[str, str], ...] = ()
    """(id, id of its copy in the other part), a few."""


@dataclass(frozen=True, slots=True)
class LeakReport:
    """How much of each part is in another."""

    sizes: Mapping[str, int]
    """Part -> proofs."""
    leaks: Mapping[tuple[str, str], Leaks] = field(default_factory=dict)
    """(part, level) -> proofs of it with a copy in ``train``; level: ``text``, ``shape`` or ``proof``."""
    across_projects: Mapping[str, int] = field(default_factory=dict)
    """Level -> hashes that occur in more than one project."""
    train_copies: frozenset[str] = frozenset()
    """Training proofs whose statement (by shape) is that of a proof in another part."""

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "sizes": dict(self.sizes),
            "leaks": [
                {
                    "part": part,
                    "same": level,
                    "count": len(found.ids),
                    "share": round(len(found.ids) / max(1, self.sizes.get(part, 0)), 4),
                    "examples": [list(pair) for pair in found.examples],
                }
                for (part, level), found in self.leaks.items()
            ],
            "across_projects": dict(self.across_projects),
            "train_copies": len(self.train_copies),
        }


def find_leaks(records: Iterable[ProofRecord], assignment: Mapping[str, str]) -> LeakReport:
    """Compare the parts of a split; what is in no part is passed over.

    Statements are compared by text and by shape, proofs by their sentences where they have at least four.
    Memory: about 300 bytes for each proof.
    """
    seen: dict[tuple[str, str], list[tuple[str, str]]] = {}  # (level, hash) -> (part, id)
    projects: dict[tuple[str, str], set[str]] = {}
    sizes: Counter[str] = Counter()
    for record in records:
        part = assignment.get(record.id)
        if part is None:
            continue
        sizes[part] += 1
        for key in _keys(record):
            seen.setdefault(key, []).append((part, record.id))
            projects.setdefault(key, set()).add(record.project)
    across = Counter(level for (level, _), where in projects.items() if len(where) > 1)
    leaks = {
        (part, level): _leaks(seen, part, level) for part in sizes if part != "train" for level in LEVELS
    }
    copies = frozenset(
        id
        for (level, _), members in seen.items()
        if level == "shape" and len({part for part, _ in members}) > 1
        for part, id in members
        if part == "train"
    )
    return LeakReport(dict(sizes), leaks, {level: across[level] for level in LEVELS}, copies)


def _keys(record: ProofRecord) -> list[tuple[str, str]]:
    found = hashes(record)
    keys = [("text", found.text), ("shape", found.shape)]
    if sum(not step.structural for step in record.steps) >= _LONG_PROOF:
        keys.append(("proof", found.proof))
    return [(level, hash) for level, hash in keys if hash]


def _leaks(seen: Mapping[tuple[str, str], list[tuple[str, str]]], part: str, level: str) -> Leaks:
    ids: set[str] = set()
    examples: list[tuple[str, str]] = []
    for (of, _), members in seen.items():
        if of != level:
            continue
        trained = next((id for where, id in members if where == "train"), None)
        if trained is None:
            continue
        mine = [id for where, id in members if where == part]
        ids.update(mine)
        if mine and len(examples) < _EXAMPLES:
            examples.append((mine[0], trained))
    return Leaks(frozenset(ids), tuple(examples))
