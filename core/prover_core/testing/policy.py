"""The contract kit for policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from prover_core.contracts import Policy, PolicyRequest
from prover_core.testing.proposals import ProposalContract, walk
from prover_core.types import Suggestion

__all__ = ["PolicyContract"]


class PolicyContract(ProposalContract):
    """Whether a policy answers as it should: subclass, write ``make_policy`` and ``make_environment``.

    The states it is asked about are those on the way of ``example``, in the environment's own language.
    """

    example: ClassVar[tuple[str, Sequence[str]]]
    """A statement, and tactics whose states the policy is asked about."""
    proposal: ClassVar[type[Any]] = Suggestion
    noun: ClassVar[str] = "tactic"

    def make_policy(self) -> Policy:
        """A new policy; two of them, made one after the other, behave alike."""
        raise NotImplementedError

    @contextmanager
    def asked(self) -> Iterator[tuple[Policy, list[PolicyRequest]]]:
        """A bound policy, and requests for the root and each later state of the example."""
        with self.make_environment() as environment:
            policy = self.make_policy()
            policy.bind(environment)
            with walk(environment, self.example) as (theorem, session, states):
                requests = []
                for state in states:
                    premises = tuple(session.premises(state)) if policy.wants_premises else ()
                    requests.append(PolicyRequest(theorem, state, session.script(state), premises))
                try:
                    yield policy, requests
                finally:
                    policy.close()

    def propose(self, policy: Policy, requests: Sequence[PolicyRequest], most: int) -> list[list[Suggestion]]:
        """Tactics."""
        return policy.suggest(requests, most)

    def text(self, proposal: Suggestion) -> str:
        """The tactic."""
        return proposal.tactic

    def test_fewer_are_the_best_of_more(self) -> None:
        """Asked for fewer, a policy made alike still answers with as many lists, not longer ones.

        Troubleshooting: ``k`` limits the answer, and may not change its shape.
        """
        with self.asked() as (policy, requests):
            many = policy.suggest(requests, 8)
        with self.asked() as (policy, requests):
            few = policy.suggest(requests, 2)
        assert [len(answer) for answer in few] == [min(2, len(answer)) for answer in many]
