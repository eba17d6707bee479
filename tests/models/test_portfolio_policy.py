"""The policy that runs a prover's own portfolio."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from prover_core.builtin.fake import FakeEnvironment, FakeOptions
from prover_core.contracts import PolicyRequest, Portfolio, ProofEnvironment
from prover_core.errors import ConfigError, ContractError
from prover_core.plugins.manager import PluginManager
from prover_core.testing import PolicyContract
from prover_core.types import Limits, Suggestion
from prover_models.portfolio import PortfolioOptions, PortfolioPolicy


class TestContract(PolicyContract):
    """The kit, on the fake prover."""

    example = ("a /\\ b -> b /\\ a", ["intro"])

    def make_policy(self) -> PortfolioPolicy:
        return PortfolioPolicy()

    def make_environment(self) -> ProofEnvironment:
        return FakeEnvironment(FakeOptions())


class _Bare(FakeEnvironment):
    def portfolio(self) -> Portfolio | None:
        return None


class _Counting(Portfolio):
    wants_premises = True

    def propose(self, request: PolicyRequest) -> Sequence[Suggestion]:
        del request
        return [Suggestion(f"t{n}", -0.1 * n, "even" if n % 2 == 0 else "odd") for n in range(6)]


class _Own(FakeEnvironment):
    def portfolio(self) -> Portfolio | None:
        return _Counting()


def _ask(options: PortfolioOptions, k: int = 10) -> list[str]:
    with _Own(FakeOptions()) as environment:
        policy = PortfolioPolicy(options)
        policy.bind(environment)
        theorem = environment.theorem("a -> a", name="t")
        with environment.open(theorem, Limits()) as session:
            (answer,) = policy.suggest([PolicyRequest(theorem, session.root)], k)
    return [suggestion.tactic for suggestion in answer]


def test_an_environment_without_portfolio_is_a_mistake_of_the_configuration() -> None:
    with _Bare(FakeOptions()) as environment, pytest.raises(ConfigError, match="choose another one"):
        PortfolioPolicy().bind(environment)


def test_asking_before_binding_is_a_programming_error() -> None:
    with pytest.raises(ContractError, match="before bind"):
        PortfolioPolicy().suggest([], 1)


def test_all_of_it_up_to_k() -> None:
    assert _ask(PortfolioOptions()) == [f"t{n}" for n in range(6)]
    assert _ask(PortfolioOptions(), k=2) == ["t0", "t1"]


def test_own_tactics_come_first_and_once() -> None:
    assert _ask(PortfolioOptions(first=("mine", "t3", "mine")), k=4) == ["mine", "t3", "t0", "t1"]


def test_parts_can_be_left_out() -> None:
    assert _ask(PortfolioOptions(skip=("odd",))) == ["t0", "t2", "t4"]


@pytest.mark.parametrize("wanted", [True, False])
def test_premises_are_asked_for_where_the_portfolio_wants_them(wanted: bool) -> None:
    policy = PortfolioPolicy(PortfolioOptions(use_premises=wanted))
    with _Own(FakeOptions()) as environment:
        policy.bind(environment)
    assert policy.wants_premises is wanted


def test_it_is_what_the_preset_tactics_names() -> None:
    manager = PluginManager.load()
    preset = manager.presets.get("tactics")
    assert preset.kind == "policy"
    assert manager.policies.get(preset.component) is PortfolioPolicy
    assert PortfolioOptions.model_validate(dict(preset.options)) == PortfolioOptions()
