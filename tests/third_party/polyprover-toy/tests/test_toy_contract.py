"""What the author of a plugin writes: examples in the prover's own language; the kit does the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from polyprover_toy.environment import ToyEnvironment
from polyprover_toy.policy import ToyPolicy, ToyPolicyOptions
from polyprover_toy.source import ToySource, ToySourceOptions

from prover_core.contracts import DataSource, Policy, ProofEnvironment
from prover_core.testing import DataSourceContract, EnvironmentContract, PolicyContract
from prover_core.types import Goal, Hypothesis


class TestToyEnvironment(EnvironmentContract):
    provable = ("reach 6", ["double", "inc.", "double"])
    unprovable = "reach 0"
    cheats: ClassVar[Sequence[tuple[str, str | Sequence[str]]]] = [
        ("a jump", ["jump"]),
        ("two steps in one tactic", ["double; jump"]),
        ("in a text", "double. jump."),
    ]
    changed_statement = "reach 2. double."
    rejected_tactic = "halve"
    parse_error_tactic = "leap"
    forbidden_tactics = ("double. inc", "reach 2")
    branching = ("reach 12 from 3", ["double", "inc", "halve"])
    two_routes = ("reach 9", ["double", "inc"], ["inc", "inc"])
    structured = ("reach 9", ["double"], Goal((Hypothesis(("n",), "number", "2"),), "n reaches 9"))
    unicode = ("reach 4 (vier ≥ drei)", ["double", "double"])
    not_a_statement = "leap 4"
    bad_preamble = "not a remark\n"
    source = (".toy", "reach 4\nreach 5 from 2\n  reach 6 (sechs)\n", ["reach_4", "reach_5", "reach_6"])
    has_processes = False

    def make_environment(self) -> ProofEnvironment:
        return ToyEnvironment()


class TestToyPolicy(PolicyContract):
    example = ("reach 6", ["double", "inc"])

    def make_policy(self) -> Policy:
        return ToyPolicy(ToyPolicyOptions())

    def make_environment(self) -> ProofEnvironment:
        return ToyEnvironment()


class TestToySource(DataSourceContract):
    def make_source(self) -> DataSource:
        return ToySource(ToySourceOptions(), "")

    def make_environment(self) -> ProofEnvironment:
        return ToyEnvironment()

    def make_broken(self) -> DataSource:
        return ToySource(ToySourceOptions(), "no-number")
