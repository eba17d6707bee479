"""The dataset folder: parts, what is done, resuming, two writers, tables at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof_records import coq_proof, declaration

from prover_core.data.dataset import Dataset
from prover_core.data.parts import part_name
from prover_core.errors import DataError
from prover_core.records import FailureRecord

TOOLCHAIN = "coq 8.20.1"


def fill(path: Path, files: int = 3, each: int = 4) -> Dataset:
    dataset = Dataset.create(path, prover="coq", toolchain=TOOLCHAIN, project="toy", licence="MIT")
    for f in range(files):
        source = f"Arith/F{f}.v"
        dataset.write_part(
            source,
            f"hash{f}",
            TOOLCHAIN,
            [coq_proof(i, file=source) for i in range(each)],
            [declaration(i) for i in range(2)],
            [FailureRecord(file=source, name="bad", reason="timed out")] if f == 1 else [],
            seconds=0.5,
        )
    return dataset


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with fill(tmp_path / "d") as dataset:
        manifest = dataset.finish()
    assert manifest.counts.model_dump() == {
        "files": 3, "proofs": 12, "proofs_with_states": 12, "steps": 84, "declarations": 6, "failures": 1,
    }  # fmt: skip
    assert manifest.seconds == 1.5
    again = Dataset.open(tmp_path / "d")
    assert again.manifest == manifest
    assert list(again.proofs()) == [coq_proof(i, file=f"Arith/F{f}.v") for f in range(3) for i in range(4)]
    assert list(again.proofs(["Arith/F2.v"])) == [coq_proof(i, file="Arith/F2.v") for i in range(4)]
    assert [d.name for d in again.declarations(["Arith/F0.v"])] == ["Toy.Plus.lemma_0", "Toy.Plus.lemma_1"]
    assert [f.reason for f in again.failures()] == ["timed out"]
    assert (tmp_path / "d/failures.jsonl").read_text().count("\n") == 1
    assert (tmp_path / "d/proofs/Arith__F0.v.jsonl").exists()


def test_tables_have_a_row_for_each_proof_and_step(tmp_path: Path) -> None:
    with fill(tmp_path) as dataset:
        dataset.finish()
    steps = pq.read_table(dataset.steps_parquet).to_pylist()
    assert pq.read_metadata(dataset.proofs_parquet).num_rows == 12
    assert len(steps) == 84
    rewrite = steps[5]
    assert (rewrite["id"], rewrite["index"], rewrite["depth"]) == ("Arith/F0.v:plus_0", 5, 2)
    assert rewrite["state_before"] == "n : nat\nIHn : n + 0 = 0 + n\n⊢ S n = S n"
    assert rewrite["premises"] == ["Toy.Plus.lemma_0"]
    assert steps[6]["state_after"] == "no goals"
    assert steps[3]["goals_after"] == 1


def test_done_means_same_content_same_toolchain_and_whole_files(tmp_path: Path) -> None:
    with fill(tmp_path) as dataset:
        assert dataset.part_done("Arith/F0.v", "hash0", TOOLCHAIN)
        assert not dataset.part_done("Arith/F0.v", "other", TOOLCHAIN)
        assert not dataset.part_done("Arith/F0.v", "hash0", "coq 8.16.1")
        assert not dataset.part_done("Arith/F9.v", "hash9", TOOLCHAIN)
        file = tmp_path / "proofs/Arith__F0.v.jsonl"
        file.write_bytes(file.read_bytes()[:-1])
        assert not dataset.part_done("Arith/F0.v", "hash0", TOOLCHAIN)
        (tmp_path / "declarations/Arith__F2.v.jsonl").unlink()
        assert not dataset.part_done("Arith/F2.v", "hash2", TOOLCHAIN)


def test_an_unfinished_dataset_goes_on(tmp_path: Path) -> None:
    fill(tmp_path).close()  # no finish: as after a kill
    with Dataset.create(tmp_path, prover="coq", toolchain=TOOLCHAIN) as dataset:
        assert dataset.part_done("Arith/F1.v", "hash1", TOOLCHAIN)
        dataset.write_part("Arith/F1.v", "new", TOOLCHAIN, [coq_proof(7, file="Arith/F1.v")])
        assert dataset.finish().counts.proofs == 9
        assert not list(dataset.failures())  # the new extraction had none
    assert not (tmp_path / "failures/Arith__F1.v.jsonl").exists()


def test_a_journal_cut_short_loses_one_part_only(tmp_path: Path) -> None:
    fill(tmp_path).close()
    journal = tmp_path / "parts.journal"
    journal.write_bytes(journal.read_bytes()[:-20])
    with Dataset.create(tmp_path, prover="coq", toolchain=TOOLCHAIN) as dataset:
        assert [dataset.part_done(f"Arith/F{f}.v", f"hash{f}", TOOLCHAIN) for f in range(3)] == [
            True,
            True,
            False,
        ]
        dataset.write_part("Arith/F2.v", "hash2", TOOLCHAIN, [coq_proof(1)])
        dataset.write_part("Arith/F3.v", "hash3", TOOLCHAIN, [coq_proof(2)])
    assert sorted(Dataset.open(tmp_path).parts) == [f"Arith/F{f}.v" for f in range(4)]


def test_a_part_that_is_dropped_is_gone(tmp_path: Path) -> None:
    with fill(tmp_path) as dataset:
        dataset.drop_part("Arith/F0.v")
        assert dataset.finish().counts.files == 2
    assert not (tmp_path / "proofs/Arith__F0.v.jsonl").exists()
    assert {p.file for p in Dataset.open(tmp_path).proofs()} == {"Arith/F1.v", "Arith/F2.v"}


def test_a_failing_source_leaves_the_old_part(tmp_path: Path) -> None:
    def breaks() -> object:
        yield coq_proof(0)
        raise RuntimeError

    with fill(tmp_path) as dataset:
        old = (tmp_path / "proofs/Arith__F0.v.jsonl").read_bytes()
        with pytest.raises(RuntimeError):
            dataset.write_part("Arith/F0.v", "new", TOOLCHAIN, breaks())  # type: ignore[arg-type]
        assert dataset.part_done("Arith/F0.v", "hash0", TOOLCHAIN)
    assert (tmp_path / "proofs/Arith__F0.v.jsonl").read_bytes() == old
    assert not list(tmp_path.rglob("*.tmp"))


def test_two_writers_are_refused(tmp_path: Path) -> None:
    with fill(tmp_path), pytest.raises(DataError, match="being written by another process"):
        Dataset.create(tmp_path, prover="coq")
    Dataset.create(tmp_path, prover="coq").close()  # the lock went with the first


def test_folders_that_are_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist; `prover extract"):
        Dataset.open(tmp_path / "no")
    with pytest.raises(DataError, match=r"holds no dataset \(no manifest.json\)"):
        Dataset.open(tmp_path)
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DataError, match="not empty and holds no dataset"):
        Dataset.create(tmp_path, prover="coq")
    fill(tmp_path / "coq").close()
    with pytest.raises(DataError, match="holds data of coq; choose another folder for data of lean4"):
        Dataset.create(tmp_path / "coq", prover="lean4")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("manifest.json", "{", r"manifest.json is malformed: Invalid JSON"),
        (
            "manifest.json",
            '{"prover": 7}',
            r"manifest.json is malformed: prover: Input should be a valid string",
        ),
        ("manifest.json", '{"prover": "coq", "schema_version": 99}', "reads up to 1: update it"),
        ("parts.json", "[]", r"parts.json is malformed: .*Delete it and extract again"),
    ],
)
def test_malformed_indexes(tmp_path: Path, file: str, content: str, message: str) -> None:
    with fill(tmp_path) as dataset:
        dataset.finish()
    (tmp_path / file).write_text(content)
    with pytest.raises(DataError, match=f"(?s){message}"):
        Dataset.open(tmp_path)


def test_a_malformed_part_is_named_with_its_line(tmp_path: Path) -> None:
    with fill(tmp_path) as dataset:
        dataset.finish()
    file = tmp_path / "proofs/Arith__F1.v.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + b'{"id": 3}\n' + lines[2])
    with pytest.raises(
        DataError, match=r"Arith__F1\.v\.jsonl:2: not a record: id: Input should be a valid string"
    ):
        list(Dataset.open(tmp_path).proofs())
    with pytest.raises(DataError, match=r"has no part 'Other\.v'; it was not extracted"):
        list(Dataset.open(tmp_path).proofs(["Other.v"]))


def test_a_text_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    with (
        Dataset.create(tmp_path, prover="coq") as dataset,
        pytest.raises(DataError, match=r"'Arith/Plus\.v:plus_0' cannot be written as UTF-8"),
    ):
        dataset.write_part("a.v", "h", "t", [coq_proof(0, statement="half a pair: \ud800")])


sources = st.text(st.sampled_from("ab._-/ é\\\n"), min_size=1, max_size=8) | st.text(min_size=1, max_size=300)


@given(sources, sources)
def test_part_names_are_file_names_and_never_collide(one: str, other: str) -> None:
    name = part_name(one)
    assert "/" not in name and "\x00" not in name and name not in (".", "..") and not name.startswith(".")
    assert len(f".{name}.jsonl.1234567.tmp".encode()) <= 255
    assert (name == part_name(other)) == (one == other)


def test_a_plain_path_keeps_its_name() -> None:
    assert part_name("Arith/PeanoNat.v") == "Arith__PeanoNat.v"


def test_killed_while_writing(tmp_path: Path) -> None:
    """Killed with -9 in the midst of it, the folder holds whole parts only, and is gone on with."""
    program = f"""
from pathlib import Path
from prover_core.data.dataset import Dataset
from proof_records import coq_proof
dataset = Dataset.create(Path({str(tmp_path)!r}), prover="coq", toolchain="t")
for n in range(100000):
    dataset.write_part(f"F{{n}}.v", str(n), "t", [coq_proof(i) for i in range(20)])
    if n == 3:
        print("going", flush=True)
"""
    tests = Path(__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tests)},
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == b"going\n"
        time.sleep(0.2)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
    with Dataset.create(tmp_path, prover="coq", toolchain="t") as dataset:
        done = [
            source for source, part in dataset.parts.items() if dataset.part_done(source, part.sha256, "t")
        ]
        assert len(done) >= 4 and done == list(dataset.parts)
        assert not list(tmp_path.rglob("*.tmp"))
        counts = dataset.finish().counts
    assert counts.proofs == 20 * len(done) == sum(1 for _ in dataset.proofs())
    assert json.loads((tmp_path / "parts.json").read_text()).keys() == set(done)


def test_finishing_again_does_nothing_where_nothing_changed(tmp_path: Path) -> None:
    with fill(tmp_path) as dataset:
        first = dataset.finish()
    made = dataset.steps_parquet.stat().st_mtime_ns
    with Dataset.create(tmp_path, prover="coq", toolchain=TOOLCHAIN) as dataset:
        assert dataset.finish().counts == first.counts
    assert dataset.steps_parquet.stat().st_mtime_ns == made
    with Dataset.create(tmp_path, prover="coq", toolchain=TOOLCHAIN) as dataset:
        dataset.write_part("Arith/F9.v", "h", TOOLCHAIN, [coq_proof(1)])
        assert not Dataset.open(tmp_path).manifest.finished_at
        assert dataset.finish().counts.proofs == 13
    dataset.steps_parquet.unlink()
    with Dataset.create(tmp_path, prover="coq", toolchain=TOOLCHAIN) as dataset:
        dataset.finish()
    assert pq.read_metadata(dataset.steps_parquet).num_rows == 91
