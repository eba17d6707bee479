"""What passes between the driver and its workers: small, picklable, of plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from prover_core.contracts.policy import Usage
from prover_core.runner.batch_server import BatchServer
from prover_core.runner.policy_server import PolicyServer
from prover_core.runner.settings import RunSettings
from prover_core.runner.theorem_queue import Task
from prover_core.types import Suggestion

__all__ = [
    "AttemptResult",
    "BatchResult",
    "ModelAnswer",
    "ModelFacts",
    "ModelUse",
    "WorkBatch",
    "WorkerSpec",
]


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """All that a worker needs to make its environment, search and model for itself."""

    config: Mapping[str, Any]
    """What ``config.yaml`` of the run holds, with the directory (``cwd``) that paths are relative to."""
    settings: RunSettings
    environ: Mapping[str, str] = field(default_factory=dict)
    """``PROVER_*`` and ``POLYPROVER_*`` variables of the driver; a worker's own have precedence."""


@dataclass(frozen=True, slots=True)
class WorkBatch:
    """Attempts to be made one after another."""

    tasks: tuple[Task, ...]
    seconds: float
    """After so long nothing more of it is begun; what is left goes back, for whoever is idle."""


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """One attempt, ended."""

    line: bytes
    """Its record, as a line of ``results.jsonl``."""
    frames: tuple[Any, ...] = ()
    """Its steps in whole frames: bytes, or what the cluster fetches them by."""


@dataclass(frozen=True, slots=True)
class ModelUse:
    """What has been asked of a model."""

    calls: int = 0
    states: int = 0
    seconds: float = 0.0
    largest_batch: int = 0
    usage: Usage = field(default_factory=Usage)

    @classmethod
    def of(cls, server: BatchServer[Any]) -> Self:
        """All that a server has been asked so far."""
        usage = server.usage if isinstance(server, PolicyServer) else Usage()
        return cls(server.calls, server.states, server.seconds, server.largest_batch, usage)

    def __add__(self, other: ModelUse) -> ModelUse:
        return ModelUse(
            self.calls + other.calls,
            self.states + other.states,
            self.seconds + other.seconds,
            max(self.largest_batch, other.largest_batch),
            self.usage + other.usage,
        )

    def since(self, before: ModelUse) -> ModelUse:
        """What has come to ``before``; the largest batch is that of all."""
        counters = {name: n - before.usage.counters.get(name, 0) for name, n in self.usage.counters.items()}
        return ModelUse(
            self.calls - before.calls,
            self.states - before.states,
            self.seconds - before.seconds,
            self.largest_batch,
            Usage(self.usage.tokens - before.usage.tokens, counters),
        )


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What came of a batch."""

    results: tuple[AttemptResult, ...]
    left: tuple[Task, ...] = ()
    """Not begun, or abandoned because the run stops."""
    log: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """Events for ``log.jsonl``."""
    seconds: float = 0.0
    error: Exception | None = None
    """What no other theorem would survive either: the run ends."""
    bug: str = ""
    """What kept the first of ``left`` from being recorded, unforeseen; empty: nothing did."""
    models: Mapping[str, ModelUse] = field(default_factory=dict)
    """``policy``, and ``value`` where there is one."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a worker must know of a policy that lives in another process."""

    wants_premises: bool
    suggestions: int
    batch_size: int
    has_value: bool


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a policy that lives in another process says to some requests."""

    rows: list[list[Suggestion]] = field(default_factory=list)
    usage: tuple[Usage, ...] = ()
    """Of each request, also where there is no answer."""
    failure: str = ""
    """Why there is no answer; empty: there is one."""
