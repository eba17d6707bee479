"""The contract kit for policies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from prover_core.contracts import Policy, PolicyRequest, ProofEnvironment
from prover_core.testing.base import Contract
from prover_core.types import Advanced, Limits, Solved, Suggestion

__all__ = ["PolicyContract"]


class PolicyContract(Contract):
    """Whether a policy answers as it should: subclass, write ``make_policy`` and ``make_environment``.

    The states it is asked about are those on the way of ``example``, in the environment's own language.
    """

    example: ClassVar[tuple[str, Sequence[str]]]
    """A statement, and tactics whose states the policy is asked about."""
    may_be_silent: ClassVar[bool] = False
    """True: it is right for this policy to propose nothing for all of these states."""

    def make_policy(self) -> Policy:
        """A new policy; two of them, made one after the other, behave alike."""
        raise NotImplementedError

    def make_environment(self) -> ProofEnvironment:
        """The environment whose states it is asked about."""
        raise NotImplementedError

    @contextmanager
    def asked(self) -> Iterator[tuple[Policy, list[PolicyRequest]]]:
        """A bound policy, and requests for the root and each later state of the example."""
        statement, tactics = self.example
        with self.make_environment() as environment:
            policy = self.make_policy()
            policy.bind(environment)
            theorem = environment.theorem(statement, name="kit_example")
            with environment.open(theorem, Limits()) as session:
                states = [session.root]
                for tactic in tactics:
                    outcome = session.step(states[-1], tactic, 10.0)
                    assert isinstance(outcome, Advanced | Solved), f"'{tactic}': {outcome}"
                    states.append(outcome.state)
                requests = []
                for state in states:
                    premises = tuple(session.premises(state)) if policy.wants_premises else ()
                    requests.append(PolicyRequest(theorem, state, session.script(state), premises))
                try:
                    yield policy, requests
                finally:
                    policy.close()

    def test_one_answer_for_each_request(self) -> None:
        """As many lists as requests, in their order; none asked, none given.

        Troubleshooting: answer with an empty list where there is nothing to propose.
        """
        with self.asked() as (policy, requests):
            assert len(policy.suggest(requests, 8)) == len(requests)
            assert len(policy.suggest(requests[:1], 8)) == 1
            assert policy.suggest([], 8) == []

    def test_at_most_k_of_them_best_first_none_twice(self) -> None:
        """At most ``k`` suggestions, in order of log-probability, each tactic once.

        Troubleshooting: sort and remove doubles before cutting off at ``k``.
        """
        with self.asked() as (policy, requests):
            for k in (1, 3, 100):
                for answer in policy.suggest(requests, k):
                    assert len(answer) <= k
                    tactics = [suggestion.tactic for suggestion in answer]
                    assert len(set(tactics)) == len(tactics), f"a tactic twice: {tactics}"
                    scores = [suggestion.logprob for suggestion in answer]
                    assert scores == sorted(scores, reverse=True), f"not best first: {scores}"

    def test_suggestions_are_well_formed(self) -> None:
        """Tactics are not empty, and log-probabilities are numbers of at most 0.

        Troubleshooting: natural logarithms; a score that is no probability must be mapped to one.
        """
        with self.asked() as (policy, requests):
            answers = policy.suggest(requests, 16)
            for suggestion in (suggestion for answer in answers for suggestion in answer):
                assert isinstance(suggestion, Suggestion)
                assert suggestion.tactic.strip(), "an empty tactic"
                assert "\0" not in suggestion.tactic
                assert math.isfinite(suggestion.logprob), suggestion
                assert suggestion.logprob <= 0.0, suggestion
            if not self.may_be_silent:
                assert any(answers), "it proposes nothing for any state; see 'may_be_silent'"

    def test_same_questions_same_answers(self) -> None:
        """Two policies, made and asked alike, answer alike.

        Troubleshooting: seed every generator in the constructor; take no order from sets.
        """
        with self.asked() as (policy, requests):
            first = [policy.suggest(requests, 8), policy.suggest(requests, 8)]
        with self.asked() as (policy, requests):
            second = [policy.suggest(requests, 8), policy.suggest(requests, 8)]
        assert first == second

    def test_fewer_are_the_best_of_more(self) -> None:
        """Asked for fewer, a policy made alike still answers with as many lists, not longer ones.

        Troubleshooting: ``k`` limits the answer, and may not change its shape.
        """
        with self.asked() as (policy, requests):
            many = policy.suggest(requests, 8)
        with self.asked() as (policy, requests):
            few = policy.suggest(requests, 2)
        assert [len(answer) for answer in few] == [min(2, len(answer)) for answer in many]

    def test_states_are_left_alone(self) -> None:
        """The states it is asked about are the same afterwards.

        Troubleshooting: requests and states are shared with the search: copy before changing.
        """
        with self.asked() as (policy, requests):
            before = [(request.state.fingerprint, request.script) for request in requests]
            policy.suggest(requests, 8)
            assert [(request.state.fingerprint, request.script) for request in requests] == before

    def test_close_twice(self) -> None:
        """Closing twice is fine; ``batch_size`` is a positive number.

        Troubleshooting: make ``close`` idempotent.
        """
        policy = self.make_policy()
        assert policy.batch_size >= 1
        policy.close()
        policy.close()
