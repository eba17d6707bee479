"""The run directory: made, resumed, read. The one place that knows its file names."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import yaml
from pydantic import ValidationError

from prover_core.errors import RunStoreError
from prover_core.store.files import AppendFile, cut_torn_tail, disk_problem, write_atomically
from prover_core.store.lock import RunLock
from prover_core.store.log import LOG_FILE, RunLog
from prover_core.store.provenance import Provenance
from prover_core.store.records import AttemptRecord, AttemptStatus
from prover_core.store.results import (
    Key,
    Scanned,
    parse_line,
    read_results,
    scan_results,
    superseded_lines,
)
from prover_core.store.trajectories import AttemptTrajectory, TrajectoryFolder, TrajectoryRow

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RunStore"]

_CONFIG = "config.yaml"
_PROVENANCE = "provenance.json"
_RESULTS = "results.jsonl"
_LOCK = "lock"
_TRAJECTORIES = "trajectories"

_ADOPT_BYTES = 1 << 20


class RunStore:
    """One run directory. Made by :meth:`create`, :meth:`resume` (both may write) or :meth:`open` (reads).

    Use it as a context manager. ``append`` and ``log`` may be called from several threads.
    """

    def __init__(self, path: Path) -> None:
        """For the class methods only."""
        self.path = path
        self.repairs: tuple[str, ...] = ()
        """What :meth:`resume` had to put right (a line cut short by a kill) or to leave out, in words."""
        self.changes: tuple[str, ...] = ()
        """How this session's provenance differs from that of the run's beginning; to be shown."""
        self._write_lock = threading.Lock()
        self._run_lock: RunLock | None = None
        self._results: AppendFile | None = None
        self._log: RunLog | None = None
        self._trajectories: TrajectoryFolder | None = None

    # --- made -------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: Path,
        config: Mapping[str, Any],
        provenance: Provenance,
        *,
        trajectories: bool = True,
        fsync: bool = True,
    ) -> Self:
        """Make a new run directory (parents too). ``config`` becomes ``config.yaml``.

        A folder that holds nothing but a run's ``config.yaml`` is one that was killed at this point.

        ``fsync``: have each record on the disk itself, safe from a power cut, when :meth:`append` returns
        (some milliseconds each); without it a record survives a kill, and not a power cut.

        :raises RunStoreError: it exists and is not empty, or cannot be written.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            present = sorted(p.name for p in path.iterdir() if p.name != _LOCK and p.suffix != ".tmp")
        except OSError as error:
            raise disk_problem(path, error, "no run directory was made") from error
        if present and not (present == [_CONFIG] and "origins" in cls(path).config):
            is_run = _PROVENANCE in present or _RESULTS in present
            resume = f" To go on with the run in it: prover run --resume {path}" if is_run else ""
            msg = f"{path} is not empty (it holds {present[0]}): choose another --out folder.{resume}"
            raise RunStoreError(msg)
        store = cls(path)
        store._run_lock = RunLock(path / _LOCK)
        try:
            write_atomically(path / _CONFIG, _yaml(config))
            write_atomically(path / _PROVENANCE, provenance.model_dump_json(indent=2).encode() + b"\n")
            if trajectories:
                store._make_trajectories(fsync=fsync)
            store._start(fsync=fsync)
        except BaseException:
            store._let_go()
            raise
        return store

    @classmethod
    def resume(cls, path: Path, provenance: Provenance | None = None, *, fsync: bool = True) -> Self:
        """Open for going on: takes the lock, cuts off a torn last line, recovers trajectories.

        With the ``provenance`` of this session, what differs from the first one's is in :attr:`changes`.

        :raises RunStoreError: no run there, another process is writing to it, or a line in the middle is
            bad (nothing is changed then).
        """
        _need_run(path)
        store = cls(path)
        store._run_lock = RunLock(path / _LOCK)
        try:
            store.repairs = store._repair()
            begun = store.results_path.exists()  # else it was killed while its files were made
            if (path / _TRAJECTORIES).is_dir() or (not begun and store.config.get("trajectories")):
                store._make_trajectories(fsync=fsync)
                store.repairs += tuple(store.foreign())
            store._start(fsync=fsync)
            if provenance is not None:
                store.changes = tuple(store.provenance.differences(provenance))
            store.log("resumed", repairs=store.repairs, changes=store.changes)
        except BaseException:
            store._let_go()
            raise
        return store

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open for reading; a run that is still going on may be read.

        :raises RunStoreError: no run there.
        """
        _need_run(path)
        return cls(path)

    # --- read -------------------------------------------------------------------------------------

    @property
    def config(self) -> dict[str, Any]:
        """``config.yaml`` as it was written.

        :raises RunStoreError: it cannot be read.
        """
        try:
            loaded = yaml.safe_load((self.path / _CONFIG).read_text(encoding="utf-8"))
        except OSError as error:
            raise disk_problem(self.path / _CONFIG, error, "it cannot be read") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            msg = f"{self.path / _CONFIG} is not readable YAML: {error}. Put it right, or start a new run."
            raise RunStoreError(msg) from error
        return loaded if isinstance(loaded, dict) else {}

    @property
    def provenance(self) -> Provenance:
        """``provenance.json`` as it was written when the run began.

        :raises RunStoreError: it cannot be read.
        """
        file = self.path / _PROVENANCE
        try:
            return Provenance.model_validate_json(file.read_bytes())
        except OSError as error:
            raise disk_problem(file, error, "it cannot be read") from error
        except ValidationError as error:
            msg = f"{file} is damaged: {error}. The results beside it are not touched by that."
            raise RunStoreError(msg) from error

    @property
    def results_path(self) -> Path:
        """``results.jsonl``."""
        return self.path / _RESULTS

    def records(self) -> Iterator[AttemptRecord]:
        """Every recorded attempt, oldest first, as a stream; one that was made again is given once, the last.

        :raises RunStoreError: a line is not a record; the message has its number.
        """
        superseded = superseded_lines(self.results_path)
        for number, record in read_results(self.results_path):
            if number not in superseded:
                yield record

    def statuses(self) -> dict[Key, AttemptStatus]:
        """(theorem id, attempt) -> how it ended; the last word where it was made again."""
        return {line.key: line.status for line in scan_results(self.results_path)}

    def done_ids(self, retry: frozenset[AttemptStatus] = frozenset()) -> set[Key]:
        """(theorem id, attempt) of what is done, without what ended in one of ``retry``."""
        return {key for key, status in self.statuses().items() if status not in retry}

    def last_lines(self) -> Iterator[Scanned]:
        """What :meth:`records` gives, without making records: quicker, and as a stream."""
        superseded = superseded_lines(self.results_path)
        return (line for line in scan_results(self.results_path) if line.number not in superseded)

    def counts(self) -> Counter[AttemptStatus]:
        """How many attempts ended how; the last word where one was made again."""
        return Counter(line.status for line in self.last_lines())

    def uids(self) -> set[str]:
        """Of every recorded attempt, the last where one was made again."""
        return {line.uid for line in self.last_lines()}

    def trajectory_rows(self) -> Iterator[TrajectoryRow]:
        """Every tactic tried, of recorded attempts only, as a stream; nothing where none were written."""
        folder = self.trajectory_folder()
        return iter(()) if folder is None else folder.rows(self.uids())

    def trajectory_folder(self) -> TrajectoryFolder | None:
        """The trajectories, for reading; ``None``: this run keeps none."""
        folder = self.path / _TRAJECTORIES
        return TrajectoryFolder(folder) if folder.is_dir() else None

    def foreign(self) -> list[str]:
        """What lies among the trajectories and is not of this run, in words; to be shown."""
        folder = self.trajectory_folder()
        strangers = [] if folder is None else folder.foreign()
        return [f"{path} is not a file of this run: it is not read, and left as it is" for path in strangers]

    def trajectory_batches(self) -> Iterator[pa.RecordBatch]:
        """The same rows as :meth:`trajectory_rows`, as Arrow batches: for counting many of them."""
        folder = self.trajectory_folder()
        return iter(()) if folder is None else folder.batches(self.uids())

    # --- written ----------------------------------------------------------------------------------

    @property
    def writable(self) -> bool:
        """Made by :meth:`create` or :meth:`resume`, and not closed."""
        return self._results is not None

    def trajectory(self, uid: str, theorem_id: str, attempt: int) -> AttemptTrajectory | None:
        """Where the steps of one attempt are collected; ``None``: this run keeps none."""
        if self._trajectories is None:
            return None
        return self._trajectories.begin(uid, theorem_id, attempt)

    def append(
        self,
        record: AttemptRecord,
        trajectory: AttemptTrajectory | None = None,
        path: tuple[int, ...] = (),
    ) -> None:
        """Write one record; when this returns it survives a kill. Its steps are written before it.

        ``path``: the nodes of the proof, where the check has agreed to it: their steps are labelled
        ``positive``.

        :raises RunStoreError: it could not be written; the results are as they were before.
        """
        with self._write_lock:
            results = self._writable_results()
            if trajectory is not None and self._trajectories is not None:
                self._trajectories.commit(trajectory, path if record.proved else ())
            results.append(record.to_line())

    def append_remote(self, record: AttemptRecord, frames: Iterable[bytes]) -> None:
        """Like :meth:`append`, for an attempt made in another process: its steps come as whole frames.

        :raises RunStoreError: it could not be written, or a frame is damaged; the results are as before.
        """
        with self._write_lock:
            results = self._writable_results()
            if self._trajectories is not None:
                self._trajectories.commit_frames(frames)
            results.append(record.to_line())

    def adopt(self, source: RunStore, uids: Collection[str]) -> None:
        """Take over these attempts of another run, with their steps. The other run is only read.

        Safe to make again after a kill: steps that are here already are not written twice; attempts that
        are must not be named.

        :raises RunStoreError: it could not be written, or the other run is damaged.
        """
        with self._write_lock:
            results = self._writable_results()
            steps = source.trajectory_folder()
            if self._trajectories is not None and steps is not None:
                self._trajectories.adopt(steps, uids)
            lines: list[bytes] = []
            size = 0
            for record in source.records():
                if record.uid in uids:
                    lines.append(record.to_line())
                    size += len(lines[-1])
                if size >= _ADOPT_BYTES:
                    results.append(b"".join(lines))
                    lines, size = [], 0
            if lines:
                results.append(b"".join(lines))

    def log(self, event: str, **fields: object) -> None:
        """A line in ``log.jsonl``; dropped where the store is not open for writing."""
        if self._log is not None:
            self._log.write(event, **fields)

    def flush(self) -> None:
        """Write the trajectories that are still in the journal as a Parquet part.

        :raises RunStoreError: it could not be written; the journal is kept, and read all the same.
        """
        with self._write_lock:
            if self._trajectories is not None:
                self._trajectories.finish_part()

    def close(self) -> None:
        """Finish the trajectories, let the lock go. Calling it twice is fine.

        Where the last Parquet part cannot be written, its journal stays, and the next :meth:`resume` makes
        the part: nothing is lost, so nothing is raised.
        """
        if self._results is None:
            return
        try:
            self.flush()
        except RunStoreError as error:
            self.log("flush_failed", error=str(error))
        finally:
            self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- inside -----------------------------------------------------------------------------------

    def _writable_results(self) -> AppendFile:
        if self._results is None:
            msg = f"{self.path} was opened for reading; open it with RunStore.resume to go on with the run"
            raise RunStoreError(msg)
        return self._results

    def _make_trajectories(self, *, fsync: bool) -> None:
        self._trajectories = TrajectoryFolder(self.path / _TRAJECTORIES, fsync=fsync)
        self._trajectories.prepare(self.uids)

    def _start(self, *, fsync: bool) -> None:
        self._log = RunLog(self.path / LOG_FILE)
        self._results = AppendFile(self.path / _RESULTS, fsync=fsync)

    def _repair(self) -> tuple[str, ...]:
        """Make ``results.jsonl`` end in a whole line; read it all first, so that damage changes nothing."""
        repairs = [self._run_lock.warning] if self._run_lock and self._run_lock.warning else []
        whole = sum(1 for _ in read_results(self.results_path))
        tail = cut_torn_tail(self.results_path)
        if tail and parse_line(tail) is not None:
            file = AppendFile(self.results_path, fsync=True)
            file.append(tail + b"\n")
            file.close()
        elif tail:
            repairs.append(
                f"the last line of {self.results_path} was cut short ({len(tail)} bytes) when the run was "
                f"killed; it was removed, and its theorem is attempted again; {whole} whole lines are kept"
            )
        return tuple(repairs)

    def _let_go(self) -> None:
        for part in (self._results, self._log, self._trajectories, self._run_lock):
            if part is not None:
                part.close()
        self._results = None
        self._log = None
        self._trajectories = None
        self._run_lock = None


def _need_run(path: Path) -> None:
    if not path.is_dir():
        msg = f"There is no run at {path}. A run directory is what `prover run --out DIR` makes."
        raise RunStoreError(msg)
    if not (path / _PROVENANCE).is_file():
        msg = (
            f"{path} is not a run directory: it has no {_PROVENANCE}. Name the folder that `prover run` made."
        )
        raise RunStoreError(msg)


def _yaml(config: Mapping[str, Any]) -> bytes:
    text = yaml.safe_dump(
        json.loads(json.dumps(config, default=str)), sort_keys=False, allow_unicode=True, width=110
    )
    return text.encode(errors="backslashreplace")
