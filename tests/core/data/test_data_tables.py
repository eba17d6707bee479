"""Neutral records as Parquet: lossless, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proof_records import coq_proof, proofs

from prover_core.contracts.extraction import ReadProblem
from prover_core.data.formats.parquet import ParquetFormat
from prover_core.errors import DataError
from prover_core.records import ProofRecord


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(proofs(), max_size=3))
def test_any_record_survives(tmp_path_factory: pytest.TempPathFactory, records: list[ProofRecord]) -> None:
    file = tmp_path_factory.mktemp("table") / "p.parquet"
    report = ParquetFormat().write(records, file)
    assert (report.written, report.lost_fields, report.dropped) == (len(records), (), ())
    assert list(ParquetFormat().read(file)) == records


def test_files_that_are_no_table_of_proofs(tmp_path: Path) -> None:
    file = tmp_path / "p.parquet"
    file.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"p\.parquet: not a whole Parquet file"):
        list(ParquetFormat().read(file))
    problems: list[ReadProblem] = []
    assert list(ParquetFormat().read(file, lenient=True, problems=problems)) == []
    assert len(problems) == 1
    pq.write_table(pa.table({"a": [1]}), file)
    with pytest.raises(DataError, match="not a table of proofs: it has no column file, id, name"):
        list(ParquetFormat().read(file))
    with pytest.raises(DataError, match="No such file"):
        list(ParquetFormat().read(tmp_path / "none.parquet"))


def test_a_cut_table_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "p.parquet"
    ParquetFormat().write([coq_proof(i) for i in range(5)], file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        list(ParquetFormat().read(file))


def test_a_row_of_a_wrong_type_is_named(tmp_path: Path) -> None:
    file = tmp_path / "p.parquet"
    rows = [coq_proof(i).model_dump(include={"id", "prover", "file", "name", "statement"}) for i in range(3)]
    rows[1]["id"] = None
    pq.write_table(pa.Table.from_pylist(rows), file)
    with pytest.raises(DataError, match=r"p\.parquet:2: not a record: id: Field required"):
        list(ParquetFormat().read(file))
    problems: list[ReadProblem] = []
    assert len(list(ParquetFormat().read(file, lenient=True, problems=problems))) == 2
    assert [problem.line for problem in problems] == [2]


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    """Peak memory for 300 MB of text is about that for 75 MB, in a process of its own."""
    program = """
import resource, sys
from pathlib import Path
from proof_records import coq_proof, goal
from prover_core.records import StateRecord
from prover_core.data.tables import write_tables
big = StateRecord(focused=(goal("x" * 100_000),))
out = Path(sys.argv[1])
def some(n):
    for i in range(n):
        proof = coq_proof(i)
        yield proof.model_copy(update={"states": (big,) * len(proof.states)})
write_tables(some(int(sys.argv[2])), out / "p.parquet", out / "s.parquet")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    tests = str(Path(__file__).parents[2])

    def peak(count: int) -> int:
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {tests!r})\n{program}"]
        done = subprocess.run(
            [*command, str(tmp_path), str(count)], capture_output=True, text=True, check=True, timeout=120
        )
        return int(done.stdout)

    small, large = peak(50), peak(200)
    assert large < small * 1.5 + 50, f"{small} MiB for 50 proofs, {large} MiB for 200"
