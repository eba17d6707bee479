"""What the two policies of a causal language model share: the engine, and when it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from prover_core.contracts import ProofEnvironment, Proposer
from prover_models.lm.engine import LmEngine
from prover_models.lm.options import LmOptions

__all__ = ["LmProposer"]


class LmProposer(Proposer):
    """Looks everything up when it is made; the weights are loaded by ``bind``, or when it is first asked."""

    def __init__(self, options: LmOptions, task: Literal["step", "whole"], template: str) -> None:
        """``template``: the prompt's where neither options nor adapter name one.

        :raises ConfigError: folder, adapter or template are missing or do not fit.
        :raises ToolMissingError: a package is missing.
        """
        self.options = options
        self.engine = LmEngine(options, task, template)
        self.suggestions = options.suggestions
        self.batch_size = options.batch_size
        self.wants_premises = self.engine.wants_premises

    def bind(self, environment: ProofEnvironment) -> None:
        """Load the weights, so that what is wrong with them shows before any prover is started.

        :raises ConfigError: weights, tokenizer and adapter do not go together.
        :raises DataError: files cannot be had.
        """
        del environment
        self.engine.load()

    def problems(self) -> Sequence[str]:
        """Memory that ran out."""
        return self.engine.problems()

    def close(self) -> None:
        """Let go of the model."""
        self.engine.close()
