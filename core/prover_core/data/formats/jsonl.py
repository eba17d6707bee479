"""``jsonl``: neutral records, one a line; or a dataset folder, or a folder of such files. Lossless."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from prover_core.contracts.extraction import DataFormat, ReadProblem, WriteReport
from prover_core.contracts.options import ComponentOptions
from prover_core.data.dataset import Dataset
from prover_core.data.files import replacing
from prover_core.data.lines import MAX_LINE_BYTES, Problems, dump_line, read_records
from prover_core.data.parts import part_file
from prover_core.errors import DataError
from prover_core.records import ProofRecord

__all__ = ["JsonlFormat", "JsonlOptions"]


class JsonlOptions(ComponentOptions):
    """Options of the format ``jsonl``."""

    max_line_bytes: int = Field(
        default=MAX_LINE_BYTES, ge=1024, description="a longer line is an error, and is not read into memory"
    )


class JsonlFormat(DataFormat):
    """Neutral records as JSON lines. Reads a file, a dataset folder, or every ``*.jsonl`` of a folder."""

    Options = JsonlOptions
    name: ClassVar[str] = "jsonl"

    def __init__(self, options: JsonlOptions | None = None) -> None:
        self.options = options or JsonlOptions()

    def read(
        self, path: Path, *, lenient: bool = False, problems: list[ReadProblem] | None = None
    ) -> Iterator[ProofRecord]:
        handling = Problems(lenient, problems)
        for file in _files(path):
            if file.exists() and not file.stat().st_size:
                handling.report(file, None, "the file is empty; was it written to its end?")
            yield from read_records(file, ProofRecord, handling, limit=self.options.max_line_bytes)

    def write(self, records: Iterable[ProofRecord], path: Path) -> WriteReport:
        count = 0
        with replacing(path) as file:
            for record in records:
                file.write(dump_line(record))
                count += 1
        return WriteReport(count, (path,))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    if (path / "manifest.json").is_file():
        dataset = Dataset.open(path)
        return [part_file(path, "proofs", source) for source, part in dataset.parts.items() if part.proofs]
    files = sorted(path.rglob("*.jsonl"))
    if not files:
        msg = f"{path} holds neither a dataset (manifest.json) nor any *.jsonl file"
        raise DataError(msg)
    return files
