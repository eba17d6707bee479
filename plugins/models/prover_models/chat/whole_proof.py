"""``chat-endpoint-proofs``: a model behind an OpenAI-compatible endpoint that writes whole proofs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from prover_core.contracts import Draft, PolicyRequest, WholeProofPolicy
from prover_models.chat.options import ChatProofsOptions
from prover_models.chat.proposer import ChatProposer

__all__ = ["ChatWholeProofPolicy"]


class ChatWholeProofPolicy(ChatProposer, WholeProofPolicy):
    """The same endpoint as :class:`~prover_models.chat.policy.ChatPolicy`, asked for a proof in one piece."""

    Options: ClassVar[type[ChatProofsOptions]] = ChatProofsOptions

    def __init__(self, options: ChatProofsOptions | None = None) -> None:
        """See :class:`ChatProposer`."""
        super().__init__(options or ChatProofsOptions(), "whole", "chat-proof")

    def complete(self, requests: Sequence[PolicyRequest], n: int) -> list[list[Draft]]:
        """At most ``n`` different proofs for each request, best first.

        :raises PolicyFailedError: a request failed for good.
        """
        return [[Draft(a.text, a.logprob) for a in row] for row in self.engine.ask(requests, n)]
