"""The policy kit on the scripted policy, in each of its three ways."""

from __future__ import annotations

from prover_core.builtin.fake import FakeEnvironment
from prover_core.builtin.scripted import ScriptedOptions, ScriptedPolicy
from prover_core.contracts import Policy, ProofEnvironment
from prover_core.testing import PolicyContract


class OnFake(PolicyContract):
    example = ("a /\\ b -> b /\\ a", ["intros", "destruct h", "split", "assumption", "assumption"])

    def make_environment(self) -> ProofEnvironment:
        return FakeEnvironment()


class TestPortfolio(OnFake):
    def make_policy(self) -> Policy:
        return ScriptedPolicy()


class TestFixedTactics(OnFake):
    def make_policy(self) -> Policy:
        return ScriptedPolicy(ScriptedOptions(tactics=("intros", "split", "intros", "assumption")))


class TestScripts(OnFake):
    def make_policy(self) -> Policy:
        return ScriptedPolicy(ScriptedOptions(scripts={"kit_example": ("intros", "split")}))
