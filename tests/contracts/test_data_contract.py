"""The data-source kit on the fake prover's theorems."""

from __future__ import annotations

from prover_core.builtin.fake import FakeEnvironment, FakeSource, FakeSourceOptions
from prover_core.contracts import DataSource, ProofEnvironment
from prover_core.testing import DataSourceContract


class TestFakeSource(DataSourceContract):
    def make_source(self) -> DataSource:
        return FakeSource()

    def make_environment(self) -> ProofEnvironment:
        return FakeEnvironment()

    def make_broken(self) -> DataSource:
        return FakeSource(argument="no_such_*")


class TestCopiesOfSome(TestFakeSource):
    def make_source(self) -> DataSource:
        return FakeSource(FakeSourceOptions(copies=3, provable_only=True), "and_*,falsum")
