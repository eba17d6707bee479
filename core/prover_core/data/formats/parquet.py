"""``parquet``: neutral records as a table, one row for each proof. Lossless."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from prover_core.contracts.extraction import DataFormat, ReadProblem, WriteReport
from prover_core.data.files import disk_error
from prover_core.data.lines import Problems
from prover_core.data.tables import read_proofs, write_proofs
from prover_core.records import ProofRecord

__all__ = ["ParquetFormat"]


class ParquetFormat(DataFormat):
    """Neutral records as Parquet: the columns are the fields of a proof, nested; ``extra`` is JSON."""

    name: ClassVar[str] = "parquet"

    def read(
        self, path: Path, *, lenient: bool = False, problems: list[ReadProblem] | None = None
    ) -> Iterator[ProofRecord]:
        file = path / "proofs.parquet" if path.is_dir() else path
        try:
            file.stat()
        except OSError as error:
            raise disk_error(file, error) from error
        yield from read_proofs(file, Problems(lenient, problems))

    def write(self, records: Iterable[ProofRecord], path: Path) -> WriteReport:
        return WriteReport(write_proofs(records, path), (path,))
