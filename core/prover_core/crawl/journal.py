"""What became of each repository: one small file each, written whole, so that a crawl can be gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from prover_core.data.files import replacing, write_whole

__all__ = ["CrawlRecord", "Journal"]

_REVISION = 1


class CrawlRecord(BaseModel):
    """A repository of a crawl; a line of ``crawl.jsonl``."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    revision: int = _REVISION
    """Raised when dates are computed in another way, so that repositories are done again."""
    name: str
    url: str
    folder: str
    status: Literal["done", "failed", "skipped"]
    reason: str = ""
    """Why it failed or was skipped."""
    passing: bool = False
    """It failed, and may well not fail the next time."""
    wanted: str = ""
    """The commit, branch or tag that was asked for."""
    commit: str = ""
    licence: str = ""
    """SPDX name as far as it can be told; empty: unknown."""
    size_mb: float = 0.0
    """Of what was fetched, or of the files of the commit, whichever is more."""
    with_dates: bool = True
    shallow: bool = False
    """The server gave only part of the history, so dates are not known."""
    began: str = ""
    """Date of the first commit, ISO 8601, UTC."""
    ended: str = ""
    """Of the commit that is checked out."""
    commits: int = 0
    files: int = 0
    """Source files of the prover."""
    theorems: int = 0
    unreadable: int = 0
    """Versions of source files that the prover's plugin could not read."""
    seconds: float = 0.0


class Journal:
    """The records in ``DIR/journal``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "journal"
        self._list = folder / "crawl.jsonl"
        self._folder.mkdir(parents=True, exist_ok=True)

    def get(self, folder: str) -> CrawlRecord | None:
        """The record of a target's folder; ``None``: it is not done, or was done by another revision."""
        try:
            record = CrawlRecord.model_validate_json((self._folder / f"{folder}.json").read_bytes())
        except (OSError, ValidationError):
            return None
        return record if record.revision == _REVISION else None

    def put(self, record: CrawlRecord) -> None:
        """Write it, in place of the one before."""
        write_whole(self._folder / f"{record.folder}.json", record.model_dump_json().encode() + b"\n")

    def records(self) -> Iterator[CrawlRecord]:
        """All records, by folder."""
        for path in sorted(self._folder.glob("*.json")):
            if record := self.get(path.stem):
                yield record

    def write_list(self) -> Path:
        """Make ``crawl.jsonl`` of the records."""
        with replacing(self._list) as file:
            for record in self.records():
                file.write(record.model_dump_json(exclude={"revision"}).encode() + b"\n")
        return self._list
