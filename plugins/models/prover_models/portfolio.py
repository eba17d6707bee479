"""A policy without a model: it proposes what the prover's own portfolio of tactics proposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from prover_core.contracts import ComponentOptions, Policy, PolicyRequest, Portfolio, ProofEnvironment
from prover_core.errors import ConfigError, ContractError
from prover_core.types import Suggestion

__all__ = ["PortfolioOptions", "PortfolioPolicy"]


class PortfolioOptions(ComponentOptions):
    """What ``--set model.KEY=VALUE`` sets."""

    first: tuple[str, ...] = Field(
        default=(), description="tactics of your own, tried in every state before the portfolio's"
    )
    skip: tuple[str, ...] = Field(
        default=(),
        description="parts of the portfolio to leave out, by the names that trajectories give as source",
    )
    use_premises: bool = Field(
        default=True, description="ask the prover for lemmas that fit the state, and try those too"
    )


class PortfolioPolicy(Policy):
    """Asks the environment's :class:`~prover_core.contracts.policy.Portfolio`; deterministic."""

    Options: ClassVar[type[PortfolioOptions]] = PortfolioOptions
    suggestions = 256

    def __init__(self, options: PortfolioOptions | None = None) -> None:
        self.options = options if options is not None else PortfolioOptions()
        self._portfolio: Portfolio | None = None

    def bind(self, environment: ProofEnvironment) -> None:
        """Take the environment's portfolio.

        :raises ConfigError: it has none.
        """
        portfolio = environment.portfolio()
        if portfolio is None:
            message = (
                f"the environment for {environment.prover} has no portfolio of tactics, so this model has "
                "nothing to propose; choose another one (`prover plugins list` shows them)"
            )
            raise ConfigError([message])
        self._portfolio = portfolio
        self.wants_premises = portfolio.wants_premises and self.options.use_premises

    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        """The ``k`` best of the portfolio for each request.

        :raises ContractError: it was not bound to an environment.
        """
        portfolio = self._portfolio
        if portfolio is None:
            message = "PortfolioPolicy.suggest was called before bind"
            raise ContractError(message)
        return [self._one(portfolio, request)[:k] for request in requests]

    def _one(self, portfolio: Portfolio, request: PolicyRequest) -> list[Suggestion]:
        own = [Suggestion(tactic, source="first") for tactic in dict.fromkeys(self.options.first)]
        taken = {suggestion.tactic for suggestion in own}
        return own + [
            suggestion
            for suggestion in portfolio.propose(request)
            if suggestion.source not in self.options.skip and suggestion.tactic not in taken
        ]
