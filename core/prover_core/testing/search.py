"""The contract kit for searches. It needs no prover: the ``fake`` one serves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from prover_core.builtin.fake import FakeEnvironment, FakeOptions, FakePortfolio
from prover_core.contracts import PolicyRequest, ProofSession, Search, SearchObserver, SearchStatus, StepEvent
from prover_core.errors import EnvironmentCrashedError, PolicyFailedError
from prover_core.testing.base import Contract
from prover_core.types import Budget, Limits, Proof, ProofState, Rejected, Suggestion, Theorem

__all__ = ["SearchContract"]

_EASY = "a /\\ b -> b /\\ a"
_HARD = "a \\/ b -> c \\/ d -> e \\/ f -> g \\/ i -> j \\/ k -> z"
"""Not provable, and with hundreds of states to try it in."""


class _Watcher(SearchObserver):
    """Notes what it is told, and asks to stop after a number of steps."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.events: list[StepEvent] = []
        self._stop_after = stop_after

    def on_step(self, event: StepEvent) -> None:
        self.events.append(event)

    def should_stop(self) -> bool:
        return self._stop_after is not None and len(self.events) >= self._stop_after


class SearchContract(Contract):
    """Whether a search spends its budget as it should: subclass, and write ``make_search``.

    The search must, with its options, find a proof of ``a /\\ b -> b /\\ a`` of five tactics.
    """

    def make_search(self) -> Search:
        """The search, with its usual options."""
        raise NotImplementedError

    @contextmanager
    def opened(
        self, formula: str, **options: float
    ) -> Iterator[tuple[FakeEnvironment, Theorem, ProofSession]]:
        with FakeEnvironment(FakeOptions.model_validate(options)) as environment:
            theorem = environment.theorem(formula, name="kit_example")
            with environment.open(theorem, Limits()) as session:
                yield environment, theorem, session

    def asking(self, theorem: Theorem, calls: list[int] | None = None, k: int = 12) -> _Suggest:
        return _Suggest(theorem, calls if calls is not None else [], k)

    def test_finds_a_proof(self) -> None:
        """A proof that is there is found, passes the check, and its path and numbers are right.

        Troubleshooting: the proof is the session's script of the solved state; ``path`` runs from node 0
        to the solved node; ``tries`` is the number of tactics that ran.
        """
        watcher, calls = _Watcher(), list[int]()
        with self.opened(_EASY) as (environment, theorem, session):
            result = self.make_search().run(session, self.asking(theorem, calls), Budget(tries=5000), watcher)
            assert result.status is SearchStatus.FOUND, result
            assert result.proof is not None
            assert environment.verify(theorem, result.proof, Limits()).proved, result.proof
            assert result.tries == len(watcher.events) == session.stats.tries
            assert result.path[0] == 0
            assert len(result.path) == len(result.proof.tactics) + 1
            assert result.model_calls == sum(calls), "model_calls counts the states that were asked about"
            assert result.seconds_env + result.seconds_model <= result.seconds + 0.01

    def test_budget_of_tries(self) -> None:
        """No more tactics are tried than allowed, and the end is ``OUT_OF_BUDGET``.

        Troubleshooting: cut the last batch of tactics to what is left.
        """
        for tries in (1, 7, 50):
            watcher = _Watcher()
            with self.opened(_HARD) as (_, theorem, session):
                result = self.make_search().run(session, self.asking(theorem), Budget(tries=tries), watcher)
                assert result.status is SearchStatus.OUT_OF_BUDGET, result
                assert result.tries == len(watcher.events) == session.stats.tries
                assert session.stats.tries <= tries
                assert result.detail.strip(), "which limit ended it, in words"
                assert result.proof is None

    def test_budget_of_time(self) -> None:
        """The search ends when its time is over, at most one tactic's time later.

        Troubleshooting: the time limit of a tactic is at most what is left of the budget.
        """
        with self.opened(_HARD, latency_ms=5) as (_, theorem, session):
            began = time.monotonic()
            result = self.make_search().run(session, self.asking(theorem), Budget(seconds=0.3), _Watcher())
            assert result.status is SearchStatus.OUT_OF_BUDGET, result
            assert time.monotonic() - began < 2.0

    def test_budget_of_model_calls(self) -> None:
        """The policy is not asked about more states than allowed.

        Troubleshooting: count states, not calls of the function.
        """
        calls: list[int] = []
        with self.opened(_HARD) as (_, theorem, session):
            budget = Budget(model_calls=4)
            result = self.make_search().run(session, self.asking(theorem, calls), budget, _Watcher())
            assert result.status is SearchStatus.OUT_OF_BUDGET, result
            assert sum(calls) <= 4

    def test_nothing_left_is_exhausted(self) -> None:
        """With nothing to try, or nothing that is accepted, the search is ``EXHAUSTED``, at once.

        Troubleshooting: that is not ``OUT_OF_BUDGET``: more budget would change nothing.
        """
        for tactics in ([], ["left", "split"]):
            with self.opened("a -> b") as (_, _, session):
                plenty = Budget(tries=10_000, seconds=20)
                suggest = _Fixed([Suggestion(t, -1.0) for t in tactics])
                result = self.make_search().run(session, suggest, plenty, _Watcher())
                assert result.status is SearchStatus.EXHAUSTED, f"{tactics}: {result}"
                assert result.tries == len(tactics)

    def test_loops_end(self) -> None:
        """Tactics that change nothing do not keep the search busy.

        Troubleshooting: merge states of equal fingerprint, or bound the depth.
        """
        with self.opened("a -> b") as (_, _, session):
            suggest = _Fixed([Suggestion("idtac", -0.01)])
            result = self.make_search().run(session, suggest, Budget(tries=20_000), _Watcher())
            assert result.status is SearchStatus.EXHAUSTED, result

    def test_stops_when_asked(self) -> None:
        """``should_stop`` ends the search soon, with ``STOPPED``.

        Troubleshooting: poll it between tries, or at least between batches.
        """
        watcher = _Watcher(stop_after=10)
        with self.opened(_HARD) as (_, theorem, session):
            result = self.make_search().run(session, self.asking(theorem), Budget(tries=5000), watcher)
            assert result.status is SearchStatus.STOPPED, result
            assert len(watcher.events) < 100

    def test_hanging_tactic_does_not_outlast_the_budget(self) -> None:
        """A tactic that hangs is given no more time than the budget has left.

        Troubleshooting: the time limit of a tactic is the smaller of its own and what is left.
        """
        with self.opened(_EASY) as (_, _, session):
            began = time.monotonic()
            suggest = _Fixed([Suggestion("sleep 60", -1.0), Suggestion("sleep 61", -1.0)])
            result = self.make_search().run(session, suggest, Budget(seconds=0.5), _Watcher())
            assert time.monotonic() - began < 2.5
            assert result.status is SearchStatus.OUT_OF_BUDGET, result

    def test_trouble_is_tried_like_anything_else(self) -> None:
        """Crashes and lack of memory under a tactic do not end the search.

        Troubleshooting: only ``Solved`` and ``Advanced`` lead on; the rest is counted and left.
        """
        trouble = ["crash", "oom", "give_up", "shelve", "exact nothing", "bad syntax here"]
        order = [*trouble, "intros", "destruct h", "split", "assumption"]
        with self.opened(_EASY) as (environment, theorem, session):
            suggest = _Fixed([Suggestion(t, -0.1 * n) for n, t in enumerate(order)])
            result = self.make_search().run(session, suggest, Budget(tries=4000), _Watcher())
            if result.status is SearchStatus.FOUND:
                assert result.proof is not None
                assert environment.verify(theorem, result.proof, Limits()).proved
            else:
                assert result.status is not SearchStatus.EXHAUSTED, result

    def test_errors_of_the_machinery_pass_through(self) -> None:
        """A session that cannot go on, or a policy that fails, is an error and no result.

        Troubleshooting: do not catch ``MachineryError``.
        """
        with self.opened(_EASY) as (_, _, session):
            suggest = _Fixed([Suggestion("hopeless", -1.0)])
            with pytest.raises(EnvironmentCrashedError):
                self.make_search().run(session, suggest, Budget(tries=100), _Watcher())
        with self.opened(_EASY) as (_, _, session), pytest.raises(PolicyFailedError):
            self.make_search().run(session, _failing, Budget(tries=100), _Watcher())

    def test_runs_do_not_mix(self) -> None:
        """One search object gives the same result each time.

        Troubleshooting: keep everything that belongs to a run inside ``run``.
        """
        search = self.make_search()
        proofs: list[Proof | None] = []
        counts: list[int] = []
        for _ in range(2):
            with self.opened(_EASY) as (_, theorem, session):
                result = search.run(session, self.asking(theorem), Budget(tries=5000), _Watcher())
                proofs.append(result.proof)
                counts.append(result.tries)
        assert proofs[0] == proofs[1]
        assert counts[0] == counts[1]

    def test_observer_sees_every_try(self) -> None:
        """Events come in order, name their nodes, and a rejected tactic leads to none.

        Troubleshooting: the first expanded node is 0; ``child`` is ``None`` where nothing new was reached.
        """
        watcher = _Watcher()
        with self.opened(_EASY) as (_, theorem, session):
            self.make_search().run(session, self.asking(theorem), Budget(tries=5000), watcher)
            assert watcher.events[0].node == 0
            known = {0}
            for event in watcher.events:
                assert event.node in known, f"node {event.node} was never reached"
                if isinstance(event.outcome, Rejected):
                    assert event.child is None
                if event.child is not None:
                    known.add(event.child)


class _Suggest:
    """Asks the fake prover's portfolio, and notes for how many states it was asked."""

    def __init__(self, theorem: Theorem, calls: list[int], k: int) -> None:
        self._theorem, self._calls, self._k = theorem, calls, k
        self._portfolio = FakePortfolio()

    def __call__(self, states: Sequence[ProofState]) -> list[list[Suggestion]]:
        self._calls.append(len(states))
        return [list(self._portfolio.propose(PolicyRequest(self._theorem, s)))[: self._k] for s in states]


class _Fixed:
    """The same suggestions for every state."""

    def __init__(self, suggestions: Sequence[Suggestion]) -> None:
        self._suggestions = list(suggestions)

    def __call__(self, states: Sequence[ProofState]) -> list[list[Suggestion]]:
        return [list(self._suggestions) for _ in states]


def _failing(states: Sequence[ProofState]) -> list[list[Suggestion]]:
    message = f"no answer for {len(states)} states"
    raise PolicyFailedError(message)
