"""Runs through DuckDB say what going through them by hand says."""

from __future__ import annotations

import shutil
import statistics
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("duckdb", reason="duckdb is not installed: `prover summary` by DuckDB was NOT tested")

from prover_core.builtin.fake import FakeEnvironment, FakeSource
from prover_core.builtin.scripted import ScriptedPolicy
from prover_core.errors import ConfigError, RunStoreError, ToolMissingError
from prover_core.runner import Runner, RunSettings
from prover_core.search import BestFirstSearch
from prover_core.store import AttemptRecord, AttemptStatus, Provenance, RunStore, collect_provenance
from prover_core.store.analysis import RunsDatabase
from prover_core.store.attempt_steps import TrajectoryRow
from prover_core.types import Budget


@pytest.fixture(scope="module")
def fake_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All theorems of the fake prover, whose name would be a pattern for DuckDB."""
    path = tmp_path_factory.mktemp("runs") / "it's [a] r?n*"
    theorems = list(FakeSource().theorems())
    environment, policy = FakeEnvironment(), ScriptedPolicy()
    policy.bind(environment)
    with RunStore.create(path, {}, collect_provenance(theorems=theorems), fsync=False) as store:
        Runner(
            environment=environment,
            policy=policy,
            search=BestFirstSearch(),
            theorems=theorems,
            settings=RunSettings(budget=Budget(tries=300)),
            store=store,
        ).run()
    return path


def by_hand(path: Path) -> tuple[list[AttemptRecord], list[TrajectoryRow]]:
    with RunStore.open(path) as store:
        return list(store.records()), list(store.trajectory_rows())


def test_the_numbers_are_those_of_the_records(fake_run: Path) -> None:
    records, rows = by_hand(fake_run)
    with RunsDatabase([RunStore.open(fake_run)]) as database:
        found = database.analyse(top=5)
    proved = [record for record in records if record.proved]
    assert found.runs == (str(fake_run),) and found.attempts == found.theorems == len(records) == 36
    assert found.statuses == dict(Counter(record.status.value for record in records).most_common())
    assert found.theorems_proved == len(proved) and found.rate == len(proved) / 36
    lengths = sorted(len(record.proof) for record in proved)
    spread = found.proof_length
    assert spread is not None and (spread.count, spread.least, spread.most) == (
        len(proved),
        lengths[0],
        lengths[-1],
    )
    assert spread.median == statistics.median(lengths) and spread.mean == pytest.approx(
        statistics.mean(lengths)
    )
    quartiles = statistics.quantiles(lengths, n=4, method="inclusive")
    assert [spread.p25, spread.median, spread.p75] == pytest.approx(quartiles)
    slow = sorted(records, key=lambda record: (-record.seconds_total, record.theorem_id))[:5]
    assert [each.theorem_id for each in found.slowest] == [record.theorem_id for record in slow]
    assert found.steps == len(rows) == sum(record.tries for record in records)
    assert found.outcomes == dict(Counter(row.outcome for row in rows))
    assert found.labels == dict(Counter(row.label for row in rows))


def test_tactics_are_counted(fake_run: Path) -> None:
    _, rows = by_hand(fake_run)
    with RunsDatabase([RunStore.open(fake_run)]) as database:
        found = database.analyse(top=1000)
    tries = Counter(row.tactic for row in rows)
    taken = Counter(row.tactic for row in rows if row.outcome in ("advanced", "solved"))
    positive = Counter(row.tactic for row in rows if row.label == "positive")
    assert {use.tactic: use.tries for use in found.most_tried} == tries
    assert {use.tactic: use.accepted for use in found.most_tried} == {name: taken[name] for name in tries}
    assert {use.tactic: use.on_proofs for use in found.most_successful} == positive
    ranks = [use.on_proofs for use in found.most_successful]
    assert ranks == sorted(ranks, reverse=True)
    heads = Counter(row.tactic.split()[0] for row in rows)
    assert {use.tactic: use.tries for use in found.heads} == heads
    one = next(use for use in found.heads if use.tactic == "destruct")
    assert one.theorems == len({row.theorem_id for row in rows if row.tactic.startswith("destruct")})
    assert one.acceptance == one.accepted / one.tries


@pytest.mark.parametrize(
    ("tactic", "head"),
    [
        ("simpl in *.", "simpl"),
        ("- auto.", "auto"),
        ("+ { now eauto. }", "now"),
        ("2: lia.", "lia"),
        ("all: try congruence.", "try"),
        ("(intros; auto).", "intros"),
        ("  rewrite <- foo.", "rewrite"),
        ("by simp", "simp"),
        ("exact?", "exact?"),
        ("Σauto.", "Σauto"),
        ("…", "…"),
    ],
)
def test_the_first_word_of_a_tactic(
    store: RunStore, make_record, proof_steps, tactic: str, head: str
) -> None:
    import dataclasses

    suggestion = dataclasses.replace(proof_steps[0].suggestion, tactic=tactic)
    record = make_record(1)
    trajectory = store.trajectory(record.uid, record.theorem_id, 1)
    assert trajectory is not None
    trajectory.add(dataclasses.replace(proof_steps[0], suggestion=suggestion))
    store.append(record, trajectory)
    with RunsDatabase([store]) as database:
        assert database.query("SELECT head FROM steps").rows == ((head,),)


def test_a_run_that_is_going_on_and_what_was_made_again(store: RunStore, make_record, proof_steps) -> None:
    for n in range(60):  # one part, and ten attempts in the journal
        status = AttemptStatus.CRASHED if n == 3 else AttemptStatus.PROVED
        record = make_record(n, status, proof=("a.", "b."))
        trajectory = store.trajectory(record.uid, record.theorem_id, 1)
        assert trajectory is not None
        for step in proof_steps:
            trajectory.add(step)
        store.append(record, trajectory, (0, 1, 2))
    store.append(make_record(3, AttemptStatus.FAILED))
    with open(store.results_path, "ab") as file:
        file.write(b'{"schema_version": 1, "uid": "torn')
    with RunsDatabase([RunStore.open(store.path)]) as database:
        found = database.analyse()
    assert found.statuses == {"proved": 59, "failed": 1} and found.steps == 59 * 4
    assert found.labels == {"positive": 118, "negative": 59, "unknown": 59}


def test_what_one_run_took_over_from_another_counts_once(fake_run: Path, tmp_path: Path, make_record) -> None:
    with RunStore.create(tmp_path / "b", {}, Provenance(), fsync=False) as b:
        source = RunStore.open(fake_run)
        b.adopt(source, source.uids())
        b.append(make_record(99))
    with RunsDatabase([RunStore.open(fake_run), RunStore.open(b.path)]) as database:
        found = database.analyse()
        per_run = database.query("SELECT count(*) FROM attempts GROUP BY run ORDER BY 1").rows
    assert found.attempts == 37 and found.steps == len(by_hand(fake_run)[1])
    assert per_run == ((36,), (37,))


def test_a_run_without_results_or_trajectories(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "r", {}, Provenance(), trajectories=False) as store:
        with RunsDatabase([store]) as database:
            found = database.analyse()
    assert (found.attempts, found.steps, found.rate, found.proof_length) == (0, 0, 0.0, None)


def test_a_wrong_query_is_answered_with_the_columns(store: RunStore) -> None:
    with RunsDatabase([store]) as database:
        with pytest.raises(ConfigError, match=r"(?s)nope.*columns of attempts: run, uid,.*columns of steps"):
            database.query("SELECT nope FROM steps")
        assert database.query("SELECT 1 AS one, 'x' AS two").model_dump(mode="json") == {
            "schema_version": 1,
            "columns": ["one", "two"],
            "types": ["INTEGER", "VARCHAR"],
            "rows": [[1, "x"]],
        }


def test_damage_is_named(store: RunStore, make_record) -> None:
    store.append(make_record(1))
    with open(store.results_path, "ab") as file:
        file.write(b"nonsense\n")
    with pytest.raises(RunStoreError, match=r"results\.jsonl, line 2, is not a result"):
        RunsDatabase([RunStore.open(store.path)])


def test_without_duckdb_it_says_how_to_get_it(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ToolMissingError, match=r"pip install 'polyprover\[analysis\]'"):
        RunsDatabase([store])


@pytest.fixture
def copied(fake_run: Path, tmp_path: Path) -> Path:
    """The run, and the path of its one part."""
    return Path(shutil.copytree(fake_run, tmp_path / "run")) / "trajectories" / "part-00000.parquet"


def damage(part: Path) -> None:
    data = bytearray(part.read_bytes())
    for at in range(200, len(data) // 2, 5):
        data[at] ^= 0xFF
    part.write_bytes(data)


@pytest.mark.parametrize(
    "harm",
    [
        lambda part: part.write_text("not Parquet"),
        lambda part: part.write_bytes(b""),
        lambda part: part.write_bytes(part.read_bytes()[:-20]),
        lambda part: pq.write_table(pa.table({"a": [1]}), part),
        damage,
    ],
    ids=["text", "empty", "cut short", "another table", "bits turned"],
)
def test_a_part_that_cannot_be_read_is_named_and_left_alone(
    copied: Path, harm: Callable[[Path], object]
) -> None:
    harm(copied)
    before = copied.read_bytes()
    with RunStore.open(copied.parents[1]) as store:
        with pytest.raises(RunStoreError, match=r"part-00000\.parquet"), RunsDatabase([store]) as database:
            database.analyse()
        with pytest.raises(RunStoreError, match=r"part-00000\.parquet is damaged"):
            list(store.trajectory_rows())
    assert copied.read_bytes() == before


def test_files_that_are_not_the_runs_are_told_and_left_alone(copied: Path) -> None:
    for name in ("part-00000 (copy).parquet", "part-old.parquet", "pending-x.journal", "mine.parquet"):
        shutil.copy(copied, copied.with_name(name))
    with RunStore.open(copied.parents[1]) as store, RunsDatabase([store]) as database:
        assert database.analyse().steps == len(list(store.trajectory_rows())) > 0
        assert len(store.foreign()) == 4
    with RunStore.resume(copied.parents[1]) as store:
        assert len(store.repairs) == 4 and "part-old.parquet is not a file of this run" in " ".join(
            store.repairs
        )
    assert len(list(copied.parent.iterdir())) == 5


def test_odd_texts_and_numbers_are_counted_too(
    tmp_path: Path, make_record: Callable[..., AttemptRecord]
) -> None:
    odd = {
        "error": 'nul \x00, quote ", line\u2028, \ud800 alone, \U0001d54f',
        "statement": "x" * 20_000_000,
        "seed": 2**63 - 1,
        "metadata": {"it's": "\x00"},
        "seconds_total": 1e308,
    }
    with RunStore.create(tmp_path / "run", {}, Provenance(), fsync=False) as store:
        for number, (name, value) in enumerate(odd.items()):
            store.append(make_record(number, **{name: value}))
        with RunsDatabase([store]) as database:
            assert database.analyse().attempts == len(odd)
            [(error,)] = database.query("SELECT error FROM attempts WHERE error <> ''").rows
            assert "\U0001d54f" in error
