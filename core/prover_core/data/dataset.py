"""The dataset folder: what extractors write, and everything else reads.

::

    DIR/manifest.json              prover, toolchain, project, licence, counts, options
    DIR/parts.json                 source file -> hash, toolchain, counts: what makes extraction incremental
    DIR/proofs/<part>.jsonl        one ProofRecord a line; one part for each source file
    DIR/declarations/<part>.jsonl  one DeclarationRecord a line: what the file declares, in order
    DIR/failures/<part>.jsonl      one FailureRecord a line, where there are any
    DIR/failures.jsonl             all failures
    DIR/proofs.parquet             all proofs, one row each, lossless
    DIR/steps.parquet              all steps, one row each, with the states before and after as text

A part is written whole and renamed into place. The last three are made at the end, from the parts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prover_core.data.files import FolderLock, disk_error, replacing, write_whole
from prover_core.data.lines import Problems, read_records, validation_reason
from prover_core.data.parts import PartIndex, PartInfo, part_file, write_part_files
from prover_core.errors import DataError
from prover_core.records import SCHEMA_VERSION, DeclarationRecord, FailureRecord, ProofRecord

__all__ = ["Counts", "Dataset", "Manifest"]

_MANIFEST = "manifest.json"
_Record = TypeVar("_Record", ProofRecord, DeclarationRecord, FailureRecord)


class Counts(BaseModel):
    """What a dataset holds."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    files: int = 0
    proofs: int = 0
    proofs_with_states: int = 0
    steps: int = 0
    declarations: int = 0
    failures: int = 0


class Manifest(BaseModel):
    """What a dataset is, and where it comes from."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: Annotated[int, Field(ge=1)] = SCHEMA_VERSION
    prover: str
    toolchain: str = ""
    project: str = ""
    """Repository or library; several: separated by commas."""
    licence: str = ""
    created_at: str = ""
    """ISO date and time, UTC."""
    finished_at: str = ""
    """When it was last completed; empty: never."""
    seconds: float = 0.0
    """Time that the parts took, added up over workers."""
    counts: Counts = Counts()
    """As of ``finished_at``."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the extractor."""


class Dataset:
    """A dataset folder, opened for reading (:meth:`open`) or for writing and reading (:meth:`create`)."""

    def __init__(self, path: Path, manifest: Manifest, index: PartIndex, lock: FolderLock | None) -> None:
        """Use :meth:`create` or :meth:`open`."""
        self.path = path
        self.manifest = manifest
        self._index = index
        self._lock = lock
        self._stale = not manifest.finished_at
        self._change = threading.Lock()

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        prover: str,
        toolchain: str = "",
        project: str = "",
        licence: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> Self:
        """Begin a dataset, or go on with the one that is there.

        :param options: of the extractor, for the record; must be fit for JSON.
        :raises DataError: the folder holds something else, data of another prover, or cannot be written;
            or another process is writing to it.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            foreign = not (path / _MANIFEST).exists() and any(
                entry.name not in (".lock", "parts.json", "parts.journal") for entry in path.iterdir()
            )
        except OSError as error:
            raise disk_error(path, error) from error
        if foreign:
            msg = f"{path} is not empty and holds no dataset; choose another folder for the data"
            raise DataError(msg)
        lock = FolderLock(path / ".lock")
        try:
            old = _read_manifest(path) if (path / _MANIFEST).exists() else None
            if old is not None and old.prover != prover:
                msg = f"{path} holds data of {old.prover}; choose another folder for data of {prover}"
                raise DataError(msg)
            index = PartIndex(path)
            finished = old if old is not None and not index.unfinished else Manifest(prover=prover)
            manifest = Manifest(
                prover=prover,
                toolchain=toolchain,
                project=project,
                licence=licence,
                created_at=old.created_at if old else _now(),
                finished_at=finished.finished_at,
                seconds=finished.seconds,
                counts=finished.counts,
                options=dict(options or {}),
            )
            dataset = cls(path, manifest, index, lock)
            index.compact()  # a line that a kill cut short must not swallow the next one
            for leftover in path.glob("**/.*.tmp"):
                leftover.unlink(missing_ok=True)
            dataset._write_manifest()
        except BaseException:
            lock.close()
            raise
        return dataset

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a dataset for reading; it may be one that is being written.

        :raises DataError: there is none, or it is malformed.
        """
        if not (path / _MANIFEST).is_file():
            what = "holds no dataset (no manifest.json)" if path.is_dir() else "does not exist"
            msg = f"{path} {what}; `prover extract NAME TARGETS --out {path}` makes one"
            raise DataError(msg)
        return cls(path, _read_manifest(path), PartIndex(path), None)

    # --- reading

    @property
    def parts(self) -> Mapping[str, PartInfo]:
        """Source -> part, sorted by source."""
        return self._index.parts

    def proofs(self, parts: Iterable[str] | None = None) -> Iterator[ProofRecord]:
        """The proofs, one at a time, sorted by source; within a source in the order of the file.

        :param parts: sources to read, in that order; default: all.
        :raises DataError: a part is malformed or missing; names file and line.
        """
        return self._read("proofs", ProofRecord, parts)

    def declarations(self, parts: Iterable[str] | None = None) -> Iterator[DeclarationRecord]:
        """What the sources declare; see :meth:`proofs`."""
        return self._read("declarations", DeclarationRecord, parts)

    def failures(self, parts: Iterable[str] | None = None) -> Iterator[FailureRecord]:
        """What could not be extracted, and why; see :meth:`proofs`."""
        return self._read("failures", FailureRecord, parts)

    @property
    def proofs_parquet(self) -> Path:
        """All proofs as a table; there once the dataset is finished."""
        return self.path / "proofs.parquet"

    @property
    def steps_parquet(self) -> Path:
        """All steps as a table; there once the dataset is finished."""
        return self.path / "steps.parquet"

    # --- writing

    def part_done(self, source: str, sha256: str, toolchain: str) -> bool:
        """The source was extracted with this content and toolchain, and its files are whole."""
        return self._index.done(source, sha256, toolchain)

    def write_part(
        self,
        source: str,
        sha256: str,
        toolchain: str,
        proofs: Iterable[ProofRecord],
        declarations: Iterable[DeclarationRecord] = (),
        failures: Iterable[FailureRecord] = (),
        seconds: float = 0.0,
    ) -> PartInfo:
        """Write what one source gave, in place of what it gave before. Threads may do so at the same time.

        A worker in another process calls :func:`prover_core.data.parts.write_part_files` with
        :attr:`path`, and its parent :meth:`add_part` with the result.

        :raises DataError: it cannot be written.
        """
        part = write_part_files(self.path, source, sha256, toolchain, proofs, declarations, failures, seconds)
        self.add_part(part)
        return part

    def add_part(self, part: PartInfo) -> None:
        """Take in a part whose files have been written."""
        self._changes()
        self._index.add(part)

    def drop_part(self, source: str) -> None:
        """Forget a source (it is gone from the project) and delete its files."""
        self._changes()
        self._index.remove(source)

    def finish(self) -> Manifest:
        """Write ``failures.jsonl``, the tables, the index and the manifest. Memory use is flat.

        Where no part has changed since it was last done, nothing is. The dataset stays open; more parts may
        follow, and another ``finish``.

        :raises DataError: a part is malformed or missing, or a file cannot be written.
        """
        from prover_core.data.tables import write_tables  # here: brings pyarrow in

        parts = self.parts
        if not self._stale and self.proofs_parquet.exists() and self.steps_parquet.exists():
            return self.manifest
        with_states = write_tables(self.proofs(), self.proofs_parquet, self.steps_parquet)
        with replacing(self.path / "failures.jsonl") as file:
            for source, part in parts.items():
                if part.failed:
                    file.write(part_file(self.path, "failures", source).read_bytes())
        self._index.compact()
        counts = Counts(
            files=len(parts),
            proofs=sum(part.proofs for part in parts.values()),
            proofs_with_states=with_states,
            steps=sum(part.steps for part in parts.values()),
            declarations=sum(part.declarations for part in parts.values()),
            failures=sum(part.failed for part in parts.values()),
        )
        seconds = round(sum(part.seconds for part in parts.values()), 3)
        self.manifest = self.manifest.model_copy(
            update={"counts": counts, "finished_at": _now(), "seconds": seconds}
        )
        self._write_manifest()
        self._stale = False
        return self.manifest

    def close(self) -> None:
        """Let other processes write to the folder. Calling it twice is fine."""
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, kind: str, model: type[_Record], parts: Iterable[str] | None) -> Iterator[_Record]:
        known = self.parts
        for source in known if parts is None else parts:
            if source not in known:
                msg = f"{self.path} has no part {source!r}; it was not extracted"
                raise DataError(msg)
            if kind in known[source].size:
                yield from read_records(part_file(self.path, kind, source), model, Problems())

    def _changes(self) -> None:
        """Say on disk that the dataset is not finished, before the first change to it."""
        with self._change:
            if self._stale:
                return
            self.manifest = self.manifest.model_copy(update={"finished_at": ""})
            self._write_manifest()
            self._stale = True

    def _write_manifest(self) -> None:
        write_whole(self.path / _MANIFEST, self.manifest.model_dump_json(indent=1).encode() + b"\n")


def _read_manifest(path: Path) -> Manifest:
    file = path / _MANIFEST
    try:
        manifest = Manifest.model_validate_json(file.read_bytes())
    except ValidationError as error:
        msg = f"{file} is malformed: {validation_reason(error)}.\nExtract into another folder, or repair it."
        raise DataError(msg) from error
    except OSError as error:
        raise disk_error(file, error) from error
    if manifest.schema_version > SCHEMA_VERSION:
        msg = (
            f"{file} has schema version {manifest.schema_version}, and this Polyprover reads up to "
            f"{SCHEMA_VERSION}: update it"
        )
        raise DataError(msg)
    return manifest


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
