"""``trajectories/``: every tactic that was tried, as Parquet parts, kill-safe and in bounded memory.

How a row gets there: the attempt's worker collects its rows (a long attempt spills them to a file of its
own); when the attempt ends and the rows can be labelled, they are appended to a *journal* of checksummed
frames, before the attempt's line goes to ``results.jsonl``; when the journal is large enough, it becomes
one Parquet part, written whole and renamed into place. After a kill the journal is read as far as it is
whole, so no recorded attempt is without its rows; rows of an attempt that was not recorded are dropped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prover_core.errors import RunStoreError
from prover_core.store.attempt_steps import AttemptTrajectory, TrajectoryRow, trajectory_schema
from prover_core.store.files import AppendFile, disk_problem
from prover_core.store.frames import encode_frame, frame_problem, read_frames

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["AttemptTrajectory", "TrajectoryFolder", "TrajectoryRow"]

_PART_BYTES = 64 << 20
_PART_ATTEMPTS = 50
"""A part is made of so many attempts, so that other programs see them; the journal is safe without it."""
_PARTS_PER_RUN = 100
"""In a long run a part is made of a hundredth of what there is: a million attempts make some 600 parts."""
_OWN_NAME = re.compile(r"(?:part-(\d{5,})\.parquet|pending-(\d{5,})\.journal)")
_GROUP_ROWS = 50_000
_GROUP_BYTES = 32 << 20
_JOINED = 256
"""So many small batches become one: a batch of a few rows takes some 16 KB, whatever is in it."""


class TrajectoryFolder:
    """The folder of a run. Not thread-safe: the run store serialises the calls."""

    def __init__(self, folder: Path, *, fsync: bool = True) -> None:
        """``fsync``: a part is on the disk itself before its journal is removed."""
        self._folder = folder
        self._fsync = fsync
        self._journal: AppendFile | None = None
        self._index = 0
        self._waiting = 0
        self._in_parts = 0

    def prepare(self, recorded: Callable[[], Collection[str]]) -> None:
        """Make the folder ready for writing: turn journals of a killed session into parts.

        ``recorded``: the uids whose rows are kept; asked only where there is a journal.

        :raises RunStoreError: the folder cannot be written; nothing is lost.
        """
        try:
            self._folder.mkdir(exist_ok=True)
            for leftover in [*self._folder.glob(".*.spill"), *self._folder.glob(".*.tmp")]:
                leftover.unlink()
            for journal in self._own("pending-*.journal"):
                self._to_part(journal, recorded())
            indices = [_index(path) for path in self._own("part-*.parquet")]
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
        self.commit_frames(encode_frame(batch) for batch in trajectory.batches(path))
        trajectory.discard()

    def commit_frames(self, frames: Iterable[bytes]) -> None:
        """The same for the rows of an attempt made elsewhere: :meth:`AttemptTrajectory.batches`, encoded.

        :raises RunStoreError: they cannot be written, or one is damaged.
        """
        if self._journal is not None and self._part_is_due(self._journal):
            self.finish_part()
        if self._journal is None:
            self._journal = AppendFile(self._folder / f"pending-{self._index:05d}.journal", fsync=False)
        for frame in frames:
            if problem := frame_problem(frame):
                msg = f"steps that came for {self._folder} are damaged: {problem}; they were not written"
                raise RunStoreError(msg)
            self._journal.append(frame)
        self._waiting += 1

    def _part_is_due(self, journal: AppendFile) -> bool:
        attempts = max(_PART_ATTEMPTS, self._in_parts // _PARTS_PER_RUN)
        return journal.size >= _PART_BYTES or self._waiting >= attempts

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
        self._in_parts += self._waiting
        self._waiting = 0

    def adopt(self, source: TrajectoryFolder, uids: Collection[str]) -> None:
        """Copy the rows of these attempts out of another run's folder, part by part, each part whole.

        Attempts whose rows are here already are left out, so that a copy broken off can be made again.

        :raises RunStoreError: they cannot be written, or a part is damaged.
        """
        self.finish_part()
        wanted = frozenset(uids) - self.distinct("uid")
        for index in source._indices() if wanted else ():
            part = self._folder / f"part-{self._index:05d}.parquet"
            temporary = self._folder / f".{part.name}.tmp"
            try:
                if _write_parquet(temporary, _groups(source._read(index), wanted), fsync=self._fsync):
                    os.replace(temporary, part)
                    self._index += 1
            except OSError as error:
                raise disk_problem(part, error, "the run that it comes from is untouched") from error
            finally:
                temporary.unlink(missing_ok=True)

    def distinct(self, column: str) -> set[str]:
        """The different values of a column of text (``theorem_id``, ``uid``), read without the others.

        Of a group of rows that holds one value, not even the column is read: the file's index says it.
        Rows of attempts that were not recorded are among them.

        :raises RunStoreError: a part is damaged.
        """
        return {value for index in self._indices() for value in self._distinct_in(index, column)}

    def foreign(self) -> list[Path]:
        """Parquet files and journals that are none of the run's (a copy made by hand): nobody reads them."""
        found = (path for path in self._folder.iterdir() if path.suffix in (".parquet", ".journal"))
        return sorted(path for path in found if not _OWN_NAME.fullmatch(path.name))

    def for_queries(self) -> tuple[list[Path], pa.Table]:
        """The Parquet parts, and the rows that are not in one yet. A run that is going on may be asked.

        :raises RunStoreError: a part is damaged.
        """
        import pyarrow as pa

        parts, waiting = [], []
        for index in self._indices():
            part = self._folder / f"part-{index:05d}.parquet"
            if not part.exists():
                waiting += list(self._read(index))
            else:
                _open(part).close()
                parts.append(part)
        return parts, pa.Table.from_batches(waiting, schema=trajectory_schema())

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

    def batches(self, recorded: Collection[str]) -> Iterator[pa.RecordBatch]:
        """The rows of recorded attempts, in batches of Arrow.

        :raises RunStoreError: a part is damaged.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        uids = pa.array(sorted(recorded), pa.string())
        for index in self._indices():
            for batch in self._read(index):
                yield batch.filter(pc.is_in(batch.column("uid"), value_set=uids))

    def _indices(self) -> Sequence[int]:
        return sorted({_index(path) for path in self._own("p*-*.*")})

    def _own(self, pattern: str) -> list[Path]:
        return sorted(path for path in self._folder.glob(pattern) if _OWN_NAME.fullmatch(path.name))

    def _read(self, index: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

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
            with _open(part) as file:
                yield from file.iter_batches(batch_size=10_000)
        except (OSError, pa.ArrowException) as error:
            raise _damaged(part, error) from error

    def _distinct_in(self, index: int, column: str) -> set[str]:
        import pyarrow as pa

        part = self._folder / f"part-{index:05d}.parquet"
        if not part.exists():
            return {
                value
                for batch in self._read(index)
                for value in batch.column(batch.schema.get_field_index(column)).unique().to_pylist()
            }
        found: set[str] = set()
        try:
            with _open(part, dictionary=[column]) as file:
                at = file.schema_arrow.get_field_index(column)
                for group in range(file.num_row_groups):
                    known = file.metadata.row_group(group).column(at).statistics
                    if known is not None and known.has_min_max and known.min == known.max:
                        found.add(known.min)
                        continue
                    for batch in file.iter_batches(row_groups=[group], columns=[column]):
                        found.update(batch.column(0).unique().to_pylist())
        except (OSError, pa.ArrowException) as error:
            raise _damaged(part, error) from error
        return found

    def _to_part(self, journal: Path, recorded: Collection[str] | None) -> None:
        """Write the part of a journal, rename it into place, remove the journal. A kill may come anywhere."""
        part = self._folder / f"part-{_index(journal):05d}.parquet"
        temporary = self._folder / f".{part.name}.tmp"
        if not part.exists():
            try:
                groups = _groups(read_frames(journal), recorded)
                rows = _write_parquet(temporary, groups, fsync=self._fsync)
                if rows:
                    os.replace(temporary, part)
            finally:
                temporary.unlink(missing_ok=True)
        journal.unlink()


def _write_parquet(path: Path, tables: Iterator[pa.Table], *, fsync: bool) -> int:
    """Write a Parquet file; returns the number of rows. :raises OSError: it cannot be written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    with open(path, "wb") as file:
        try:
            with pq.ParquetWriter(file, trajectory_schema(), compression="zstd") as writer:
                for table in tables:
                    writer.write_table(table)
                    rows += table.num_rows
        except pa.ArrowException as error:
            raise OSError(str(error)) from error
        if fsync:
            file.flush()
            os.fsync(file.fileno())
    return rows


def _groups(batches: Iterator[pa.RecordBatch], recorded: Collection[str] | None) -> Iterator[pa.Table]:
    """Small batches joined to tables of a good size for a row group, rows of unrecorded attempts left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(list(recorded), pa.string()) if recorded is not None else None
    small: list[pa.RecordBatch] = []
    joined: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if wanted is not None:
            batch = batch.filter(pc.is_in(batch.column("uid"), value_set=wanted))
        if batch.num_rows == 0:
            continue
        small.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if len(small) == _JOINED:
            joined += pa.Table.from_batches(small).combine_chunks().to_batches()
            small = []
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches([*joined, *small])
            small, joined, rows, size = [], [], 0, 0
    if small or joined:
        yield pa.Table.from_batches([*joined, *small])


def _open(part: Path, dictionary: Sequence[str] = ()) -> pq.ParquetFile:
    """:raises RunStoreError: it is damaged, or no part of a run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(part, read_dictionary=list(dictionary))
    except (OSError, pa.ArrowException) as error:
        raise _damaged(part, error) from error
    missing = [name for name in trajectory_schema().names if name not in file.schema_arrow.names]
    if missing:
        file.close()
        raise _damaged(part, f"it has no column {missing[0]!r}, so it is not from here")
    return file


def _damaged(part: Path, error: Exception | str) -> RunStoreError:
    why = str(error).rstrip(".")
    return RunStoreError(f"{part} is damaged: {why}. The results do not depend on it; move it away to go on.")


def _index(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
