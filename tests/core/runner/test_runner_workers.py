"""Many workers: batches, one end for all threads, memory that does not grow."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from prover_core.builtin.fake import FakeEnvironment
from prover_core.builtin.scripted import ScriptedOptions, ScriptedPolicy
from prover_core.contracts import PolicyRequest, ProofSession
from prover_core.runner import Runner, RunSettings
from prover_core.search import BestFirstSearch
from prover_core.store import AttemptStatus, RunStore, collect_provenance
from prover_core.types import Budget, Limits, Suggestion, Theorem


class Counts(ScriptedPolicy):
    """Remembers the sizes of its batches."""

    def __init__(self, delay_ms: float = 0.0, batch_size: int = 32) -> None:
        super().__init__(ScriptedOptions(delay_ms=delay_ms, batch_size=batch_size))
        self.sizes: list[int] = []
        self.threads: set[str] = set()

    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        self.sizes.append(len(requests))
        self.threads.add(threading.current_thread().name)
        return super().suggest(requests, k)


def test_eight_workers_are_asked_for_together(lab) -> None:
    policy = Counts(delay_ms=4)
    lab.run(lab.theorems(copies=2), policy=policy, workers=8, budget=Budget(tries=100))
    assert max(policy.sizes) == 8
    assert sum(policy.sizes) / len(policy.sizes) > 3
    assert policy.threads == {"prover-policy"}


def test_batching_saves_time_with_a_slow_model(lab) -> None:
    """With a model that takes 20 ms a call, eight workers are several times as fast as one."""
    theorems = lab.theorems("and_*,or_*")
    policy = Counts(delay_ms=20)
    began = time.monotonic()
    lab.run(theorems, policy=policy, workers=8, budget=Budget(model_calls=12))
    assert time.monotonic() - began < 0.5 * 0.02 * sum(policy.sizes)


def test_one_worker_asks_directly(lab) -> None:
    policy = Counts()
    lab.run(lab.theorems("identity"), policy=policy)
    assert policy.threads == {"prover-worker-0"}


@pytest.mark.parametrize("workers", [1, 2, 5, 50])
def test_any_number_of_workers_finds_the_same(lab, workers: int) -> None:
    lab.run(workers=workers, budget=Budget(tries=60))
    found = {name: (r.status, r.proof, r.tries) for name, r in lab.records().items()}
    assert len(found) == 36 and sum(s is AttemptStatus.PROVED for s, _, _ in found.values()) == 18


def test_stop_asked_for_from_another_thread(lab, fake) -> None:
    def before(runner: Runner) -> None:
        threading.Timer(0.3, runner.request_stop, ["enough"]).start()

    summary = lab.run(environment=fake(latency_ms=2), workers=2, before=before)
    assert 0 < summary.attempts < 36
    assert lab.runner.stopped and lab.runner.stop_reason == "enough"
    assert lab.recorder.events[-1].reason == "enough"


def test_stop_before_the_start(lab) -> None:
    summary = lab.run(before=lambda runner: runner.request_stop("never mind", hard=True))
    assert summary.attempts == 0 and lab.runner.stopped


def test_an_interrupt_that_nobody_handles_leaves_no_thread(lab, fake) -> None:
    import _thread

    def before(runner: Runner) -> None:
        threading.Timer(0.3, _thread.interrupt_main).start()

    with pytest.raises(KeyboardInterrupt):
        lab.run(environment=fake(latency_ms=2), workers=3, before=before)
    assert lab.run(workers=3).attempts == 36


class Marks(FakeEnvironment):
    """Measures memory when so many theorems have been opened."""

    def __init__(self, at: Sequence[int], measure: Callable[[], int]) -> None:
        super().__init__()
        self.at, self.measure = at, measure
        self.opened = 0
        self.marks: list[int] = []

    def open(self, theorem: Theorem, limits: Limits) -> ProofSession:
        self.opened += 1
        if self.opened in self.at:
            gc.collect()
            self.marks.append(self.measure())
        return super().open(theorem, limits)


def trivial_run(path: Path, environment: FakeEnvironment, attempts: int) -> None:
    theorems = [
        Theorem(
            id=f"t{n}", name=f"t{n}", prover="fake", statement="theorem t : True.", metadata={"area": "x"}
        )
        for n in range(attempts)
    ]
    with RunStore.create(path, {}, collect_provenance(), fsync=False) as store:
        runner = Runner(
            environment=environment,
            policy=ScriptedPolicy(ScriptedOptions(tactics=("idtac.", "trivial."))),
            search=BestFirstSearch(),
            theorems=theorems,
            settings=RunSettings(),
            store=store,
        )
        assert runner.run().proved == attempts


def test_memory_of_the_process_is_flat(tmp_path: Path) -> None:
    environment = Marks((1_000, 2_500), lambda: psutil.Process().memory_info().rss)
    trivial_run(tmp_path / "run", environment, 2_500)
    before, after = environment.marks
    assert after - before < 1_500 * 2_000  # the keys of what is done, and nothing else


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_is_flat_over_twenty_thousand_attempts(tmp_path: Path) -> None:
    environment = Marks((2_000, 11_000, 20_000), lambda: tracemalloc.get_traced_memory()[0])
    tracemalloc.start()
    try:
        trivial_run(tmp_path / "run", environment, 20_000)
    finally:
        tracemalloc.stop()
    first, middle, last = environment.marks
    assert last - middle < 300 * 9_000
    assert last - middle < 1.5 * (middle - first) + 500_000
