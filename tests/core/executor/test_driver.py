"""The driver, with workers in threads: what the local runner finds, whatever is lost on the way."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from prover_core.builtin.fake import FakeEnvironment, FakeSource
from prover_core.builtin.scripted import ScriptedPolicy
from prover_core.contracts.events import (
    Event,
    ProofFound,
    RunEnded,
    RunObserver,
    RunStarted,
    TheoremDone,
    TheoremStarted,
)
from prover_core.errors import RunStoreError, ToolMissingError
from prover_core.runner import Runner, RunSettings
from prover_core.search import BestFirstSearch
from prover_core.store import AttemptStatus, Provenance, RunStore
from prover_core.types import Budget


class Recorder(RunObserver):
    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run by the local runner."""
    path = tmp_path_factory.mktemp("local") / "run"
    environment, policy = FakeEnvironment(), ScriptedPolicy()
    policy.bind(environment)
    with RunStore.create(path, {}, Provenance(theorems=36), fsync=False) as store:
        Runner(
            environment=environment,
            policy=policy,
            search=BestFirstSearch(),
            theorems=list(FakeSource().theorems()),
            settings=RunSettings(budget=Budget(tries=150), workers=2),
            store=store,
        ).run()
    return path


@pytest.fixture
def same(local: Path) -> Any:
    """Asserts that a lab's run is the local one: records, steps, labels, each once."""

    def check(lab: Any) -> None:
        with RunStore.open(local) as a, RunStore.open(lab.folder / "run") as b:
            fields = ("status", "proof", "proof_text", "tries", "nodes", "expansions", "detail")
            one, other = ({r.key: tuple(getattr(r, f) for f in fields) for r in s.records()} for s in (a, b))
            assert one == other
            rows, others = (
                sorted((r.theorem_id, r.node, r.tactic, r.outcome, r.label) for r in s.trajectory_rows())
                for s in (a, b)
            )
            assert rows == others
            assert len((lab.folder / "run" / "results.jsonl").read_text().splitlines()) == len(other)

    return check


def test_it_finds_what_the_local_runner_finds(make_lab: Any, same: Any) -> None:
    lab, recorder = make_lab(), Recorder()
    summary = lab.run([recorder])
    same(lab)
    assert summary.attempts == 36 and not lab.runner.stopped and lab.runner.problems == ()
    assert isinstance(recorder.events[0], RunStarted) and recorder.events[0].workers == 3
    assert isinstance(recorder.events[-1], RunEnded) and not recorder.events[-1].stopped
    done = [event for event in recorder.events if isinstance(event, TheoremDone)]
    proofs = [event for event in recorder.events if isinstance(event, ProofFound)]
    assert len(done) == 36 and len(proofs) == summary.proved
    assert all(event.verdict.proved for event in proofs)


def test_every_worker_works_and_none_has_two_batches(make_lab: Any) -> None:
    lab = make_lab(env__latency_ms=1)
    lab.run()
    assert {worker for worker, _ in lab.cluster.batches} == {0, 1, 2}
    assert 2 <= lab.cluster.most_at_once <= 3


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_lost_is_done_again(make_lab: Any, same: Any, seed: int) -> None:
    lab, chance = make_lab(), random.Random(seed)
    lost: list[str] = []

    def lose(worker: int, batch: Any) -> bool:
        first = batch.tasks[0].theorem.id
        if lost.count(first) < 2 and chance.random() < 0.4:
            lost.append(first)
            return True
        return False

    lab.cluster.lose = lose
    lab.run()
    assert len(lost) >= 5
    same(lab)
    assert (lab.folder / "run" / "log.jsonl").read_text().count('"worker_lost"') == len(lost)


def test_steps_lost_on_the_way_make_the_attempt_again(make_lab: Any, same: Any) -> None:
    lab, chance = make_lab(), random.Random(1)
    gone = []

    def lose(frame: bytes) -> bool:
        if len(gone) < 5 and chance.random() < 0.3:
            gone.append(frame)
            return True
        return False

    lab.cluster.lose_frames = lose
    lab.run()
    assert len(gone) == 5
    same(lab)


def test_a_theorem_that_kills_its_workers_is_recorded_as_crashed_and_the_rest_goes_on(
    make_lab: Any, local: Path
) -> None:
    lab = make_lab()
    lab.cluster.lose = lambda worker, batch: any(task.theorem.name == "and_swap" for task in batch.tasks)
    lab.run()
    with RunStore.open(lab.folder / "run") as store:
        records = {record.name: record for record in store.records()}
    record = records.pop("and_swap")
    assert record.status is AttemptStatus.CRASHED and record.error_class == "WorkerLost"
    assert "lost 4 times" in record.error and "the node vanished" in record.error
    with RunStore.open(local) as store:
        expected = {r.name: r.status for r in store.records() if r.name != "and_swap"}
    assert {name: r.status for name, r in records.items()} == expected
    alone = [batch for _, batch in lab.cluster.batches if batch.tasks[0].theorem.name == "and_swap"]
    assert all(len(batch.tasks) == 1 for batch in alone[1:])
    lab.cluster.lose = lambda worker, batch: False
    assert lab.run(retry=frozenset({AttemptStatus.CRASHED})).crashed == 0


def test_workers_that_never_live_end_the_run(make_lab: Any) -> None:
    lab = make_lab()
    lab.cluster.stillborn = True
    with pytest.raises(RunStoreError, match="workers end as soon as they begin, the last with: the node van"):
        lab.run()


def test_a_tool_that_is_missing_where_the_workers_are_ends_the_run(make_lab: Any) -> None:
    lab = make_lab()
    lab.cluster.spec.config["options"]["env"]["installed"] = False  # there, and not here
    with pytest.raises(ToolMissingError, match="To get it"):
        lab.run()
    assert lab.found() == {}


def test_a_stop_is_obeyed_and_a_resume_does_the_rest(make_lab: Any, same: Any) -> None:
    lab = make_lab(grace=5.0)

    class Stopper(RunObserver):
        def on_event(self, event: Event) -> None:
            if isinstance(event, TheoremDone) and lab.runner is not None:
                lab.runner.request_stop("SIGTERM")

    summary = lab.run([Stopper()])
    assert lab.runner.stopped and lab.runner.stop_reason == "SIGTERM"
    assert 1 <= summary.attempts < 36
    before = lab.found()
    again = make_lab()
    again.folder = lab.folder
    recorder = Recorder()
    again.run([recorder])
    assert isinstance(recorder.events[0], RunStarted)
    assert recorder.events[0].already_done == len(before)
    same(again)


def test_what_does_not_end_in_its_grace_time_is_abandoned(make_lab: Any) -> None:
    lab = make_lab(data="fake:or_assoc,and_assoc,or_and_distr", env__latency_ms=40, grace=0.1)

    class Stopper(RunObserver):
        def on_event(self, event: Event) -> None:
            if isinstance(event, TheoremStarted) and lab.runner is not None:
                lab.runner.request_stop("SIGTERM")

    summary = lab.run([Stopper()])
    assert lab.runner.stopped and summary.attempts == 0
    assert '"abandoned"' in (lab.folder / "run" / "log.jsonl").read_text()


def test_it_gives_up_where_everything_crashes(make_lab: Any) -> None:
    lab = make_lab(env__crash_on_open="*", crash_retries=0)
    lab.run()
    assert lab.runner.stopped and "25 attempts in a row crashed" in lab.runner.problems[-1]


def test_several_attempts_and_theorems_given_twice(make_lab: Any) -> None:
    lab = make_lab(attempts=2, limit=5)
    lab.run()
    assert len(lab.found()) == 10
    assert {attempt for _, attempt in lab.found()} == {1, 2}


def test_without_trajectories_none_are_sent(make_lab: Any) -> None:
    lab = make_lab(trajectories=False, limit=4)
    lab.run()
    with RunStore.open(lab.folder / "run") as store:
        assert list(store.trajectory_rows()) == []


def test_a_long_attempt_is_shipped_frame_by_frame(make_lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from prover_core.executor import remote_worker
    from prover_core.store import attempt_steps

    monkeypatch.setattr(remote_worker, "_INLINE_BYTES", 1)
    monkeypatch.setattr(attempt_steps, "_SPILL_ROWS", 20)
    lab = make_lab(limit=20)
    lab.run()
    with RunStore.open(lab.folder / "run") as store:
        tries = {record.uid: record.tries for record in store.records()}
        rows = [row.uid for row in store.trajectory_rows()]
    assert {uid: rows.count(uid) for uid in tries} == tries


def test_an_attempt_that_cannot_be_recorded_is_tried_some_times_and_the_rest_goes_on(
    make_lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prover_core.executor import remote_worker

    monkeypatch.setattr(remote_worker, "_INLINE_BYTES", 1)
    lab, refused = make_lab(data="fake:or_assoc,and_swap,and_assoc"), []

    def ship(frame: bytes) -> bytes:
        if b"and_swap" in frame:
            refused.append(frame)
            msg = "the object store is full"
            raise OSError(msg)
        return frame

    lab.cluster.ship = ship
    lab.run()
    with RunStore.open(lab.folder / "run") as store:
        records = {record.name: record for record in store.records()}
    record = records.pop("and_swap")
    assert record.status is AttemptStatus.CRASHED and len(refused) == 4
    assert "could not record it" in record.error and "OSError: the object store is full" in record.error
    assert len(records) == 2 and all(r.status is not AttemptStatus.CRASHED for r in records.values())
    assert (lab.folder / "run" / "log.jsonl").read_text().count('"bug"') == 4


def test_what_models_were_asked_is_logged_as_locally(make_lab: Any, local: Path) -> None:
    lab = make_lab()
    lab.run()
    [ours], [theirs] = (
        [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "policy"]
        for log in (lab.folder / "run" / "log.jsonl", local / "log.jsonl")
    )
    assert ours.keys() == theirs.keys() and ours["states"] == theirs["states"] > 0
