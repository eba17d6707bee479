"""``language-model``: a causal language model that proposes tactics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from prover_core.contracts import Policy, PolicyRequest
from prover_core.types import Suggestion
from prover_models.draws import draws_of
from prover_models.lm.options import LmOptions
from prover_models.lm.proposer import LmProposer

__all__ = ["LmPolicy"]


class LmPolicy(LmProposer, Policy):
    """Samples tactics, or searches for the most probable ones, for all states of a call together.

    Deterministic for a seed, a model and an order of calls; what else is in a call makes no difference.
    """

    Options: ClassVar[type[LmOptions]] = LmOptions

    def __init__(self, options: LmOptions | None = None) -> None:
        """See :class:`LmProposer`."""
        super().__init__(options or LmOptions(), "step", "goal-proofstep")

    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        """At most ``k`` different tactics for each request, best first."""
        answers = self.engine.ask(self.engine.situations(requests), k, draws_of(requests))
        source = self.engine.template.name
        return [[Suggestion(a.text, self.engine.score(a), source) for a in row] for row in answers]
