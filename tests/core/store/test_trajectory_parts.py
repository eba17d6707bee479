"""When parts are made, what is read of them for the names alone, and attempts taken over from another run."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from prover_core.errors import RunStoreError
from prover_core.store import AttemptStatus, Provenance, RunStore
from prover_core.store import trajectories as module
from prover_core.store.frames import encode_frame


def record_attempt(store: RunStore, record, steps, path=()) -> None:
    trajectory = store.trajectory(record.uid, record.theorem_id, record.attempt)
    assert trajectory is not None
    for step in steps:
        trajectory.add(step)
    store.append(record, trajectory, path)


def parts(store: RunStore) -> list[Path]:
    return sorted((store.path / "trajectories").glob("*.parquet"))


def test_a_part_is_made_every_50_attempts_and_none_is_written_again(
    store: RunStore, make_record, proof_steps
) -> None:
    known: dict[Path, tuple[int, int]] = {}
    for n in range(160):
        record_attempt(store, make_record(n), proof_steps, path=(0, 1, 2))
        for part, stamp in known.items():
            assert (part.stat().st_mtime_ns, part.stat().st_ino) == stamp
        known = {part: (part.stat().st_mtime_ns, part.stat().st_ino) for part in parts(store)}
        assert len(known) == n // 50
    assert [pq.read_metadata(part).num_rows for part in parts(store)] == [200, 200, 200]


def test_a_long_run_makes_few_parts(store: RunStore, make_record, proof_steps, monkeypatch) -> None:
    monkeypatch.setattr(module, "_PART_ATTEMPTS", 2)
    monkeypatch.setattr(module, "_PARTS_PER_RUN", 5)
    sizes = []
    for n in range(200):
        record_attempt(store, make_record(n), proof_steps[:1])
    sizes = [pq.read_metadata(part).num_rows for part in parts(store)]
    assert sizes[0] == 2 and sizes == sorted(sizes) and len(sizes) < 25


def test_making_a_part_of_many_short_attempts_takes_little_memory(
    store: RunStore, make_record, proof_steps, monkeypatch
) -> None:
    """Each attempt is a batch of a few rows, of which thousands may wait for one part."""
    monkeypatch.setattr(module, "_PART_ATTEMPTS", 10_000)
    for n in range(1500):
        record_attempt(store, make_record(n), proof_steps)
    tracemalloc.start()
    try:
        store.flush()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    (part,) = parts(store)
    assert (
        pq.read_table(part).column("tactic").to_pylist()
        == [step.suggestion.tactic for step in proof_steps] * 1500
    )
    assert most < 2 << 20, "4 MiB where each is kept as it came"


def test_names_are_read_without_the_rest_of_the_file(store: RunStore, make_record, proof_steps) -> None:
    for n in range(60):
        record_attempt(store, make_record(n), proof_steps)
    (part,) = parts(store)
    metadata = pq.read_metadata(part)
    columns = [metadata.row_group(0).column(i) for i in range(metadata.num_columns)]
    with open(part, "r+b") as file:  # every byte of every other column is ruined
        for column in columns:
            if column.path_in_schema == "theorem_id":
                continue
            start = column.dictionary_page_offset or column.data_page_offset
            file.seek(start)
            file.write(b"\xff" * column.total_compressed_size)
    folder = store.trajectory_folder()
    assert folder is not None
    assert folder.distinct("theorem_id") == {
        f"Arith/Plus.v:lemma_{n}" for n in range(60)
    }  # 10 in the journal
    with pytest.raises(RunStoreError, match="damaged"):
        list(store.trajectory_rows())


def test_the_name_of_a_group_of_one_theorem_comes_from_the_index(
    store: RunStore, make_record, proof_steps
) -> None:
    record_attempt(store, make_record(7), proof_steps)
    store.flush()
    (part,) = parts(store)
    footer = pq.read_metadata(part).serialized_size + 8
    with open(part, "r+b") as file:  # nothing but the index is left
        file.seek(4)
        file.write(b"\xff" * (part.stat().st_size - footer - 4))
    folder = store.trajectory_folder()
    assert folder is not None and folder.distinct("theorem_id") == {"Arith/Plus.v:lemma_7"}


def test_a_damaged_index_is_named(store: RunStore, make_record, proof_steps) -> None:
    record_attempt(store, make_record(7), proof_steps)
    store.flush()
    (part,) = parts(store)
    os.truncate(part, 100)
    folder = store.trajectory_folder()
    assert folder is not None
    with pytest.raises(RunStoreError, match=rf"{part.name} is damaged"):
        folder.distinct("theorem_id")


@pytest.fixture
def other(tmp_path: Path, make_record, proof_steps) -> RunStore:
    """A run of 120 attempts that has ended: three parts."""
    with RunStore.create(tmp_path / "other", {}, Provenance(theorems=120), fsync=False) as made:
        for n in range(120):
            status = AttemptStatus.CRASHED if n % 10 == 0 else AttemptStatus.PROVED
            record_attempt(made, make_record(n, status), proof_steps, path=(0, 1, 2))
    return RunStore.open(made.path)


def test_attempts_are_taken_over_with_their_steps_and_labels(store: RunStore, other: RunStore) -> None:
    before = {p: p.read_bytes() for p in other.path.rglob("*") if p.is_file()}
    wanted = [record for record in other.records() if record.status.conclusive]
    store.adopt(other, {record.uid for record in wanted})
    assert list(store.records()) == wanted
    expected = [row for row in other.trajectory_rows() if row.uid in {record.uid for record in wanted}]
    assert list(store.trajectory_rows()) == expected and len(expected) == 4 * 108
    assert sum(row.label == "positive" for row in expected) == 2 * 108
    assert {p: p.read_bytes() for p in other.path.rglob("*") if p.is_file()} == before


def test_taking_over_goes_on_where_it_was_broken_off(
    store: RunStore, other: RunStore, make_record, proof_steps
) -> None:
    wanted = [record for record in other.records() if record.status.conclusive]
    folder = other.trajectory_folder()
    assert folder is not None and store._trajectories is not None
    # killed after two of three parts, and before any line: the steps are there and belong to nobody yet
    store._trajectories.adopt(folder, {record.uid for record in wanted[:80]})
    assert len(parts(store)) == 2 and list(store.trajectory_rows()) == []
    store.close()
    with RunStore.resume(store.path, fsync=False) as again:
        again.adopt(other, {record.uid for record in wanted})
        rows = list(again.trajectory_rows())
        assert len(rows) == 4 * 108 and len({(r.uid, r.node, r.tactic) for r in rows}) == len(rows)
        record_attempt(again, make_record(500), proof_steps)
    assert len(list(RunStore.open(store.path).records())) == 109
    assert len(list(RunStore.open(store.path).trajectory_rows())) == 4 * 109


def test_steps_from_another_process_are_checked(store: RunStore, make_record, proof_steps) -> None:
    record = make_record(1)
    trajectory = store.trajectory(record.uid, record.theorem_id, 1)
    assert trajectory is not None
    for step in proof_steps:
        trajectory.add(step)
    frames = [encode_frame(batch) for batch in trajectory.batches((0, 1, 2))]
    with pytest.raises(RunStoreError, match="its checksum is wrong"):
        store.append_remote(record, [frames[0][:-1] + b"?"])
    with pytest.raises(RunStoreError, match="bytes where"):
        store.append_remote(record, [frames[0][:-1]])
    assert list(store.records()) == [] and list(store.trajectory_rows()) == []
    store.append_remote(record, frames)
    assert [row.label for row in store.trajectory_rows()] == ["negative", "positive", "unknown", "positive"]
