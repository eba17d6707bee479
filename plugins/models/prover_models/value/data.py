"""What value models learn from: the states of a run's searches, on the path of a proof and off it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from prover_core.errors import DataError
from prover_core.store import RunStore
from prover_core.store.trajectories import TrajectoryRow

__all__ = ["NothingToLearnError", "TheoremStates", "read_runs", "split_by_theorem"]


class NothingToLearnError(DataError):
    """The runs can be read, and hold nothing that a value model could be fitted to."""


@dataclass(frozen=True, slots=True)
class TheoremStates:
    """The states that searches for one theorem have expanded, but for the root, which is in every proof."""

    theorem_id: str
    statement: str
    positive: dict[str, int] = field(default_factory=dict)
    """State on the path of a verified proof -> least number of tactics from there to the end."""
    negative: tuple[str, ...] = ()
    """States off every path, without doubles, in the order in which they were found."""


def read_runs(runs: Iterable[Path]) -> list[TheoremStates]:
    """The theorems that the runs proved, in the order of their ids.

    Attempts that proved nothing are left out: whether their states lead anywhere is not known.

    :raises RunStoreError: one is no run directory, or is damaged.
    :raises NothingToLearnError: no run holds a trajectory of a proof.
    """
    statements: dict[str, str] = {}
    positive: dict[str, dict[str, int]] = defaultdict(dict)
    negative: dict[str, dict[str, None]] = defaultdict(dict)
    paths = list(runs)
    for path in paths:
        with RunStore.open(path) as store:
            proved = {record.uid: record for record in store.records() if record.proved}
            statements |= {record.theorem_id: record.statement for record in proved.values()}
            rows = (row for row in store.trajectory_rows() if row.uid in proved)
            for theorem_id, attempt in _attempts(rows):
                _collect(attempt, positive[theorem_id], negative[theorem_id])
    if not positive:
        shown = ", ".join(map(str, paths))
        message = (
            f"{shown}: no tactic of a verified proof is among the trajectories. A value model learns from "
            "runs that proved something and were made with trajectories (the default)"
        )
        raise NothingToLearnError(message)
    return [
        TheoremStates(
            name,
            statements[name],
            dict(positive[name]),
            tuple(state for state in negative[name] if state not in positive[name]),
        )
        for name in sorted(positive)
    ]


def split_by_theorem(
    theorems: Sequence[TheoremStates], held_out: float, seed: int
) -> tuple[list[TheoremStates], list[TheoremStates]]:
    """To learn from, and held out. A theorem's side depends on its statement and the seed alone.

    By the statement and not the id, so that a theorem that stands twice is not on both sides.
    """
    parts: tuple[list[TheoremStates], list[TheoremStates]] = ([], [])
    for theorem in theorems:
        key = f"{seed} {' '.join(theorem.statement.split()[2:])}"
        parts[crc32(key.encode()) % 10_000 < held_out * 10_000].append(theorem)
    return parts


def _attempts(rows: Iterable[TrajectoryRow]) -> Iterator[tuple[str, list[TrajectoryRow]]]:
    """The rows of one attempt after the other, which is how they lie in the files."""
    for _, group in itertools.groupby(rows, key=lambda row: row.uid):
        attempt = list(group)
        yield attempt[0].theorem_id, attempt


def _collect(rows: Sequence[TrajectoryRow], positive: dict[str, int], negative: dict[str, None]) -> None:
    path = {row.node: row for row in rows if row.label == "positive"}
    length = len(path)
    if not length:
        return
    steps = {node: length - place for place, node in enumerate(sorted(path, key=lambda n: path[n].depth))}
    for row in rows:
        if row.depth == 0:
            continue
        if row.node in steps:
            positive[row.state] = min(steps[row.node], positive.get(row.state, length))
        else:
            negative.setdefault(row.state)
