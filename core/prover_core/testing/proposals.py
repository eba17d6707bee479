"""What the contract kits for policies share, be it tactics that they propose or whole proofs."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

from prover_core.contracts import PolicyRequest, ProofEnvironment, ProofSession, Proposer
from prover_core.testing.base import Contract
from prover_core.types import Advanced, Limits, ProofState, Solved, Theorem

__all__ = ["ProposalContract", "walk"]


@contextmanager
def walk(
    environment: ProofEnvironment, example: tuple[str, Sequence[str]]
) -> Iterator[tuple[Theorem, ProofSession, list[ProofState]]]:
    """A session, and the root and each later state on the way of a statement's tactics."""
    statement, tactics = example
    theorem = environment.theorem(statement, name="kit_example")
    with environment.open(theorem, Limits()) as session:
        states = [session.root]
        for tactic in tactics:
            outcome = session.step(states[-1], tactic, 10.0)
            assert isinstance(outcome, Advanced | Solved), f"'{tactic}': {outcome}"
            states.append(outcome.state)
        yield theorem, session, states


class ProposalContract(Contract):
    """The rules for every list of proposals; a kit says how they are asked for, and what they are."""

    may_be_silent: ClassVar[bool] = False
    """True: it is right for this policy to propose nothing for all of these states."""
    proposal: ClassVar[type[Any]]
    noun: ClassVar[str]
    """What a proposal is called in messages."""

    def make_policy(self) -> Any:
        """A new policy; two of them, made one after the other, behave alike."""
        raise NotImplementedError

    def make_environment(self) -> ProofEnvironment:
        """The environment whose states it is asked about."""
        raise NotImplementedError

    @abstractmethod
    def asked(self) -> AbstractContextManager[tuple[Any, list[PolicyRequest]]]:
        """A bound policy, and requests."""

    @abstractmethod
    def propose(self, policy: Any, requests: Sequence[PolicyRequest], most: int) -> list[list[Any]]:
        """Ask for at most so many proposals for each request."""

    @abstractmethod
    def text(self, proposal: Any) -> str:
        """What it proposes."""

    def test_one_answer_for_each_request(self) -> None:
        """As many lists as requests, in their order; none asked, none given.

        Troubleshooting: answer with an empty list where there is nothing to propose.
        """
        with self.asked() as (policy, requests):
            assert len(self.propose(policy, requests, 8)) == len(requests)
            assert len(self.propose(policy, requests[:1], 8)) == 1
            assert self.propose(policy, [], 8) == []

    def test_at_most_so_many_best_first_none_twice(self) -> None:
        """At most as many proposals as were asked for, in order of log-probability, each once.

        Troubleshooting: sort and remove doubles before cutting off.
        """
        with self.asked() as (policy, requests):
            for most in (1, 3, 100):
                for answer in self.propose(policy, requests, most):
                    assert len(answer) <= most
                    texts = [self.text(proposal) for proposal in answer]
                    assert len(set(texts)) == len(texts), f"a {self.noun} twice: {texts}"
                    scores = [proposal.logprob for proposal in answer]
                    assert scores == sorted(scores, reverse=True), f"not best first: {scores}"

    def test_proposals_are_well_formed(self) -> None:
        """Texts are not blank, and log-probabilities are numbers of at most 0.

        Troubleshooting: natural logarithms; a score that is no probability must be mapped to one.
        """
        with self.asked() as (policy, requests):
            answers = self.propose(policy, requests, 16)
            for proposal in (proposal for answer in answers for proposal in answer):
                got, wanted = type(proposal).__name__, self.proposal.__name__
                assert isinstance(proposal, self.proposal), f"a {got} instead of a {wanted}"
                assert self.text(proposal).strip(), f"a blank {self.noun}"
                assert "\0" not in self.text(proposal)
                assert math.isfinite(proposal.logprob), proposal
                assert proposal.logprob <= 0.0, proposal
            if not self.may_be_silent:
                assert any(answers), "it proposes nothing at all; see 'may_be_silent'"

    def test_same_questions_same_answers(self) -> None:
        """Two policies, made and asked alike, answer alike.

        Troubleshooting: seed every generator in the constructor; take no order from sets.
        """
        with self.asked() as (policy, requests):
            first = [self.propose(policy, requests, 8), self.propose(policy, requests, 8)]
        with self.asked() as (policy, requests):
            second = [self.propose(policy, requests, 8), self.propose(policy, requests, 8)]
        assert first == second

    def test_states_are_left_alone(self) -> None:
        """The states it is asked about are the same afterwards.

        Troubleshooting: requests and states are shared with the search: copy before changing.
        """
        with self.asked() as (policy, requests):
            before = [(request.state.fingerprint, request.script) for request in requests]
            self.propose(policy, requests, 8)
            assert [(request.state.fingerprint, request.script) for request in requests] == before

    def test_close_twice(self) -> None:
        """Closing twice is fine; ``batch_size`` and ``suggestions`` are positive numbers.

        Troubleshooting: make ``close`` idempotent.
        """
        policy: Proposer = self.make_policy()
        assert policy.batch_size >= 1
        assert policy.suggestions >= 1
        policy.close()
        policy.close()
