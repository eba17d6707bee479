"""``language-model-proofs``: a causal language model that writes whole proofs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from prover_core.contracts import Draft, PolicyRequest, WholeProofPolicy
from prover_models.draws import draws_of
from prover_models.lm.options import LmWholeProofOptions
from prover_models.lm.proposer import LmProposer

__all__ = ["LmWholeProofPolicy"]


class LmWholeProofPolicy(LmProposer, WholeProofPolicy):
    """The same model as :class:`~prover_models.lm.policy.LmPolicy`, asked for a proof in one piece."""

    Options: ClassVar[type[LmWholeProofOptions]] = LmWholeProofOptions

    def __init__(self, options: LmWholeProofOptions | None = None) -> None:
        """See :class:`LmProposer`."""
        super().__init__(options or LmWholeProofOptions(), "whole", "solve-state")

    def complete(self, requests: Sequence[PolicyRequest], n: int) -> list[list[Draft]]:
        """At most ``n`` different proofs for each request, best first."""
        answers = self.engine.ask(self.engine.situations(requests), n, draws_of(requests))
        return [[Draft(a.text, self.engine.score(a)) for a in row] for row in answers]
