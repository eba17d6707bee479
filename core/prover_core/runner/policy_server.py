"""One thread that asks the policy for all workers, in batches.

A call is made when a worker waits: with what has come in, up to the policy's ``batch_size``, after a tiny
window in which the other busy workers may add theirs; at once where every busy worker is waiting. With
one worker there is no thread at all, and the policy is called directly.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence

from prover_core.contracts.policy import Policy, PolicyRequest
from prover_core.errors import PolicyFailedError
from prover_core.runner.control import AbandonedError
from prover_core.types import Suggestion

__all__ = ["PolicyServer"]

Answers = list[list[Suggestion]]

_LOGPROB_SLACK = 1e-6
"""Sums of 32-bit log-probabilities may come out a hair above 0."""


class _Ticket:
    """One worker's question, and the place for its answer."""

    __slots__ = ("answer", "done", "error", "requests")

    def __init__(self, requests: Sequence[PolicyRequest]) -> None:
        self.requests = requests
        self.answer: Answers = []
        self.error: Exception | None = None
        self.done = threading.Event()


class PolicyServer:
    """Batches the requests of ``workers`` threads for one policy. Use it as a context manager."""

    def __init__(self, policy: Policy, *, suggestions: int, workers: int, window_s: float) -> None:
        self._policy = policy
        self._suggestions = suggestions
        self._window_s = window_s
        self._batch_size = max(1, policy.batch_size)
        self._state = threading.Condition()
        self._queue: deque[_Ticket] = deque()
        self._outstanding: set[_Ticket] = set()
        self._busy = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        if workers > 1:
            self._thread = threading.Thread(target=self._serve, name="prover-policy", daemon=True)
        self.calls = 0
        """Calls of the policy."""
        self.states = 0
        """States asked about."""
        self.largest_batch = 0
        self.seconds = 0.0
        """Time inside the policy."""

    def ask(self, requests: Sequence[PolicyRequest]) -> Answers:
        """Suggestions for each request, in order; blocks until they are there.

        :raises PolicyFailedError: the policy raised or answered in the wrong shape.
        :raises AbandonedError: the run ends.
        """
        if not requests:
            return []
        if self._thread is None:
            if self._closed:
                raise AbandonedError
            return self._call(requests)
        ticket = _Ticket(requests)
        with self._state:
            if self._closed:
                raise AbandonedError
            self._queue.append(ticket)
            self._outstanding.add(ticket)
            self._state.notify_all()
        ticket.done.wait()
        if ticket.error is not None:
            raise ticket.error
        return ticket.answer

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """While a worker searches: a batch waits for its requests, if only for the window."""
        with self._state:
            self._busy += 1
        try:
            yield
        finally:
            with self._state:
                self._busy -= 1
                self._state.notify_all()

    def start(self) -> None:
        """Start the thread, where there is one."""
        if self._thread is not None:
            self._thread.start()

    def abort(self) -> None:
        """Answer everybody who waits, now and later, with ``AbandonedError``. Calling it twice is fine."""
        with self._state:
            self._closed = True
            for ticket in tuple(self._outstanding):
                self._settle(ticket, error=AbandonedError())
            self._queue.clear()
            self._state.notify_all()

    def close(self, timeout_s: float = 1.0) -> bool:
        """End the thread; false: the policy does not return from its call, and the thread is left to it."""
        self.abort()
        if self._thread is None or not self._thread.is_alive():
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def __enter__(self) -> PolicyServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the thread -------------------------------------------------------------------------------

    def _serve(self) -> None:
        while batch := self._collect():
            requests = [request for ticket in batch for request in ticket.requests]
            try:
                answers = self._call(requests)
            except PolicyFailedError as error:
                self._serve_apart(batch, error)
                continue
            with self._state:
                at = 0
                for ticket in batch:
                    self._settle(ticket, answer=answers[at : at + len(ticket.requests)])
                    at += len(ticket.requests)

    def _serve_apart(self, batch: Sequence[_Ticket], error: PolicyFailedError) -> None:
        """Ask again for each worker alone, so that one worker's bad state does not fail the others."""
        for ticket in batch:
            answer: Answers = []
            failed: Exception | None = error
            if len(batch) > 1:
                try:
                    answer, failed = self._call(ticket.requests), None
                except PolicyFailedError as again:
                    failed = again
            with self._state:
                self._settle(ticket, answer=answer, error=failed)

    def _collect(self) -> list[_Ticket]:
        """Wait for requests and take a batch of them; empty: the run ends."""
        with self._state:
            while not self._queue and not self._closed:
                self._state.wait()
            until = time.monotonic() + self._window_s
            while not self._closed and self._worth_waiting() and (left := until - time.monotonic()) > 0:
                self._state.wait(left)
            batch: list[_Ticket] = []
            size = 0
            while self._queue and (not batch or size + len(self._queue[0].requests) <= self._batch_size):
                ticket = self._queue.popleft()
                batch.append(ticket)
                size += len(ticket.requests)
            return batch

    def _worth_waiting(self) -> bool:
        waiting = sum(len(ticket.requests) for ticket in self._queue)
        return waiting < self._batch_size and len(self._queue) < self._busy

    def _settle(
        self, ticket: _Ticket, *, answer: Answers | None = None, error: Exception | None = None
    ) -> None:
        """Give a ticket its answer, once. The lock is held."""
        if ticket in self._outstanding:
            self._outstanding.remove(ticket)
            ticket.answer = answer or []
            ticket.error = error
            ticket.done.set()

    def _call(self, requests: Sequence[PolicyRequest]) -> Answers:
        answers: Answers = []
        for start in range(0, len(requests), self._batch_size):
            answers += self._call_once(requests[start : start + self._batch_size])
        return answers

    def _call_once(self, requests: Sequence[PolicyRequest]) -> Answers:
        name = type(self._policy).__name__
        began = time.monotonic()
        try:
            answers = self._policy.suggest(requests, self._suggestions)
        except PolicyFailedError:
            raise
        except (Exception, SystemExit) as error:  # whatever a model raises fails its requests
            msg = f"policy {name} raised {type(error).__name__}: {error} (asked about {len(requests)} states)"
            raise PolicyFailedError(msg) from error
        finally:
            self.seconds += time.monotonic() - began
            self.calls += 1
            self.states += len(requests)
            self.largest_batch = max(self.largest_batch, len(requests))
        problem = _shape_problem(answers, len(requests), self._suggestions)
        if problem:
            msg = f"policy {name} answered in the wrong shape: {problem}"
            raise PolicyFailedError(msg)
        return [list(row) for row in answers]


def _shape_problem(answers: object, requests: int, k: int) -> str:
    """What is wrong with an answer, in words; empty: nothing."""
    if not isinstance(answers, list | tuple):
        return f"a {type(answers).__name__} instead of a list of lists"
    if len(answers) != requests:
        return f"{len(answers)} lists for {requests} requests"
    for row in answers:
        if not isinstance(row, list | tuple):
            return f"a {type(row).__name__} instead of a list of suggestions"
        if len(row) > k:
            return f"{len(row)} suggestions where at most {k} were asked for"
        for suggestion in row:
            problem = _suggestion_problem(suggestion)
            if problem:
                return problem
    return ""


def _suggestion_problem(suggestion: object) -> str:
    if not isinstance(suggestion, Suggestion):
        return f"a {type(suggestion).__name__} instead of a Suggestion"
    tactic: object = suggestion.tactic
    logprob: object = suggestion.logprob
    if not isinstance(tactic, str):
        return f"a tactic that is a {type(tactic).__name__}, not a str"
    if not isinstance(logprob, int | float) or math.isnan(logprob):
        return f"log-probability {logprob!r} of {tactic!r}, which is not a float"
    if logprob > _LOGPROB_SLACK:
        return f"log-probability {logprob!r} of {tactic!r}, which is above 0"
    return ""
