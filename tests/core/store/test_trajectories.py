"""Trajectories: labelled, in Parquet, only of recorded attempts, whatever was killed when."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prover_core.errors import RunStoreError
from prover_core.store import AttemptStatus, Provenance, RunStore
from prover_core.store import trajectories as module
from prover_core.types import Crashed, OutOfMemory, Rejected, RejectionKind, TimedOut


def record_attempt(store: RunStore, record, steps, path=(), times: int = 1) -> None:
    trajectory = store.trajectory(record.uid, record.theorem_id, record.attempt)
    assert trajectory is not None
    for _ in range(times):
        for step in steps:
            trajectory.add(step)
    store.append(record, trajectory, path)


def files(store: RunStore) -> list[str]:
    return sorted(p.name for p in (store.path / "trajectories").iterdir())


def test_rows_say_what_was_tried(store: RunStore, make_record, proof_steps) -> None:
    record = make_record(1)
    record_attempt(store, record, proof_steps, path=(0, 1, 2))
    refused, led, known, solved = store.trajectory_rows()
    assert (refused.uid, refused.theorem_id, refused.attempt) == (record.uid, record.theorem_id, 1)
    assert (refused.tactic, refused.outcome, refused.kind, refused.label) == (
        "lia.",
        "rejected",
        "tactic",
        "negative",
    )
    assert refused.ms == 250.0 and refused.child is None and len(refused.message) == 200
    assert refused.state == "⊢ A -> A" and refused.depth == 0
    assert (led.outcome, led.child, led.label, led.source) == ("advanced", 1, "positive", "intros")
    assert led.logprob == pytest.approx(-0.1)
    assert (known.outcome, known.duplicate, known.label) == ("advanced", True, "unknown")
    assert (solved.node, solved.depth, solved.outcome, solved.child, solved.label) == (
        1,
        1,
        "solved",
        2,
        "positive",
    )


def test_only_a_verified_proof_makes_positives(store: RunStore, make_record, proof_steps) -> None:
    for n, status in enumerate(AttemptStatus):
        record_attempt(store, make_record(n, status), proof_steps, path=(0, 1, 2))
    labels = Counter((row.theorem_id, row.label) for row in store.trajectory_rows())
    positive = {theorem for theorem, label in labels if label == "positive"}
    assert positive == {"Arith/Plus.v:lemma_0"}  # PROVED comes first


@pytest.mark.parametrize(
    ("outcome", "name", "kind"),
    [
        (Rejected("no", RejectionKind.PARSE), "rejected", "parse"),
        (Rejected("no", RejectionKind.FORBIDDEN), "rejected", "forbidden"),
        (TimedOut(2.0), "timed_out", ""),
        (OutOfMemory("3 GiB"), "out_of_memory", ""),
        (Crashed("signal 9"), "crashed", ""),
    ],
)
def test_every_outcome_has_its_name(store: RunStore, make_record, proof_steps, outcome, name, kind) -> None:
    import dataclasses

    step = dataclasses.replace(proof_steps[0], outcome=outcome)
    record_attempt(store, make_record(1, AttemptStatus.FAILED), [step])
    (row,) = store.trajectory_rows()
    assert (row.outcome, row.kind, row.label) == (name, kind, "negative")


def test_the_end_of_the_run_leaves_whole_parquet_parts(store: RunStore, make_record, proof_steps) -> None:
    for n in range(5):
        record_attempt(store, make_record(n), proof_steps, path=(0, 1, 2))
    assert files(store) == ["pending-00000.journal"]
    store.close()
    assert files(store) == ["part-00000.parquet"]
    table = pq.read_table(store.path / "trajectories" / "part-00000.parquet")
    assert table.num_rows == 20
    assert table.column_names == list(module.TrajectoryRow.__slots__)
    assert len(list(RunStore.open(store.path).trajectory_rows())) == 20


def test_an_attempt_that_is_not_recorded_leaves_nothing(store: RunStore, make_record, proof_steps) -> None:
    trajectory = store.trajectory("abc", "t", 1)
    assert trajectory is not None
    for _ in range(2000):
        for step in proof_steps:
            trajectory.add(step)
    assert files(store) == [".abc.spill"]
    trajectory.discard()
    trajectory.discard()
    assert files(store) == []


def test_a_long_attempt_spills_and_is_labelled_all_the_same(
    store: RunStore, make_record, proof_steps
) -> None:
    record_attempt(store, make_record(1), proof_steps, path=(0, 1, 2), times=3000)
    labels = Counter(row.label for row in store.trajectory_rows())
    assert labels == {"negative": 3000, "positive": 6000, "unknown": 3000}
    assert not [name for name in files(store) if name.endswith(".spill")]


def test_a_journal_of_a_killed_run_is_read_and_recovered(store: RunStore, make_record, proof_steps) -> None:
    record_attempt(store, make_record(1), proof_steps)
    lost = make_record(2)  # its rows are in the journal, and its line never came
    trajectory = store.trajectory(lost.uid, lost.theorem_id, 1)
    assert trajectory is not None and store._trajectories is not None
    trajectory.add(proof_steps[0])
    store._trajectories.commit(trajectory, ())
    killed = store.path.with_name("killed")
    shutil.copytree(store.path, killed)  # what a kill -9 leaves at this moment
    (killed / "trajectories" / ".dead.spill").write_bytes(b"rest")
    (killed / "trajectories" / ".part-00000.parquet.tmp").write_bytes(b"half")

    assert len(list(RunStore.open(killed).trajectory_rows())) == 4
    with RunStore.resume(killed) as again:
        assert files(again) == ["part-00000.parquet"]
        record_attempt(again, lost, proof_steps)
        assert len(list(again.trajectory_rows())) == 8
    assert files(again) == ["part-00000.parquet", "part-00001.parquet"]
    assert pq.read_table(killed / "trajectories").num_rows == 8  # the unrecorded row is gone for good


def test_a_kill_between_renaming_a_part_and_removing_its_journal(
    store: RunStore, make_record, proof_steps
) -> None:
    record_attempt(store, make_record(1), proof_steps)
    folder = store.path / "trajectories"
    journal = (folder / "pending-00000.journal").read_bytes()
    store.close()
    (folder / "pending-00000.journal").write_bytes(journal)
    assert len(list(RunStore.open(store.path).trajectory_rows())) == 4
    with RunStore.resume(store.path) as again:
        assert files(again) == ["part-00000.parquet"]
        assert len(list(again.trajectory_rows())) == 4


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1))
def test_a_journal_cut_anywhere_gives_its_whole_frames(
    cut: float, tmp_path_factory, make_record, proof_steps
) -> None:
    path: Path = tmp_path_factory.mktemp("cut") / "run"
    store = RunStore.create(path, {}, Provenance(), fsync=False)
    ends = []
    for n in range(4):
        record_attempt(store, make_record(n), proof_steps)
        ends.append((path / "trajectories" / "pending-00000.journal").stat().st_size)
    copy = path.with_name("copy")
    shutil.copytree(path, copy)
    store.close()
    journal = copy / "trajectories" / "pending-00000.journal"
    size = int(cut * ends[-1])
    journal.write_bytes(journal.read_bytes()[:size])
    whole = sum(1 for end in ends if end <= size)
    assert len(list(RunStore.open(copy).trajectory_rows())) == 4 * whole
    with RunStore.resume(copy, fsync=False) as again:
        assert len(list(again.trajectory_rows())) == 4 * whole


def test_parts_are_made_while_the_run_goes_on(store: RunStore, make_record, proof_steps, monkeypatch) -> None:
    monkeypatch.setattr(module, "_PART_BYTES", 2000)
    for n in range(12):
        record_attempt(store, make_record(n), proof_steps, path=(0, 1, 2))
    assert len([name for name in files(store) if name.endswith(".parquet")]) >= 2
    assert [row.theorem_id for row in store.trajectory_rows()] == [
        f"Arith/Plus.v:lemma_{n}" for n in range(12) for _ in range(4)
    ]


def test_an_attempt_made_again_shows_only_its_last_steps(store: RunStore, make_record, proof_steps) -> None:
    record_attempt(store, make_record(1, AttemptStatus.CRASHED), proof_steps[:1])
    record_attempt(store, make_record(1), proof_steps, path=(0, 1, 2))
    assert len(list(store.trajectory_rows())) == 4


def test_without_trajectories_there_are_none(tmp_path: Path, make_record) -> None:
    with RunStore.create(tmp_path / "run", {}, Provenance(), trajectories=False) as store:
        assert store.trajectory("u", "t", 1) is None
        store.append(make_record(1))
        assert list(store.trajectory_rows()) == []
    with RunStore.resume(store.path) as again:
        assert again.trajectory("u", "t", 1) is None


def test_a_damaged_part_is_named(store: RunStore, make_record, proof_steps) -> None:
    record_attempt(store, make_record(1), proof_steps)
    store.close()
    (store.path / "trajectories" / "part-00000.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(RunStoreError, match=r"part-00000\.parquet is damaged"):
        list(RunStore.open(store.path).trajectory_rows())
    assert len(list(RunStore.open(store.path).records())) == 1
