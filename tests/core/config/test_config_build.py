"""From a configuration to objects, bound and closed."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from prover_core.config import layers
from prover_core.config.build import build, build_environment, build_source
from prover_core.config.resolve import ResolvedRun, resolve
from prover_core.errors import ConfigError
from prover_core.plugins.loading import discover
from prover_core.plugins.manager import PluginManager

CODE = """
from prover_core.contracts import DataSource, Policy, SourceDescription, WholeProofPolicy
from prover_core.plugins import hookimpl

log = []

class Plain(Policy):
    def bind(self, environment):
        log.append(f"policy bound to {type(environment).__name__}")

    def suggest(self, requests, k):
        return [[] for _ in requests]

    def close(self):
        log.append("policy closed")

class Whole(WholeProofPolicy):
    def complete(self, requests, n):
        return []

class Source(DataSource):
    def __init__(self, options, argument):
        self.argument = argument
        self.environment = None

    def bind(self, environment):
        self.environment = environment

    def theorems(self):
        yield from ()

    def describe(self):
        return SourceDescription("s", "fake")

@hookimpl
def prover_register_policies():
    return {"plain": f"{__name__}:Plain", "whole": f"{__name__}:Whole"}

@hookimpl
def prover_register_data_sources():
    return {"source": f"{__name__}:Source"}
"""


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PluginManager:
    (tmp_path / "built_parts.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "built_parts", raising=False)
    return PluginManager.load([*discover(), EntryPoint("parts", "built_parts", "prover")], {})


def resolved(manager: PluginManager, **names: str) -> ResolvedRun:
    given = {"env": "fake", "model": "plain", "data": "source:some:argument"} | names
    return resolve([layers.from_flags(given)], manager)


def test_parts_are_made_bound_and_closed(manager: PluginManager) -> None:
    run = resolved(manager)
    with build(run) as parts:
        source = build_source(run, parts.environment)
        assert vars(source) == {"argument": "some:argument", "environment": parts.environment}
        assert type(parts.search).__name__ == "BestFirstSearch"
    import built_parts  # type: ignore[import-not-found]

    assert built_parts.log == ["policy bound to FakeEnvironment", "policy closed"]


def test_parts_are_closed_after_an_error_too(manager: PluginManager) -> None:
    with pytest.raises(ZeroDivisionError), build(resolved(manager)):
        _ = 1 / 0
    import built_parts

    assert built_parts.log[-1] == "policy closed"


def test_a_policy_of_whole_proofs_is_refused_in_words(manager: PluginManager) -> None:
    with (
        pytest.raises(ConfigError, match="'whole' writes whole proofs"),
        build(resolved(manager, model="whole")),
    ):
        pass


def test_the_environment_alone(manager: PluginManager) -> None:
    with build_environment(resolved(manager)) as environment:
        assert environment.toolchain().prover == "fake"


def test_a_source_may_stay_unbound(manager: PluginManager) -> None:
    assert vars(build_source(resolved(manager), None))["environment"] is None
