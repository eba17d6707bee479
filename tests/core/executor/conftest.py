"""Fixtures of the executor's tests: a cluster of threads, which loses and breaks what it is told to."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from prover_core.config.build import Models, build_environment
from prover_core.config.layers import Given
from prover_core.config.resolve import ResolvedRun, resolve
from prover_core.contracts.events import RunObserver
from prover_core.executor import Cluster, DistributedRunner, Done, Lost, Ready, Refused, WorkBatch, WorkerSpec
from prover_core.executor.cluster import ClusterEvent, LostError
from prover_core.executor.on_ray import StreamedTheorems
from prover_core.executor.remote_models import ModelServer, RemotePolicy
from prover_core.executor.remote_worker import RemoteWorker
from prover_core.plugins.manager import installed_plugins
from prover_core.runner.configured import run_settings
from prover_core.store import Provenance, RunStore, RunSummary


class ThreadCluster(Cluster):
    """Real workers, each in a thread of this process; ``lose`` says which batches are lost with theirs."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.spec = spec
        self.lose: Callable[[int, WorkBatch], bool] = lambda worker, batch: False
        self.lose_frames: Callable[[bytes], bool] = lambda frame: False
        self.ship: Callable[[bytes], Any] = lambda frame: frame
        self.models: ModelServer | None = None
        self.stillborn = False
        self.batches: list[tuple[int, WorkBatch]] = []
        self.most_at_once = 0
        self._events: queue.Queue[ClusterEvent] = queue.Queue()
        self._inboxes: dict[int, queue.Queue[WorkBatch | None]] = {}
        self._workers: dict[int, RemoteWorker] = {}
        self._threads: list[threading.Thread] = []
        self._busy: set[int] = set()
        self._closed = False

    def start(self, workers: int) -> None:
        for number in range(workers):
            self._begin(number)

    def submit(self, worker: int, batch: WorkBatch) -> None:
        assert worker not in self._busy, "a worker has one batch at a time"
        self._busy.add(worker)
        self.most_at_once = max(self.most_at_once, len(self._busy))
        self.batches.append((worker, batch))
        self._inboxes[worker].put(batch)

    def wait(self, timeout_s: float) -> Sequence[ClusterEvent]:
        try:
            events = [self._events.get(timeout=timeout_s)]
        except queue.Empty:
            return []
        while not self._events.empty():
            events.append(self._events.get())
        for event in events:
            self._busy.discard(event.worker)
        return events

    def fetch(self, frame: Any) -> bytes:
        if self.lose_frames(frame):
            msg = "the node that had it is gone"
            raise LostError(msg)
        return frame

    def stop(self, grace_s: float) -> None:
        for worker in list(self._workers.values()):
            worker.stop(grace_s)

    def finish(self, timeout_s: float) -> Sequence[str]:
        return sorted({problem for worker in self._workers.values() for problem in worker.problems()})

    def close(self) -> None:
        self._closed = True
        for inbox in self._inboxes.values():
            inbox.put(None)
        for thread in self._threads:
            thread.join(10)
        self._inboxes = {}

    def _begin(self, number: int) -> None:
        self._inboxes[number] = queue.Queue()
        thread = threading.Thread(target=self._live, args=(number, self._inboxes[number]), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _live(self, number: int, inbox: queue.Queue[WorkBatch | None]) -> None:
        if self.stillborn:
            threading.Event().wait(0.01)
            self._die(number)
            return
        try:
            served = self.models and Models(RemotePolicy(self.models.facts(), self.models.suggest))
            worker = RemoteWorker(self.spec, number, served or None, ship=self.ship)
        except Exception as error:  # noqa: BLE001 - told to the driver, as a cluster does
            self._events.put(Refused(number, error))
            return
        with worker:
            self._workers[number] = worker
            self._events.put(Ready(number, "here"))
            while (batch := inbox.get()) is not None:
                if self.lose(number, batch):
                    self._die(number)
                    return
                self._events.put(Done(number, worker.work(batch)))

    def _die(self, number: int) -> None:
        self._events.put(Lost(number, "the node vanished"))
        if not self._closed:
            self._begin(number)


class Lab:
    """Runs of one configuration, local or distributed, in folders of their own."""

    def __init__(self, folder: Path, **given: Any) -> None:
        settings = {
            "env": "fake",
            "model": "scripted",
            "data": "fake",
            "budget": "150t",
            "workers": 3,
            "executor": "ray",
            **given,
        }
        layer = {name.replace("__", "."): Given(value, "test") for name, value in settings.items()}
        self.resolved: ResolvedRun = resolve([layer], installed_plugins())
        self.settings = run_settings(self.resolved)
        spec = WorkerSpec(self.resolved.to_mapping(), self.settings)
        self.cluster = ThreadCluster(spec)
        self.folder = folder
        self.runner: DistributedRunner | None = None

    def run(self, observers: Sequence[RunObserver] = (), retry: frozenset[Any] = frozenset()) -> RunSummary:
        path = self.folder / "run"
        with build_environment(self.resolved) as environment:
            theorems = StreamedTheorems(self.resolved, environment)
            there = path.exists()
            store = RunStore.resume(path) if there else RunStore.create(path, {}, Provenance(theorems=36))
            with store:
                self.runner = DistributedRunner(
                    cluster=self.cluster,
                    theorems=lambda: iter(theorems),
                    settings=dataclasses.replace(self.settings, retry=retry),
                    store=store,
                    observers=observers,
                )
                return self.runner.run()

    def found(self) -> dict[Any, Any]:
        """Attempt -> how it ended."""
        with RunStore.open(self.folder / "run") as store:
            return {record.key: record.status for record in store.records()}


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    count = iter(range(100))
    yield lambda **given: Lab(tmp_path / f"lab{next(count)}", **given)
