"""``chat-endpoint``: a model behind an OpenAI-compatible endpoint that proposes tactics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from prover_core.contracts import Policy, PolicyRequest
from prover_core.types import Suggestion
from prover_models.chat.options import ChatOptions
from prover_models.chat.proposer import ChatProposer

__all__ = ["ChatPolicy"]


class ChatPolicy(ChatProposer, Policy):
    """Asks for samples of each state, several states at a time, and reads the tactics that they list.

    Deterministic as far as the server is for a seed; what was answered once comes from the cache.
    """

    Options: ClassVar[type[ChatOptions]] = ChatOptions

    def __init__(self, options: ChatOptions | None = None) -> None:
        """See :class:`ChatProposer`."""
        super().__init__(options or ChatOptions(), "step", "chat-tactic")

    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        """At most ``k`` different tactics for each request, best first.

        :raises PolicyFailedError: a request failed for good.
        """
        source = self.engine.prompter.template.name
        return [[Suggestion(a.text, a.logprob, source) for a in row] for row in self.engine.ask(requests, k)]
