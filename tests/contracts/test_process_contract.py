"""The environment kit on the fake prover in a process of its own: the part about processes."""

from __future__ import annotations

from contracts.examples import FakeExamples
from fakes.process_environment import ProcessEnvironment

from prover_core.contracts import ProofEnvironment
from prover_core.testing.environment_processes import ProcessTests


class TestProcess(FakeExamples, ProcessTests):
    has_processes = True

    def make_environment(self) -> ProofEnvironment:
        return ProcessEnvironment()

    def make_uninstalled(self) -> ProofEnvironment:
        return ProcessEnvironment(["/no/such/prover"])
