"""Copies across repositories: the same statement, or the same proof, in more than one of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from prover_core.data.files import replacing
from prover_core.data.lines import parse_json, read_lines

__all__ = ["find_duplicates"]

_LEVELS = ("shape", "proof")
_SHOWN = 20


def find_duplicates(dates: Iterable[Path], out: Path) -> dict[str, int]:
    """Write the groups of copies, one a line, the largest first; how many there are of each level.

    Levels: ``shape``, statements that differ in the names of bound variables at most; ``proof``, proofs of
    four sentences or more that are equal. A group has members in at least two repositories. Memory: about
    300 bytes a theorem.
    """
    groups: dict[tuple[str, str], list[tuple[str, str, str, str]]] = {}
    for path in dates:
        for line in read_lines(path):
            value, problem = parse_json(line.data)
            if problem or not isinstance(value, dict):
                continue  # a line that cannot be read is no copy of anything
            member = (path.stem, value.get("file", ""), value.get("theorem", ""), value.get("first_seen", ""))
            for level in _LEVELS:
                if digest := value.get(level):
                    groups.setdefault((level, digest), []).append(member)
    found = []
    for (level, digest), members in groups.items():
        repositories = {member[0] for member in members}
        if len(repositories) > 1:
            found.append((len(members), level, digest, repositories, members))
    found.sort(key=lambda group: (-group[0], group[1], group[2]))
    with replacing(out) as file:
        for count, level, digest, repositories, members in found:
            shown = sorted(members, key=lambda member: (member[3] or "9", member))[:_SHOWN]
            group = {
                "level": level,
                "hash": digest,
                "count": count,
                "repositories": sorted(repositories),
                "members": [
                    dict(zip(("repository", "file", "theorem", "first_seen"), m, strict=True)) for m in shown
                ],
            }
            file.write(json.dumps(group, ensure_ascii=False).encode() + b"\n")
    counts = Counter(group[1] for group in found)
    return {level: counts[level] for level in _LEVELS}
