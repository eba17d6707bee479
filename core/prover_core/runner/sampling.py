"""Which theorems of a data source are attempted: globs, a seeded sample, a limit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from prover_core.types import Theorem

__all__ = ["select_theorems"]


def select_theorems(
    theorems: Iterable[Theorem],
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    sample: int | None = None,
    seed: int = 0,
    limit: int | None = None,
) -> list[Theorem]:
    """The theorems to attempt, in the source's own order.

    First ``only`` and ``skip`` (shell globs, matched against id and name; a theorem is kept if any of
    ``only`` matches, or there is none, and no ``skip`` does), then ``sample`` of them, then the first
    ``limit``. The sample is drawn by a hash of seed and id: adding a theorem to the source moves at most
    one of the others out of it, and every machine draws the same.
    """
    kept: Iterable[Theorem] = (t for t in theorems if _wanted(t, only, skip))
    if sample is not None:
        everything = list(kept)
        ranked = sorted(range(len(everything)), key=lambda i: _rank(seed, everything[i].id))
        kept = [everything[i] for i in sorted(ranked[: max(sample, 0)])]
    if limit is None:
        return list(kept)
    chosen: list[Theorem] = []
    for theorem in kept:
        if len(chosen) >= limit:
            break
        chosen.append(theorem)
    return chosen


def _wanted(theorem: Theorem, only: Sequence[str], skip: Sequence[str]) -> bool:
    if only and not any(_matches(theorem, glob) for glob in only):
        return False
    return not any(_matches(theorem, glob) for glob in skip)


def _matches(theorem: Theorem, glob: str) -> bool:
    return fnmatchcase(theorem.id, glob) or fnmatchcase(theorem.name, glob)


def _rank(seed: int, theorem_id: str) -> bytes:
    return hashlib.blake2b(f"{seed}\x00{theorem_id}".encode(), digest_size=16).digest()
