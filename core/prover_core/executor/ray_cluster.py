"""Workers as Ray actors: on this machine, or on whatever a Ray cluster has."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prover_core.errors import ConfigError, EnvironmentCrashedError, UserError
from prover_core.executor.cluster import Cluster, ClusterEvent, Done, Lost, LostError, Ready, Refused
from prover_core.executor.messages import WorkBatch, WorkerSpec
from prover_core.executor.ray_actors import ModelActor, WorkerActor
from prover_core.executor.ray_module import import_ray

__all__ = ["RayCluster", "RayOptions"]

_log = logging.getLogger(__name__)
_LOCAL_STORE_BYTES = 256 << 20
"""Of Ray's object store where we start Ray ourselves; what is more goes to the disk."""
_PATIENCE_S = 60.0
"""How long no worker at all may have begun before that is told."""
_WHY_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class RayOptions:
    """How the workers are spread."""

    address: str | None = None
    """Of a cluster (``auto``, ``HOST:6379``); ``None``: Ray is started here, for this run."""
    policy_actors: int = 0
    """Processes that serve the models to all workers; 0: each worker has its own."""
    policy_gpus: float = 0.0
    """GPUs of each of them; a fraction lets several share one."""


class RayCluster(Cluster):
    """See :class:`~prover_core.executor.cluster.Cluster`."""

    def __init__(self, spec: WorkerSpec, options: RayOptions, workers: int) -> None:
        """Connect, or start Ray; workers are started by :meth:`start`.

        :raises ToolMissingError: Ray is not installed.
        :raises ConfigError: the cluster cannot be reached, or has not what is asked for.
        """
        self._ray = import_ray()
        self._spec = spec
        self._options = options
        self._actors: dict[int, Any] = {}
        self._models: list[Any] = []
        self._pending: dict[Any, tuple[int, bool]] = {}
        """What is awaited -> the worker, and whether it is being started."""
        self._waits_since = time.monotonic()
        """When it began that no worker does anything but start."""
        self._told = False
        self._ours = self._connect(workers)
        try:
            self._check_room()
        except BaseException:
            self.close()
            raise

    # --- Cluster ----------------------------------------------------------------------------------

    def start(self, workers: int) -> None:
        serving = self._options.policy_actors
        if serving:
            clients = -(-workers // serving)
            made = self._ray.remote(
                num_cpus=0 if self._options.policy_gpus else 1,
                num_gpus=self._options.policy_gpus,
                max_concurrency=clients + 2,
                max_restarts=-1,
                max_task_retries=-1,
            )(ModelActor)
            self._models = [made.remote(self._spec, clients) for _ in range(serving)]
        self._waits_since = time.monotonic()
        for number in range(workers):
            self._start(number)

    def submit(self, worker: int, batch: WorkBatch) -> None:
        self._pending[self._actors[worker].work.remote(batch)] = (worker, False)

    def wait(self, timeout_s: float) -> Sequence[ClusterEvent]:
        if not self._pending:
            time.sleep(timeout_s)
            return []
        ready, _ = self._ray.wait(list(self._pending), num_returns=1, timeout=timeout_s)
        if ready and len(self._pending) > 1:  # whatever else has come meanwhile, in the same go
            ready, _ = self._ray.wait(list(self._pending), num_returns=len(self._pending), timeout=0)
        events = [self._event(reference, *self._pending.pop(reference)) for reference in ready]
        self._tell_if_nothing_starts(any(not isinstance(event, Lost) for event in events))
        return events

    def fetch(self, frame: Any) -> bytes:
        if isinstance(frame, bytes):
            return frame
        try:
            data: bytes = self._ray.get(frame)
        except self._ray.exceptions.RayError as error:
            raise LostError(_why(error)) from error
        return data

    def stop(self, grace_s: float) -> None:
        for actor in self._actors.values():
            actor.stop.options(concurrency_group="control").remote(grace_s)

    def finish(self, timeout_s: float) -> Sequence[str]:
        starting = {worker for worker, is_start in self._pending.values() if is_start}
        asked = [
            actor.finish.options(concurrency_group="control").remote()
            for number, actor in self._actors.items()
            if number not in starting
        ]
        problems = self._problems_of(asked, timeout_s)
        return [*problems, *self._problems_of([actor.finish.remote() for actor in self._models], timeout_s)]

    def close(self) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError):
            for actor in (*self._actors.values(), *self._models):
                self._ray.kill(actor)
        self._actors, self._models, self._pending = {}, [], {}
        if self._ours:
            self._ray.shutdown()
            self._ours = False

    # --- inside -----------------------------------------------------------------------------------

    def _connect(self, workers: int) -> bool:
        """True: Ray was started or joined by us, and is left by us."""
        if self._ray.is_initialized():
            return False
        common: dict[str, Any] = {"log_to_driver": False, "logging_level": "warning"}
        options = self._options
        try:
            if options.address is not None:
                self._ray.init(address=options.address, **common)
            else:
                needed = workers + (0 if options.policy_gpus else options.policy_actors)
                self._ray.init(
                    address="local",
                    num_cpus=max(needed, os.cpu_count() or 1),
                    include_dashboard=False,
                    object_store_memory=_LOCAL_STORE_BYTES,
                    _system_config={"worker_niceness": 0},  # provers keep time limits: not behind others
                    **common,
                )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            where = f"the Ray cluster at {options.address}" if options.address else "Ray on this machine"
            mistake = f"--executor ray: {where} cannot be used: {type(error).__name__}: {error}"
            raise ConfigError([mistake]) from error
        return True

    def _check_room(self) -> None:
        """Whether one worker, and all servers of models, will ever find a place.

        :raises ConfigError: they will not.
        """
        there = self._ray.cluster_resources()
        options = self._options
        mistakes = []
        gpus = options.policy_gpus * options.policy_actors
        if gpus > there.get("GPU", 0.0):
            mistakes.append(
                f"--policy-actors {options.policy_actors} with --policy-gpus {options.policy_gpus:g} need "
                f"{gpus:g} GPUs, and Ray has {there.get('GPU', 0.0):g}"
            )
        needed = 1 + (0 if options.policy_gpus else options.policy_actors)
        if there.get("CPU", 0.0) < needed:
            mistakes.append(f"the run needs at least {needed} CPUs, and Ray has {there.get('CPU', 0.0):g}")
        if mistakes:
            raise ConfigError(mistakes)

    def _start(self, number: int) -> None:
        made = self._ray.remote(num_cpus=1, max_restarts=0, concurrency_groups={"control": 1})(WorkerActor)
        models = self._models[number % len(self._models)] if self._models else None
        actor = made.remote(self._spec, number, models)
        self._actors[number] = actor
        self._pending[actor.start.remote()] = (number, True)

    def _event(self, reference: Any, worker: int, is_start: bool) -> ClusterEvent:
        try:
            value = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            cause = error.cause
            if is_start and isinstance(cause, UserError):
                return Refused(worker, cause)
            return self._replace(worker, _why(error))
        except self._ray.exceptions.RayError as error:
            return self._replace(worker, _why(error))
        return Ready(worker, str(value)) if is_start else Done(worker, value)

    def _tell_if_nothing_starts(self, something_happened: bool) -> None:
        """A full cluster is waited for without end; whoever started the run should know it."""
        now = time.monotonic()
        if something_happened or any(not is_start for _, is_start in self._pending.values()):
            self._waits_since = now
        elif not self._told and now - self._waits_since > _PATIENCE_S:
            self._told = True
            free = self._ray.available_resources().get("CPU", 0.0)
            _log.warning(
                "no worker is ready after %.0f s: the model takes long to load, or there is no room "
                "(Ray has %g CPUs free of %g). Still waiting.",
                _PATIENCE_S,
                free,
                self._ray.cluster_resources().get("CPU", 0.0),
            )

    def _replace(self, worker: int, why: str) -> Lost | Refused:
        if self._ray_is_gone():
            msg = f"Ray has ended on this machine, and all workers are lost with it; the last with: {why}"
            return Refused(worker, EnvironmentCrashedError(msg))
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._actors[worker])
        self._start(worker)
        return Lost(worker, why)

    def _ray_is_gone(self) -> bool:
        """The driver's own node is dead: nothing can be started any more."""
        here = self._ray.get_runtime_context().get_node_id()
        return any(node["NodeID"] == here and not node["Alive"] for node in self._ray.nodes())

    def _problems_of(self, asked: Sequence[Any], timeout_s: float) -> list[str]:
        """Each once: every worker's policy may complain of the same."""
        if not asked:
            return []
        ready, _ = self._ray.wait(asked, num_returns=len(asked), timeout=timeout_s)
        problems: dict[str, None] = {}
        for reference in ready:
            with contextlib.suppress(self._ray.exceptions.RayError):
                problems.update(dict.fromkeys(self._ray.get(reference)))
        return list(problems)


def _why(error: BaseException) -> str:
    cause = getattr(error, "cause", None)  # of an exception in the actor: without it, all is traceback
    shown = cause if isinstance(cause, BaseException) else error
    lines = [line.strip() for line in str(shown).strip().splitlines() if line.strip()]
    text = f"{type(shown).__name__}: {' '.join(lines)}"
    return text if len(text) <= _WHY_CHARACTERS else f"{text[: _WHY_CHARACTERS - 1]}…"
