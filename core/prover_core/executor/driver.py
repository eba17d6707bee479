"""The driver: hands out small batches to idle workers, records what comes back, does again what is lost.

It holds a window of the theorems, what the workers are at, and 8 bytes for each theorem and attempt: a run
of a million theorems takes no more memory at its end than at its beginning. A worker has one batch at a
time, so that never more comes back than the driver has asked for.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Sequence

from prover_core.contracts.events import RunEnded, RunObserver, RunStarted, RunStopping, TheoremStarted
from prover_core.errors import EnvironmentCrashedError, MachineryError, ProtocolError, RunStoreError
from prover_core.executor.batches import BatchSizer
from prover_core.executor.cluster import Cluster, ClusterEvent, Done, Lost, LostError, Ready, Refused
from prover_core.executor.ledger import Ledger
from prover_core.executor.messages import WorkBatch
from prover_core.executor.stream import Marks, Plan, TaskStream
from prover_core.runner.control import EventBus, StopControl
from prover_core.runner.settings import RunSettings
from prover_core.runner.theorem_queue import Task
from prover_core.store import RunStore, RunSummary, summarise
from prover_core.types import Theorem

__all__ = ["DistributedRunner"]

_POLL_S = 0.1
_AFTER_GRACE_S = 3.0
"""After the grace time, how long workers have to abandon what they are at and say so."""
_FINISH_S = 10.0
_WINDOW_PER_WORKER = 64
_LOSSES = 4
"""Workers that may be lost under one theorem before it is recorded as crashed."""
_STILLBORN = 3
"""Losses in a row, a worker, without a single batch in between: then it is no accident."""


class DistributedRunner:
    """Attempts theorems with the workers of a cluster and writes what comes out to one run directory.

    The counterpart of :class:`~prover_core.runner.Runner`, with the same results. The caller owns cluster
    and store and closes them.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        theorems: Callable[[], Iterator[Theorem]],
        settings: RunSettings,
        store: RunStore,
        observers: Sequence[RunObserver] = (),
        names: tuple[str, str, str] = ("", "", ""),
    ) -> None:
        """``theorems``: asked twice for all of them, in the same order.

        ``names``: what environment, policy and search are called (shown to observers).
        """
        self._cluster = cluster
        self._settings = settings
        self._store = store
        self._names = names
        self._stop = StopControl()
        self._bus = EventBus(observers, store)
        self._theorems = theorems
        self._idle: set[int] = set()
        self._busy: dict[int, tuple[Task, ...]] = {}
        self._lost_at: dict[tuple[str, int], int] = {}
        """Attempts under which a worker was lost -> how often. Each is tried alone from then on."""
        self._stillborn = 0
        self._told_deadline = float("inf")
        self._problems: list[str] = []
        self._ledger = Ledger(store, self._bus, settings)

    # --- for the caller ---------------------------------------------------------------------------

    def run(self) -> RunSummary:
        """Do what is not done yet; returns the summary of the whole run, earlier sessions included.

        :raises RunStoreError: the run directory cannot be written any more; a resume does the rest.
        :raises UserError: the configuration does not work where the workers are.
        """
        began = time.monotonic()
        done = self._done_marks()
        plan = Plan(self._theorems, self._settings.attempts, done)
        if plan.repeated:
            self._problems.append(
                f"{plan.repeated} theorems have the id of another one before them; only the first was "
                "attempted"
            )
        self._ledger.left = sum(1 for _ in plan.tasks()) if len(done) else plan.total
        workers = max(1, min(self._settings.workers, self._ledger.left))
        self._announce(plan.total, workers)
        if self._ledger.left:
            self._work(plan, workers)
        return self._finish(time.monotonic() - began)

    def request_stop(self, reason: str, *, hard: bool = False) -> None:
        """Ask the run to end, from a signal handler too: within ``grace_s``, or (``hard``) at once."""
        self._stop.request(reason, 0.0 if hard else self._settings.grace_s)

    @property
    def stopped(self) -> bool:
        """Theorems are left that were to be attempted."""
        return self._ledger.left > 0

    @property
    def stop_reason(self) -> str:
        """Why it was asked to stop; empty: it was not."""
        return self._stop.reason

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong beside the attempts, one line each; to be shown."""
        return (*self._bus.problems, *self._problems)

    # --- the run ----------------------------------------------------------------------------------

    def _done_marks(self) -> Marks:
        again = self._settings.retry
        lines = self._store.last_lines()
        return Marks(array("q", (hash(line.key) for line in lines if line.status not in again)))

    def _announce(self, total: int, workers: int) -> None:
        environment, policy, search = self._names
        left = self._ledger.left
        self._store.log("run_started", attempts=left, already_done=total - left, workers=workers)
        self._bus.emit(
            RunStarted(
                run_dir=self._store.path,
                theorems=left,
                already_done=total - left,
                workers=workers,
                environment=environment,
                policy=policy,
                search=search,
            )
        )

    def _work(self, plan: Plan, workers: int) -> None:
        stream = TaskStream(
            plan.tasks(), window=_WINDOW_PER_WORKER * workers, affinity=self._settings.file_affinity
        )
        sizer = BatchSizer(workers)
        try:
            self._cluster.start(workers)
            while self._go_on(stream):
                if not self._stop.requested:
                    self._hand_out(stream, sizer)
                for event in self._cluster.wait(_POLL_S):
                    try:
                        self._obey(event, stream, sizer, workers)
                    except (RunStoreError, ProtocolError) as error:
                        self._stop.fail(error)
            for problem in self._cluster.finish(_FINISH_S if not self._busy else 0.0):
                self._problems.append(problem)
                self._store.log("policy_problem", problem=problem)
        finally:
            self._ledger.over = True
            self._cluster.close()
            self._ledger.log_models()

    def _obey(self, event: ClusterEvent, stream: TaskStream, sizer: BatchSizer, workers: int) -> None:
        match event:
            case Ready():
                self._idle.add(event.worker)
                self._store.log("worker_ready", worker=event.worker, node=event.node)
            case Done():
                self._take(event, stream, sizer)
            case Lost():
                self._lost(event, stream, workers)
            case Refused():
                self._stop.fail(event.error)

    def _go_on(self, stream: TaskStream) -> bool:
        if not self._stop.requested:
            return bool(self._busy) or not stream.ended
        if self._stop.deadline < self._told_deadline:
            self._tell_of_stop()
        return bool(self._busy) and time.monotonic() < self._stop.deadline + _AFTER_GRACE_S

    def _tell_of_stop(self) -> None:
        """Told once, and again where the grace time was shortened."""
        self._told_deadline = self._stop.deadline
        grace_s = max(0.0, self._stop.deadline - time.monotonic())
        self._store.log("stopping", reason=self._stop.reason, grace_s=round(grace_s, 1))
        self._bus.emit(RunStopping(self._stop.reason, grace_s))
        self._cluster.stop(grace_s)

    def _hand_out(self, stream: TaskStream, sizer: BatchSizer) -> None:
        for worker in sorted(self._idle):
            tasks = stream.take(worker, sizer.size(stream.waiting))
            if not tasks:
                return
            alone = [task for task in tasks if (task.theorem.id, task.attempt) in self._lost_at]
            if alone and len(tasks) > 1:
                stream.give_back(tasks[1:])
                tasks = tasks[:1]
            self._idle.discard(worker)
            self._busy[worker] = tuple(tasks)
            self._bus.emit(TheoremStarted(worker, tasks[0].theorem))
            self._cluster.submit(worker, WorkBatch(tuple(tasks), sizer.seconds))

    def _take(self, event: Done, stream: TaskStream, sizer: BatchSizer) -> None:
        tasks = self._busy.pop(event.worker)
        result = event.result
        self._idle.add(event.worker)
        self._stillborn = 0
        for name, fields in result.log:
            self._store.log(name, worker=event.worker, **{k: v for k, v in fields.items() if k != "worker"})
        again = list(result.left)
        if result.bug and again:
            again = [*self._once_more(event.worker, again[0], result.bug), *again[1:]]
        for attempt in result.results:
            record = self._ledger.read(attempt)
            try:
                self._ledger.commit(event.worker, record, (self._cluster.fetch(f) for f in attempt.frames))
            except LostError as error:
                again += [task for task in tasks if (task.theorem.id, task.attempt) == record.key]
                self._store.log("steps_lost", theorem=record.theorem_id, reason=str(error))
            else:
                self._lost_at.pop(record.key, None)
        sizer.count(len(result.results), result.seconds)
        self._ledger.count_models(result.models)
        stream.give_back(again)
        if result.error is not None:
            self._stop.fail(result.error)
        problem = self._ledger.hopeless()
        if problem and not self._stop.requested:
            self._problems.append(problem)
            self._stop.request(problem, 0.0)

    def _lost(self, event: Lost, stream: TaskStream, workers: int) -> None:
        """Do its batch again, each attempt alone, so that one that kills its worker is known by that."""
        self._idle.discard(event.worker)
        tasks = self._busy.pop(event.worker, ())
        stream.release(event.worker)
        self._store.log(
            "worker_lost", worker=event.worker, reason=event.why, again=[t.theorem.id for t in tasks]
        )
        if not tasks:
            self._stillborn += 1
            if self._stillborn >= _STILLBORN * workers:
                msg = f"workers end as soon as they begin, the last with: {event.why}"
                self._stop.fail(RunStoreError(msg))
            return
        again = [
            each
            for task in tasks
            for each in self._once_more(event.worker, task, event.why, guilty=len(tasks) == 1)
        ]
        for task in reversed(again):
            stream.give_back([task])

    def _once_more(self, worker: int, task: Task, why: str, *, guilty: bool = True) -> list[Task]:
        """The task, to be done again; nothing where that was in vain too often: then that is recorded."""
        key = (task.theorem.id, task.attempt)
        self._lost_at[key] = self._lost_at.get(key, 0) + guilty
        if self._lost_at[key] < _LOSSES:
            return [task]
        self._ledger.commit(worker, self._ledger.crashed(task, why, _LOSSES), ())
        del self._lost_at[key]
        return []

    def _finish(self, seconds: float) -> RunSummary:
        try:
            self._store.flush()
        except RunStoreError as error:
            self._problems.append(f"{error} They become a Parquet part when the run is resumed.")
        counts = {status.value: n for status, n in self._store.counts().items()}
        self._store.log("run_ended", stopped=self.stopped, reason=self._stop.reason, counts=counts)
        self._bus.emit(
            RunEnded(
                run_dir=self._store.path,
                counts=counts,
                seconds=seconds,
                stopped=self.stopped,
                reason=self._stop.reason,
            )
        )
        problem = self._stop.error
        if isinstance(problem, RunStoreError | MachineryError):
            msg = (
                f"{problem}\n{sum(counts.values())} attempts are recorded and safe; what was in flight was "
                f"not recorded.\nThen go on with: prover run --resume {self._store.path}"
            )
            kind = RunStoreError if isinstance(problem, RunStoreError) else EnvironmentCrashedError
            raise kind(msg) from problem
        if problem is not None:
            raise problem
        return summarise(self._store)
