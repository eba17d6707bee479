"""The ``knn`` policy against the contract of policies, and how it mixes its sources."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import pytest
from knn_records import Library, state

from prover_core.builtin.fake import FakeEnvironment, FakeOptions
from prover_core.contracts import PolicyRequest, ProofEnvironment
from prover_core.errors import ConfigError, ContractError
from prover_core.testing import PolicyContract
from prover_core.types import Goal, Goals, Limits, ProofState, Theorem
from prover_models.knn.index import Index, IndexBuilder
from prover_models.knn.options import KnnOptions
from prover_models.knn.policy import KnnPolicy


@functools.cache
def _index() -> Index:
    """Steps of a prelude, which every text may use."""
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        steps = [(state("a /\\ b -> b /\\ a"), "intro.", []), (state("b /\\ a", h="a /\\ b"), "split.", [])]
        library.add("L.Init.Logic", [(f"p{number}", steps) for number in range(3)])
        return IndexBuilder().add_all(library.proofs, library.hashes).build()


class TestContract(PolicyContract):
    """The kit, on the fake prover, with its portfolio."""

    example = ("a /\\ b -> b /\\ a", ["intro"])

    def make_policy(self) -> KnnPolicy:
        return KnnPolicy(index=_index())

    def make_environment(self) -> ProofEnvironment:
        return FakeEnvironment(FakeOptions())


class TestContractWithoutPortfolio(PolicyContract):
    """The kit, on neighbours alone."""

    example = ("a /\\ b -> b /\\ a", ["intro"])

    def make_policy(self) -> KnnPolicy:
        return KnnPolicy(KnnOptions(portfolio=0), index=_index())

    def make_environment(self) -> ProofEnvironment:
        return FakeEnvironment(FakeOptions())


def test_neighbours_and_portfolio_are_mixed_and_none_comes_twice() -> None:
    with FakeEnvironment(FakeOptions()) as environment:
        policy = KnnPolicy(index=_index())
        policy.bind(environment)
        theorem = environment.theorem("a /\\ b -> b /\\ a", name="t")
        with environment.open(theorem, Limits()) as session:
            [answer] = policy.suggest([PolicyRequest(theorem, session.root)], 100)
    tactics = [suggestion.tactic.removesuffix(".") for suggestion in answer]
    assert len(set(tactics)) == len(tactics)
    assert {suggestion.source == "knn" for suggestion in answer} == {True, False}


def test_nothing_for_a_state_without_goals() -> None:
    policy = KnnPolicy(KnnOptions(portfolio=0), index=_index())
    assert policy.suggest([PolicyRequest(_theorem(), ProofState(None, 0, Goals()))], 10) == [[]]


def test_asked_before_bound() -> None:
    request = PolicyRequest(_theorem(), ProofState(None, 0, Goals(focused=(Goal((), "a"),))))
    with pytest.raises(ContractError, match="before bind"):
        KnnPolicy().suggest([request], 10)


def test_a_prover_without_extractor_needs_data() -> None:
    with FakeEnvironment(FakeOptions()) as environment, pytest.raises(ConfigError, match="option `data`"):
        KnnPolicy().bind(environment)


def _theorem() -> Theorem:
    return Theorem(id="t", name="t", prover="fake", statement="theorem t : a.")
