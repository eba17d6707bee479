"""The run directory: made once, resumed after anything, read while it is written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prover_core.errors import RunStoreError
from prover_core.store import AttemptRecord, AttemptStatus, Provenance, RunStore


def ids(store: RunStore) -> list[str]:
    return [record.name for record in store.records()]


def test_a_new_run_has_its_files(store: RunStore) -> None:
    assert store.config == {"env": "fake"}
    assert store.provenance.theorems == 10
    assert {p.name for p in store.path.iterdir()} == {
        "config.yaml",
        "provenance.json",
        "results.jsonl",
        "log.jsonl",
        "trajectories",
        "lock",
    }
    assert ids(store) == []


def test_records_are_on_disk_when_append_returns(store: RunStore, make_record) -> None:
    for n in range(3):
        store.append(make_record(n))
        assert ids(RunStore.open(store.path)) == [f"lemma_{i}" for i in range(n + 1)]


def test_a_config_of_paths_and_unicode_comes_back(tmp_path: Path) -> None:
    config = {"out": tmp_path, "goal": "∀ x, x = x", "deep": {"list": [1, 2.5, None, True]}}
    with RunStore.create(tmp_path / "run", config, Provenance()) as store:
        assert store.config == {**config, "out": str(tmp_path)}


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunStoreError, match=r"not empty \(it holds thesis.tex\)"):
        RunStore.create(tmp_path, {}, Provenance())
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_existing_run_is_refused_and_resume_is_named(store: RunStore) -> None:
    store.close()
    with pytest.raises(RunStoreError, match=f"prover run --resume {store.path}"):
        RunStore.create(store.path, {}, Provenance())


@pytest.mark.parametrize("way", [RunStore.open, RunStore.resume])
def test_what_is_no_run_is_refused(tmp_path: Path, way) -> None:
    with pytest.raises(RunStoreError, match="There is no run at"):
        way(tmp_path / "nothing")
    with pytest.raises(RunStoreError, match=r"has no provenance\.json"):
        way(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_killed_while_it_was_made_can_be_made_again(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / ".config.yaml.tmp").write_text("half")
    with RunStore.create(tmp_path, {"a": 1}, Provenance()) as store:
        assert store.config == {"a": 1}


@pytest.mark.parametrize("kept", [("config.yaml",), ("config.yaml", "provenance.json")], ids=len)
def test_a_run_killed_between_its_first_files_is_no_dead_end(tmp_path: Path, kept: tuple[str, ...]) -> None:
    """A spot machine's loop resumes where there is a provenance, and else begins."""
    path = tmp_path / "run"
    config = {"env": "fake", "trajectories": True, "origins": {"env": "flag --env"}}
    RunStore.create(path, config, Provenance(), fsync=False).close()
    for entry in path.iterdir():
        if entry.name not in kept:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    if "provenance.json" in kept:
        store = RunStore.resume(path, fsync=False)
    else:
        store = RunStore.create(path, config, Provenance(), fsync=False)
    with store:
        assert store.trajectory("u", "t", 1) is not None, "its tactics would not be recorded"


def test_a_configuration_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("mine: true\n")
    with pytest.raises(RunStoreError, match="is not empty"):
        RunStore.create(tmp_path, {"env": "fake"}, Provenance())
    assert (tmp_path / "config.yaml").read_text() == "mine: true\n"


def test_resume_goes_on(store: RunStore, make_record) -> None:
    store.append(make_record(1))
    store.close()
    with RunStore.resume(store.path) as again:
        assert again.repairs == ()
        assert again.done_ids() == {("Arith/Plus.v:lemma_1", 1)}
        again.append(make_record(2))
        assert ids(again) == ["lemma_1", "lemma_2"]


def test_two_writers_in_two_processes_are_refused(store: RunStore) -> None:
    code = (
        "import sys; from pathlib import Path; from prover_core.store import RunStore\n"
        "from prover_core.errors import RunStoreError\n"
        "try: RunStore.resume(Path(sys.argv[1]))\n"
        "except RunStoreError as e: print(e)\n"
    )
    command = [sys.executable, "-c", code, str(store.path)]
    other = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert f"is being written by process {os.getpid()} on " in other.stdout
    assert "Two processes must not write to one run" in other.stdout
    store.close()
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == ""


def test_two_writers_in_one_process_are_refused(store: RunStore) -> None:
    with pytest.raises(RunStoreError, match="is being written by"):
        RunStore.resume(store.path)
    assert store.writable  # the first is not disturbed


def test_reading_needs_no_lock_and_cannot_write(store: RunStore, make_record) -> None:
    store.append(make_record(1))
    reader = RunStore.open(store.path)
    assert ids(reader) == ["lemma_1"]
    with pytest.raises(RunStoreError, match="opened for reading"):
        reader.append(make_record(2))
    reader.close()
    store.append(make_record(2))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_anywhere_loses_only_what_was_cut(
    data: st.DataObject, tmp_path_factory, make_record
) -> None:
    path = tmp_path_factory.mktemp("cut") / "run"
    records = [make_record(n, name=f"ключ {n}") for n in range(4)]
    with RunStore.create(path, {}, Provenance(), trajectories=False, fsync=False) as store:
        for record in records:
            store.append(record)
    results = path / "results.jsonl"
    whole = results.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    results.write_bytes(whole[:cut])
    complete = [r for r in records if len(_up_to(records, r)) - 1 <= cut]  # the newline itself may be missing
    torn = cut > 0 and whole[:cut] != b"".join(r.to_line() for r in complete)[: max(cut, 0)]

    assert list(RunStore.open(path).records()) == complete
    assert results.read_bytes() == whole[:cut]  # a reader repairs nothing
    with RunStore.resume(path, fsync=False) as store:
        assert list(store.records()) == complete
        assert bool(store.repairs) == torn
        store.append(make_record(9))
        assert list(store.records())[:-1] == complete
    assert results.read_bytes().startswith(b"".join(r.to_line() for r in complete))


def _up_to(records: list[AttemptRecord], last: AttemptRecord) -> bytes:
    return b"".join(r.to_line() for r in records[: records.index(last) + 1])


def test_the_repair_is_told(store: RunStore, make_record) -> None:
    store.append(make_record(1))
    store.close()
    with open(store.path / "results.jsonl", "ab") as file:
        file.write(b'{"schema_version":1,"uid":"ab')
    with RunStore.resume(store.path) as again:
        (repair,) = again.repairs
        assert "was cut short (29 bytes)" in repair and "1 whole lines are kept" in repair
    log = [json.loads(line) for line in (store.path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["event"] == "resumed" and log[-1]["repairs"] == [repair]


@pytest.mark.parametrize(
    "garbage", [b"garbage\n", b"\n", b'{"theorem_id": "x"}\n', b"\0\0\0\0\n", b"\xff\xfe\n", b"[]\n"]
)
def test_damage_in_the_middle_names_the_line_and_touches_nothing(
    store: RunStore, make_record, garbage
) -> None:
    store.append(make_record(1))
    store.close()
    results = store.path / "results.jsonl"
    damaged = results.read_bytes() + garbage + make_record(2).to_line() + b"torn"
    results.write_bytes(damaged)
    for read in (lambda: RunStore.resume(store.path), lambda: list(RunStore.open(store.path).records())):
        with pytest.raises(RunStoreError, match=r"results\.jsonl, line 2, is not a result"):
            read()
    assert results.read_bytes() == damaged
    results.write_bytes(damaged.replace(garbage, b"", 1))
    with RunStore.resume(store.path) as again:  # the failed resume has let go of the lock
        assert ids(again) == ["lemma_1", "lemma_2"]


def test_a_later_schema_says_to_upgrade(store: RunStore, make_record) -> None:
    store.append(make_record(1, schema_version=99))
    with pytest.raises(RunStoreError, match=r"later polyprover \(schema 99.*upgrade"):
        list(store.records())


def test_zeros_at_the_end_are_cut_off(store: RunStore, make_record) -> None:
    """What some file systems leave after a power cut."""
    store.append(make_record(1))
    store.close()
    with open(store.path / "results.jsonl", "ab") as file:
        file.write(b"\0" * 5000)
    with RunStore.resume(store.path) as again:
        assert ids(again) == ["lemma_1"] and again.repairs


def test_an_attempt_made_again_counts_once_as_its_last(store: RunStore, make_record) -> None:
    store.append(make_record(1, AttemptStatus.CRASHED))
    store.append(make_record(2, AttemptStatus.FAILED))
    assert store.done_ids(frozenset({AttemptStatus.CRASHED})) == {("Arith/Plus.v:lemma_2", 1)}
    store.append(make_record(1, AttemptStatus.PROVED))
    for view in (store, RunStore.open(store.path)):
        assert [(r.name, r.status.value) for r in view.records()] == [
            ("lemma_2", "failed"),
            ("lemma_1", "proved"),
        ]
        assert view.statuses()[("Arith/Plus.v:lemma_1", 1)] is AttemptStatus.PROVED
    assert len((store.path / "results.jsonl").read_text().splitlines()) == 3  # append-only


def test_attempts_at_one_theorem_are_apart(store: RunStore, make_record) -> None:
    store.append(make_record(1, AttemptStatus.FAILED, attempt=1))
    store.append(make_record(1, AttemptStatus.PROVED, attempt=2))
    assert store.done_ids() == {("Arith/Plus.v:lemma_1", 1), ("Arith/Plus.v:lemma_1", 2)}


def test_resume_tells_what_has_changed(store: RunStore) -> None:
    store.close()
    with RunStore.resume(store.path, Provenance(theorems=11, seed=3)) as again:
        assert again.changes == ("theorems: was 10, now 11", "seed: was 0, now 3")
    with RunStore.resume(store.path, store.provenance) as again:
        assert again.changes == ()


def test_damaged_side_files_are_named(store: RunStore) -> None:
    (store.path / "config.yaml").write_text("a: [1")
    (store.path / "provenance.json").write_text("{")
    with pytest.raises(RunStoreError, match=r"config\.yaml is not readable YAML"):
        _ = store.config
    with pytest.raises(RunStoreError, match=r"provenance\.json is damaged"):
        _ = store.provenance


def test_closing_twice_is_fine_and_append_after_it_is_refused(store: RunStore, make_record) -> None:
    store.close()
    store.close()
    with pytest.raises(RunStoreError):
        store.append(make_record(1))
    store.log("ignored")
