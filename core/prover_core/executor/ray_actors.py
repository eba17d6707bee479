"""What lives in Ray's processes: a worker, and a server of models."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from typing import Any

from prover_core.config.build import Models
from prover_core.contracts.policy import PolicyRequest
from prover_core.errors import PolicyFailedError, UserError
from prover_core.executor.messages import BatchResult, ModelAnswer, ModelFacts, WorkBatch, WorkerSpec
from prover_core.executor.ray_module import import_ray
from prover_core.executor.remote_models import ModelServer, RemotePolicy, RemoteValue
from prover_core.executor.remote_worker import RemoteWorker

__all__ = ["ModelActor", "WorkerActor"]

_LOOK_AT_PARENT_EVERY_S = 1.0


class WorkerActor:
    """One worker in a process of its own. ``start`` is apart, so that what goes wrong in it is told."""

    def __init__(self, spec: WorkerSpec, number: int, models: Any = None) -> None:
        """``models``: the handle of a :class:`ModelActor`; ``None``: the worker makes its own."""
        self._spec = spec
        self._number = number
        self._models = models
        self._worker: RemoteWorker | None = None

    def start(self) -> str:
        """Make environment, search and model; returns the address of the node and its id.

        :raises UserError: the configuration cannot be used here.
        """
        _end_with_parent()
        ray = import_ray()
        models = None
        if self._models is not None:
            facts = _facts(self._models)
            value = RemoteValue(self._score) if facts.has_value else None
            models = Models(RemotePolicy(facts, self._suggest), value)
        self._worker = RemoteWorker(self._spec, self._number, models, ship=ray.put)
        node = ray.get_runtime_context().get_node_id()
        return f"{ray.util.get_node_ip_address()} {node[:8]}"

    def work(self, batch: WorkBatch) -> BatchResult:
        """See :meth:`RemoteWorker.work`."""
        if self._worker is None:
            msg = "the worker was given work before it was started"
            raise RuntimeError(msg)
        return self._worker.work(batch)

    def stop(self, grace_s: float) -> None:
        """See :meth:`RemoteWorker.stop`; called while ``work`` runs."""
        if self._worker is not None:
            self._worker.stop(grace_s)

    def finish(self) -> list[str]:
        """End the provers; what the policy has to complain of."""
        if self._worker is None:
            return []
        problems = self._worker.problems()
        self._worker.close()
        return problems

    def _suggest(self, requests: list[PolicyRequest]) -> Any:
        return _ask(self._models.suggest.remote(requests))

    def _score(self, requests: list[PolicyRequest]) -> Any:
        return _ask(self._models.score.remote(requests))


class ModelActor:
    """The models of a run, for several workers, where the GPU is.

    They are made by the first call, so that what goes wrong in it is told.
    """

    def __init__(self, spec: WorkerSpec, clients: int) -> None:
        _end_with_parent()
        self._spec = spec
        self._clients = clients
        self._lock = threading.Lock()
        self._made: ModelServer | None = None

    def facts(self) -> ModelFacts:
        """See :meth:`ModelServer.facts`.

        :raises UserError: the models cannot be made here.
        """
        return self._server.facts()

    def suggest(self, requests: Sequence[PolicyRequest]) -> ModelAnswer:
        """See :meth:`ModelServer.suggest`."""
        return self._server.suggest(requests)

    def score(self, requests: Sequence[PolicyRequest]) -> list[float]:
        """See :meth:`ModelServer.score`."""
        return self._server.score(requests)

    def finish(self) -> list[str]:
        """Free the models; what the policy has to complain of."""
        if self._made is None:
            return []
        problems = self._made.problems()
        with contextlib.suppress(Exception):  # it ends anyway
            self._made.close()
        return problems

    @property
    def _server(self) -> ModelServer:
        with self._lock:
            if self._made is None:
                self._made = ModelServer(self._spec, self._clients)
            return self._made


def _end_with_parent() -> None:
    """End this process when the node's Ray, which has started it, has ended.

    Ray lets a busy worker live on then, with its provers, though nobody can reach it: as long as the driver
    lives.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_AT_PARENT_EVERY_S)
        os._exit(1)

    threading.Thread(target=watch, name="prover-parent", daemon=True).start()


def _facts(models: Any) -> ModelFacts:
    """:raises UserError: the models cannot be made where they are to be served."""
    ray = import_ray()
    try:
        facts: ModelFacts = ray.get(models.facts.remote())
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise error.cause from None
        raise
    return facts


def _ask(answer: Any) -> Any:
    """Wait for the models. Ray restarts lost ones, and asks them again, by itself."""
    ray = import_ray()
    try:
        return ray.get(answer)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        msg = f"the model's process answered with {type(cause).__name__}: {cause}"
        raise PolicyFailedError(msg) from error
    except ray.exceptions.RayError as error:
        msg = f"the model's process cannot be reached: {type(error).__name__}: {error}"
        raise PolicyFailedError(msg) from error
