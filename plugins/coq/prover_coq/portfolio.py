"""Coq's own tactics as a portfolio: what the ``tactics`` preset runs on Coq.

For each state: :mod:`~prover_coq.portfolio_context` sorts what is in view, each of
:mod:`~prover_coq.portfolio_templates` proposes tactics of its kind, :mod:`~prover_coq.portfolio_priors`
says how likely they are. Nothing is learnt while it runs, so equal states get equal proposals.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from prover_coq.document import read_source
from prover_coq.guard import check_tactic
from prover_coq.portfolio_context import read_context
from prover_coq.portfolio_priors import PRIORS
from prover_coq.portfolio_templates import TEMPLATES
from prover_core.contracts.policy import PolicyRequest, Portfolio
from prover_core.errors import DataError
from prover_core.types import Suggestion, Theorem

__all__ = ["CoqPortfolio"]

_PATIENCE: Final[Mapping[str, float]] = {
    "close-hammer": 10.0,
    "close-hints": 0.5,
    "close-logic": 0.5,
    "close-using": 0.5,
}
_PATIENCE_ELSE: Final = 1.0
"""Seconds that a tactic may run: those that need longer rarely end at all, and there are many to try."""


class CoqPortfolio(Portfolio):
    """Closing and opening tactics, instantiated on the first focused goal.

    ``hammer`` says whether to propose CoqHammer's ``sauto`` and ``hammer``: ``auto`` where the theorem's
    context mentions Hammer, so that they may be loaded, ``on`` everywhere, ``off`` nowhere.
    """

    wants_premises = True

    def __init__(self, hammer: Literal["auto", "on", "off"] = "auto") -> None:
        self._hammer = hammer

    def propose(self, request: PolicyRequest) -> Sequence[Suggestion]:
        """Tactics for the state, best first; nothing where no goal is left."""
        context = read_context(request, hammer=self._has_hammer(request.theorem))
        if context is None:
            return [Suggestion("Unshelve", -0.1, "unshelve")] if request.state.goals.shelved else []
        best: dict[str, Suggestion] = {}
        for source, template in TEMPLATES.items():
            prior = PRIORS[source]
            for tactic, penalty in template(context):
                known = best.get(tactic)
                logprob = prior - penalty
                if known is None or logprob > known.logprob:
                    best[tactic] = Suggestion(tactic, logprob, source, _PATIENCE.get(source, _PATIENCE_ELSE))
        ranked = sorted(best.values(), key=lambda suggestion: -suggestion.logprob)
        return [suggestion for suggestion in ranked if check_tactic(suggestion.tactic) is None]

    def _has_hammer(self, theorem: Theorem) -> bool:
        if self._hammer != "auto":
            return self._hammer == "on"
        if theorem.file is None or theorem.span is None:
            return "Hammer" in theorem.preamble
        found = _mention(theorem.file, "Hammer")
        return 0 <= found < theorem.span.start


@functools.lru_cache(maxsize=1024)
def _mention(file: str, word: str) -> int:
    """Where ``word`` first stands in ``file``; -1: nowhere, or the file cannot be read."""
    try:
        return read_source(Path(file)).find(word)
    except DataError:
        return -1
