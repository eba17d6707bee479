"""Fixtures of the runner's tests: a run on the fake prover, whole, in one call."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from prover_core.builtin.fake import FakeEnvironment, FakeOptions, FakeSource, FakeSourceOptions
from prover_core.builtin.scripted import ScriptedPolicy
from prover_core.contracts import Policy, ProofEnvironment, Search
from prover_core.contracts.events import Event, RunObserver
from prover_core.runner import Runner, RunSettings
from prover_core.search import BestFirstSearch
from prover_core.store import AttemptRecord, RunStore, RunSummary, collect_provenance
from prover_core.types import Budget, Theorem

BUDGET = Budget(tries=500)
"""In tries alone, so that a run gives the same on any machine."""


class Recorder(RunObserver):
    """Keeps every event, and notices if two come at once."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.overlaps = 0
        self._inside = threading.Lock()

    def on_event(self, event: Event) -> None:
        if not self._inside.acquire(blocking=False):
            self.overlaps += 1
            return
        try:
            self.events.append(event)
        finally:
            self._inside.release()


class Lab:
    """Makes runs in a folder of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recorder = Recorder()
        self.runner: Runner | None = None

    def theorems(self, argument: str = "", copies: int = 1, provable_only: bool = False) -> list[Theorem]:
        options = FakeSourceOptions(copies=copies, provable_only=provable_only)
        return list(FakeSource(options, argument).theorems())

    def run(
        self,
        theorems: Sequence[Theorem] | None = None,
        *,
        environment: ProofEnvironment | None = None,
        policy: Policy | None = None,
        search: Search | None = None,
        observers: Sequence[RunObserver] = (),
        before: Callable[[Runner], None] | None = None,
        **settings: object,
    ) -> RunSummary:
        """A run, or the rest of one."""
        chosen = self.theorems() if theorems is None else theorems
        fields = {"budget": BUDGET, **settings}
        if (self.path / "provenance.json").exists():
            store = RunStore.resume(self.path, fsync=False)
        else:
            store = RunStore.create(self.path, {}, collect_provenance(theorems=chosen), fsync=False)
        environment, policy = environment or FakeEnvironment(), policy or ScriptedPolicy()
        policy.bind(environment)
        with store:
            self.runner = Runner(
                environment=environment,
                policy=policy,
                search=search or BestFirstSearch(),
                theorems=chosen,
                settings=RunSettings(**fields),  # type: ignore[arg-type]
                store=store,
                observers=[self.recorder, *observers],
            )
            if before is not None:
                before(self.runner)
            return self.runner.run()

    def records(self) -> dict[str, AttemptRecord]:
        """Theorem name -> its record."""
        return {record.name: record for record in RunStore.open(self.path).records()}

    def log(self) -> str:
        return (self.path / "log.jsonl").read_text()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "run")


@pytest.fixture(autouse=True)
def no_thread_survives() -> Iterator[None]:
    """Every test of the runner ends with the threads that it began with."""
    before = set(threading.enumerate())
    yield
    until = time.monotonic() + 5
    while (left := [t for t in threading.enumerate() if t not in before]) and time.monotonic() < until:
        time.sleep(0.01)
    assert not left


@pytest.fixture
def fake() -> Callable[..., FakeEnvironment]:
    """``fake(latency_ms=5)``."""
    return lambda **options: FakeEnvironment(FakeOptions(**options))


@pytest.fixture
def in_file() -> Callable[[Theorem, str], Theorem]:
    """The theorem, as if it stood in that file."""
    return lambda theorem, file: dataclasses.replace(theorem, file=file)
