"""What the two policies behind an OpenAI-compatible endpoint share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from prover_core.contracts import ProofEnvironment, Proposer, Usage
from prover_models.chat.engine import ChatEngine
from prover_models.chat.options import ChatOptions

__all__ = ["ChatProposer"]


class ChatProposer(Proposer):
    """Asks an endpoint. Nothing is sent before ``bind``."""

    def __init__(self, options: ChatOptions, task: Literal["step", "whole"], template: str) -> None:
        """``template``: the prompt's where the options name none.

        :raises ConfigError: template, address or key are missing or wrong.
        :raises ToolMissingError: a package is missing.
        """
        self.options = options
        self.engine = ChatEngine(options, task, template)
        self.suggestions = options.suggestions
        self.batch_size = options.batch_size
        self.wants_premises = self.engine.wants_premises

    def bind(self, environment: ProofEnvironment) -> None:
        """See whether the endpoint is there and has the model, before any prover is started.

        :raises ConfigError: it is not, or has not.
        """
        self.engine.bind(environment)

    def problems(self) -> Sequence[str]:
        """What the server would not take, and what failed."""
        return self.engine.problems()

    def usage(self) -> Sequence[Usage]:
        """Requests, retries, tokens and cost of the last call."""
        return self.engine.usage

    def close(self) -> None:
        """Let go of the connections."""
        self.engine.close()
