"""The contract kit for policies that write whole proofs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from prover_core.contracts import Draft, PolicyRequest, WholeProofPolicy
from prover_core.testing.proposals import ProposalContract, walk

__all__ = ["WholeProofPolicyContract"]


class WholeProofPolicyContract(ProposalContract):
    """Whether a policy writes proofs as it should: subclass, write ``make_policy`` and ``make_environment``.

    It is asked about the root states of ``examples``, in the environment's own language.
    """

    examples: ClassVar[Sequence[str]]
    """Two statements or more."""
    proposal: ClassVar[type[Any]] = Draft
    noun: ClassVar[str] = "draft"

    def make_policy(self) -> WholeProofPolicy:
        """A new policy; two of them, made one after the other, behave alike."""
        raise NotImplementedError

    @contextmanager
    def asked(self) -> Iterator[tuple[WholeProofPolicy, list[PolicyRequest]]]:
        """A bound policy, and a request for the root of each example."""
        with self.make_environment() as environment:
            policy = self.make_policy()
            policy.bind(environment)
            requests = []
            for statement in self.examples:
                with walk(environment, (statement, ())) as (theorem, session, (root,)):
                    _ = root.goals  # read while the session lives
                    premises = tuple(session.premises(root)) if policy.wants_premises else ()
                    requests.append(PolicyRequest(theorem, root, (), premises))
            try:
                yield policy, requests
            finally:
                policy.close()

    def propose(
        self, policy: WholeProofPolicy, requests: Sequence[PolicyRequest], most: int
    ) -> list[list[Draft]]:
        """Whole proofs."""
        return policy.complete(requests, most)

    def text(self, proposal: Draft) -> str:
        """The proof."""
        return proposal.text
