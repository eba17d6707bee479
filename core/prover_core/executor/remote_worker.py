"""The worker's side: the runner's own worker loop, over a batch, with what it finds sent to the driver."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from prover_core.config.build import Models, build
from prover_core.executor.messages import AttemptResult, BatchResult, ModelUse, WorkBatch, WorkerSpec
from prover_core.executor.surroundings import enter_surroundings, resolve_spec
from prover_core.plugins.manager import installed_plugins
from prover_core.runner.attempt import Bench, Ending
from prover_core.runner.batch_server import BatchServer
from prover_core.runner.configured import premise_source
from prover_core.runner.control import EventBus, StopControl
from prover_core.runner.policy_server import PolicyServer, ValueServer
from prover_core.runner.theorem_queue import Task, TheoremQueue
from prover_core.runner.worker import Worker
from prover_core.store.attempt_steps import AttemptTrajectory
from prover_core.store.frames import encode_frame
from prover_core.store.records import AttemptRecord

__all__ = ["RemoteWorker"]

Ship = Callable[[bytes], Any]
"""Puts a large frame where the driver fetches it when it wants it."""

_INLINE_BYTES = 1 << 20
"""Steps of an attempt up to this size travel with its result; more is fetched frame by frame."""
_AFTER_CUT_S = 1.0


class RemoteWorker:
    """Makes attempts, one at a time. Use it as a context manager.

    ``work`` is called from one thread; ``stop`` from another while it runs.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        number: int,
        models: Models | None = None,
        ship: Ship = lambda frame: frame,
    ) -> None:
        """``models``: where the policy is served by another process.

        :raises UserError: the configuration cannot be used here: a tool or a component is missing.
        """
        self.number = number
        self._ship = ship
        self._stop = StopControl()
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.enter_context(enter_surroundings(spec))
            resolved = resolve_spec(spec)
            parts = undo.enter_context(build(resolved, models))
            scratch = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="polyprover-worker-")))
            self._recorder = _Recorder(scratch if spec.settings.trajectories else None)
            settings = spec.settings
            self._policy = parts.policy
            self._used: dict[str, ModelUse] = {}
            suggestions = settings.suggestions or parts.policy.suggestions
            server = undo.enter_context(
                PolicyServer(parts.policy, suggestions=suggestions, workers=1, window_s=0.0)
            )
            self._servers: dict[str, BatchServer[Any]] = {"policy": server}
            values = None
            if parts.value is not None:
                values = undo.enter_context(ValueServer(parts.value, workers=1, window_s=0.0))
                self._servers["value"] = values
            source = premise_source(resolved, installed_plugins())
            self._environment = parts.environment
            self._bench = Bench(
                environment=parts.environment,
                wants_premises=settings.retrieval and (parts.policy.wants_premises or source is not None),
                server=server,
                search=parts.search,
                settings=settings,
                store=self._recorder,
                stop=self._stop,
                premise_source=source,
                value_server=values,
            )
            self._stack = undo.pop_all()

    def work(self, batch: WorkBatch) -> BatchResult:
        """Make the attempts of a batch, as many as there is time to begin."""
        began = time.monotonic()
        results: list[AttemptResult] = []
        done: set[tuple[str, int]] = set()

        def commit(
            _worker: int,
            task: Task,
            record: AttemptRecord,
            ending: Ending,
            trajectory: AttemptTrajectory | None,
        ) -> None:
            results.append(self._result(record, ending, trajectory))
            done.add((task.theorem.id, task.attempt))

        queue = _Batch(batch.tasks, began + batch.seconds)
        bus = EventBus((), self._recorder)
        bug = ""
        try:
            Worker(self.number, self._bench, queue, bus, commit).run()
        except Exception as error:  # noqa: BLE001 - a bug of ours: the driver is told, and counts how often
            bug = f"{type(error).__name__}: {error}"
            self._recorder.log("bug", worker=self.number, traceback=traceback.format_exc())
        return BatchResult(
            results=tuple(results),
            left=tuple(task for task in batch.tasks if (task.theorem.id, task.attempt) not in done),
            log=self._recorder.taken(),
            seconds=time.monotonic() - began,
            error=self._stop.error,
            bug=bug,
            models=self._used_since_last_told(),
        )

    def stop(self, grace_s: float) -> None:
        """Begin nothing more; abandon what has not ended after ``grace_s``, then take its prover away."""
        self._stop.request("the driver stops the run", grace_s)
        cut = threading.Timer(grace_s, self._cut)
        cut.daemon = True
        cut.start()

    def problems(self) -> list[str]:
        """:meth:`Policy.problems`."""
        return list(self._policy.problems())

    def close(self) -> None:
        """End the provers, free the models. Calling it twice is fine."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _cut(self) -> None:
        self._stop.cut = True
        threading.Event().wait(_AFTER_CUT_S)
        self._environment.close()

    def _used_since_last_told(self) -> dict[str, ModelUse]:
        before = self._used
        self._used = {name: ModelUse.of(server) for name, server in self._servers.items()}
        return {name: used.since(before.get(name, ModelUse())) for name, used in self._used.items()}

    def _result(
        self, record: AttemptRecord, ending: Ending, trajectory: AttemptTrajectory | None
    ) -> AttemptResult:
        frames: list[Any] = []
        size = 0
        if trajectory is not None:
            path = ending.search.path if ending.search is not None and record.proved else ()
            for batch in trajectory.batches(path):
                frame = encode_frame(batch)
                size += len(frame)
                frames.append(frame if size <= _INLINE_BYTES else self._ship(frame))
        return AttemptResult(record.to_line(), tuple(frames))


class _Recorder:
    """Stands in for the run store: steps go to a folder of this machine, events are kept for the driver."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._log: list[tuple[str, Mapping[str, Any]]] = []

    def trajectory(self, uid: str, theorem_id: str, attempt: int) -> AttemptTrajectory | None:
        if self._folder is None:
            return None
        return AttemptTrajectory(uid, theorem_id, attempt, self._folder)

    def log(self, event: str, **fields: object) -> None:
        self._log.append((event, fields))

    def taken(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        """What has been logged since it was asked last."""
        taken, self._log = self._log, []
        return tuple(taken)


class _Batch(TheoremQueue):
    """The tasks of a batch; when its time is up, what is not begun is left."""

    def __init__(self, tasks: Sequence[Task], until: float) -> None:
        super().__init__(tasks, affinity=False)
        self._until = until
        self._first = True

    def take(self, worker: int) -> Task | None:
        if not self._first and time.monotonic() >= self._until:
            return None
        self._first = False
        return super().take(worker)
