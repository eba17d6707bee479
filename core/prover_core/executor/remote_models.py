"""A policy and a value that live in another process, and what serves them there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Self

from prover_core.config.build import build
from prover_core.contracts.policy import Policy, PolicyRequest, Usage, Value
from prover_core.errors import PolicyFailedError
from prover_core.executor.messages import ModelAnswer, ModelFacts, WorkerSpec
from prover_core.executor.surroundings import enter_surroundings, resolve_spec
from prover_core.runner.policy_server import PolicyServer, ValueServer
from prover_core.types import ProofState, Suggestion

__all__ = ["ModelServer", "RemotePolicy", "RemoteValue"]

Ask = Callable[[list[PolicyRequest]], Any]
"""Sends the requests and waits for the answer."""


class ModelServer:
    """The models of a run behind their batch servers; several threads may ask. A context manager."""

    def __init__(self, spec: WorkerSpec, clients: int) -> None:
        """``clients``: workers that may ask at the same time.

        :raises UserError: the configuration cannot be used here.
        """
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.enter_context(enter_surroundings(spec))
            parts = undo.enter_context(build(resolve_spec(spec)))
            settings = spec.settings
            self._policy = parts.policy
            self._suggestions = settings.suggestions or parts.policy.suggestions
            threads = max(2, clients)  # one would be served without a thread, and thus without batches
            self._server = undo.enter_context(
                PolicyServer(
                    parts.policy,
                    suggestions=self._suggestions,
                    workers=threads,
                    window_s=settings.batch_window_s,
                )
            )
            self._values: ValueServer | None = None
            if parts.value is not None:
                self._values = undo.enter_context(
                    ValueServer(parts.value, workers=threads, window_s=settings.batch_window_s)
                )
            self._stack = undo.pop_all()

    def facts(self) -> ModelFacts:
        """What a client must know."""
        policy = self._policy
        return ModelFacts(
            policy.wants_premises, self._suggestions, policy.batch_size, self._values is not None
        )

    def suggest(self, requests: Sequence[PolicyRequest]) -> ModelAnswer:
        """:meth:`Policy.suggest`, together with what others ask at the moment."""
        rows, failure = [], ""
        try:
            rows = self._server.ask(requests)
        except PolicyFailedError as error:
            failure = str(error)
        usage = tuple(self._server.take_usage([request]) for request in requests)
        return ModelAnswer(rows, usage, failure)

    def score(self, requests: Sequence[PolicyRequest]) -> list[float]:
        """:meth:`Value.score`, likewise; nothing where there is no value."""
        return [] if self._values is None else self._values.ask(requests)

    def problems(self) -> list[str]:
        """:meth:`Policy.problems`."""
        return list(self._policy.problems())

    def close(self) -> None:
        """Free what it holds. Calling it twice is fine."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RemotePolicy(Policy):
    """Asks another process, which has been bound to an environment like ours."""

    def __init__(self, facts: ModelFacts, ask: Ask) -> None:
        self.wants_premises = facts.wants_premises
        self.suggestions = facts.suggestions
        self.batch_size = facts.batch_size
        self._ask = ask
        self._usage: tuple[Usage, ...] = ()

    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        self._usage = ()
        answer: ModelAnswer = self._ask([_plain(request) for request in requests])
        self._usage = answer.usage
        if answer.failure:
            raise PolicyFailedError(answer.failure)
        return [row[:k] for row in answer.rows]

    def usage(self) -> Sequence[Usage]:
        return self._usage


class RemoteValue(Value):
    """Asks another process."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def score(self, requests: Sequence[PolicyRequest]) -> list[float]:
        scores: list[float] = self._ask([_plain(request) for request in requests])
        return scores


def _plain(request: PolicyRequest) -> PolicyRequest:
    """The request without what means something only in this process: the session's own handle."""
    state = ProofState(None, request.state.depth, request.state.goals)
    return PolicyRequest(request.theorem, state, request.script, request.premises, request.attempt)
