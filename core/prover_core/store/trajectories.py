"""``trajectories/``: every tactic that was tried, as Parquet parts, kill-safe and in bounded memory.

How a row gets there: the attempt's worker collects its rows (a long attempt spills them to a file of its
own); when the attempt ends and the rows can be labelled, they are appended to a *journal* of checksummed
frames, before the attempt's line goes to ``results.jsonl``; when the journal is large enough, it becomes
one Parquet part, written whole and renamed into place. After a kill the journal is read as far as it is
whole, so no recorded attempt is without its rows; rows of an attempt that was not recorded are dropped.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prover_core.contracts.search import StepEvent
from prover_core.errors import RunStoreError
from prover_core.store.files import AppendFile, disk_problem
from prover_core.store.frames import encode_frame, read_frames
from prover_core.store.records import writable_text
from prover_core.types import Advanced, Crashed, OutOfMemory, Rejected, Solved, TimedOut

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["AttemptTrajectory", "TrajectoryFolder", "TrajectoryRow"]

_MESSAGE_CHARACTERS = 200
_SPILL_ROWS = 2000
_SPILL_CHARACTERS = 4_000_000
_PART_BYTES = 64 << 20
_GROUP_ROWS = 50_000
_GROUP_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class TrajectoryRow:
    """One tactic tried: a row of a Parquet part."""

    uid: str
    """Of the attempt: ``AttemptRecord.uid``."""
    theorem_id: str
    attempt: int
    node: int
    """Node of the search that the tactic was tried in; the root is 0."""
    depth: int
    state: str
    """The goals, as text."""
    tactic: str
    logprob: float
    source: str
    outcome: str
    """``advanced``, ``solved``, ``rejected``, ``timed_out``, ``out_of_memory``, ``crashed``."""
    kind: str
    """Why it was rejected: ``tactic``, ``parse``, ``forbidden``; else empty."""
    message: str
    """What the prover said, at most 200 characters."""
    child: int | None
    """Node that it led to; ``None``: none, or one known already."""
    duplicate: bool
    """It led to a state that was known already."""
    ms: float
    """Time in the prover, in milliseconds."""
    label: str
    """``positive``: on the path of a proof that the check agreed to. ``negative``: the prover did not take
    it. ``unknown``: it was taken, and no proof through it is known."""


_COLUMNS = tuple(TrajectoryRow.__slots__)


class AttemptTrajectory:
    """Collects the rows of one attempt; used by one thread. Memory is bounded by spilling to a file."""

    def __init__(self, uid: str, theorem_id: str, attempt: int, folder: Path) -> None:
        self.uid = uid
        self._head = (uid, theorem_id, attempt)
        self._spill_path = folder / f".{uid}.spill"
        self._spill: AppendFile | None = None
        self._rows: list[tuple[Any, ...]] = []
        self._characters = 0
        self._node = -1
        self._state = ""

    def add(self, event: StepEvent) -> None:
        """One tactic tried.

        :raises RunStoreError: the spill file of a long attempt cannot be written.
        """
        if event.node != self._node:
            self._node = event.node
            self._state = str(event.state.goals)
            self._characters += len(self._state)
        suggestion = event.suggestion
        name, kind, message = _describe(event)
        self._rows.append(
            (
                *self._head,
                event.node,
                event.state.depth,
                self._state,
                suggestion.tactic,
                suggestion.logprob,
                suggestion.source,
                name,
                kind,
                message,
                event.child,
                event.duplicate,
                round(event.outcome.seconds * 1000, 3),
                "negative" if name not in ("advanced", "solved") else "unknown",
            )
        )
        self._characters += len(suggestion.tactic) + len(message) + 64
        if len(self._rows) >= _SPILL_ROWS or self._characters >= _SPILL_CHARACTERS:
            self._to_spill()

    def discard(self) -> None:
        """Forget the rows: the attempt is not recorded. Calling it twice is fine."""
        self._rows.clear()
        if self._spill is not None:
            self._spill.close()
            self._spill = None
            with contextlib.suppress(OSError):
                self._spill_path.unlink()

    def batches(self, path: tuple[int, ...]) -> Iterator[pa.RecordBatch]:
        """All rows, labelled; ``path``: the nodes of the verified proof from the root to the solved one."""
        edges = dict(itertools.pairwise(path))
        if self._spill is not None:
            for batch in read_frames(self._spill_path):
                yield _relabel(batch, edges)
        if self._rows:
            yield _relabel(_batch(self._rows), edges)

    def _to_spill(self) -> None:
        if self._spill is None:
            self._spill = AppendFile(self._spill_path, fsync=False)
        self._spill.append(encode_frame(_batch(self._rows)))
        self._rows.clear()
        self._characters = 0


class TrajectoryFolder:
    """The folder of a run. Not thread-safe: the run store serialises the calls."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._journal: AppendFile | None = None
        self._index = 0

    def prepare(self, recorded: Collection[str]) -> None:
        """Make the folder ready for writing: turn journals of a killed session into parts.

        :raises RunStoreError: the folder cannot be written; nothing is lost.
        """
        try:
            self._folder.mkdir(exist_ok=True)
            for leftover in [*self._folder.glob(".*.spill"), *self._folder.glob(".*.tmp")]:
                leftover.unlink()
            for journal in sorted(self._folder.glob("pending-*.journal")):
                self._to_part(journal, recorded)
            indices = [_index(p) for p in self._folder.glob("part-*.parquet")]
        except OSError as error:
            raise disk_problem(self._folder, error, "no step that was recorded is lost") from error
        self._index = max(indices, default=-1) + 1

    def begin(self, uid: str, theorem_id: str, attempt: int) -> AttemptTrajectory:
        """Collect the rows of one attempt."""
        return AttemptTrajectory(uid, theorem_id, attempt, self._folder)

    def commit(self, trajectory: AttemptTrajectory, path: tuple[int, ...]) -> None:
        """Make the rows of a finished attempt safe from a kill.

        :raises RunStoreError: they cannot be written; what was there before is intact.
        """
        if self._journal is not None and self._journal.size >= _PART_BYTES:
            self.finish_part()
        if self._journal is None:
            self._journal = AppendFile(self._folder / f"pending-{self._index:05d}.journal", fsync=False)
        for batch in trajectory.batches(path):
            self._journal.append(encode_frame(batch))
        trajectory.discard()

    def finish_part(self) -> None:
        """Turn the journal into a Parquet part; nothing where there is none.

        :raises RunStoreError: the part cannot be written; the journal is kept.
        """
        if self._journal is None:
            return
        try:
            self._to_part(self._journal.path, None)
        except OSError as error:
            raise disk_problem(self._journal.path, error, "the steps in it are kept") from error
        self._journal.close()
        self._journal = None
        self._index += 1

    def close(self) -> None:
        """Let go of the journal; it stays, and is read and recovered as it is."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def rows(self, recorded: Collection[str]) -> Iterator[TrajectoryRow]:
        """The rows of recorded attempts, as a stream, also while the run is going on.

        :raises RunStoreError: a part is damaged.
        """
        for index in self._indices():
            for batch in self._read(index):
                yield from (TrajectoryRow(**row) for row in batch.to_pylist() if row["uid"] in recorded)

    def _indices(self) -> Sequence[int]:
        found = [*self._folder.glob("part-*.parquet"), *self._folder.glob("pending-*.journal")]
        return sorted({_index(path) for path in found})

    def _read(self, index: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        part = self._folder / f"part-{index:05d}.parquet"
        if not part.exists():
            try:
                yield from read_frames(self._folder / f"pending-{index:05d}.journal")
            except FileNotFoundError:  # it has become a part in between
                if not part.exists():
                    return
            else:
                return
        try:
            with pq.ParquetFile(part) as file:
                yield from file.iter_batches(batch_size=10_000)
        except (OSError, pa.ArrowException) as error:
            msg = f"{part} is damaged: {error}. The results do not depend on it; move it away to go on."
            raise RunStoreError(msg) from error

    def _to_part(self, journal: Path, recorded: Collection[str] | None) -> None:
        """Write the part of a journal, rename it into place, remove the journal. A kill may come anywhere."""
        part = self._folder / f"part-{_index(journal):05d}.parquet"
        temporary = self._folder / f".{part.name}.tmp"
        if not part.exists():
            try:
                rows = _write_parquet(temporary, _groups(read_frames(journal), recorded))
                if rows:
                    os.replace(temporary, part)
            finally:
                temporary.unlink(missing_ok=True)
        journal.unlink()


def _write_parquet(path: Path, tables: Iterator[pa.Table]) -> int:
    """Write and sync a Parquet file; returns the number of rows. :raises OSError: it cannot be written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    with open(path, "wb") as file:
        try:
            with pq.ParquetWriter(file, _schema(), compression="zstd") as writer:
                for table in tables:
                    writer.write_table(table)
                    rows += table.num_rows
        except pa.ArrowException as error:
            raise OSError(str(error)) from error
        file.flush()
        os.fsync(file.fileno())
    return rows


def _groups(batches: Iterator[pa.RecordBatch], recorded: Collection[str] | None) -> Iterator[pa.Table]:
    """Small batches joined to tables of a good size for a row group, rows of unrecorded attempts left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if recorded is not None:
            batch = batch.filter(
                pc.is_in(batch.column("uid"), value_set=pa.array(list(recorded), pa.string()))
            )
        if batch.num_rows == 0:
            continue
        waiting.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _describe(event: StepEvent) -> tuple[str, str, str]:
    outcome = event.outcome
    match outcome:
        case Advanced():
            return "advanced", "", ""
        case Solved():
            return "solved", "", ""
        case Rejected():
            return "rejected", outcome.kind.value, _shorten(outcome.message)
        case TimedOut():
            return "timed_out", "", f"after {outcome.after_s:g} s"
        case OutOfMemory():
            return "out_of_memory", "", _shorten(outcome.detail)
        case Crashed():
            return "crashed", "", _shorten(outcome.detail)


def _shorten(text: str) -> str:
    return text if len(text) <= _MESSAGE_CHARACTERS else text[: _MESSAGE_CHARACTERS - 1] + "…"


def _index(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _schema() -> pa.Schema:
    import pyarrow as pa

    types: dict[str, pa.DataType] = {
        "attempt": pa.int32(),
        "node": pa.int32(),
        "depth": pa.int32(),
        "logprob": pa.float32(),
        "child": pa.int32(),
        "duplicate": pa.bool_(),
        "ms": pa.float32(),
    }
    return pa.schema([(name, types.get(name, pa.string())) for name in _COLUMNS])


def _batch(rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    import pyarrow as pa

    schema = _schema()
    columns = [
        pa.array([writable_text(v) for v in values] if field.type == pa.string() else values, type=field.type)
        for field, values in zip(schema, zip(*rows, strict=True), strict=True)
    ]
    return pa.record_batch(columns, schema=schema)


def _relabel(batch: pa.RecordBatch, edges: dict[int, int]) -> pa.RecordBatch:
    if not edges:
        return batch
    import pyarrow as pa

    nodes, children = batch.column("node").to_pylist(), batch.column("child").to_pylist()
    labels = [
        "positive" if child is not None and edges.get(node) == child else label
        for node, child, label in zip(nodes, children, batch.column("label").to_pylist(), strict=True)
    ]
    at = batch.schema.get_field_index("label")
    return batch.set_column(at, "label", pa.array(labels, pa.string()))
