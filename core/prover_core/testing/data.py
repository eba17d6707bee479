"""The contract kit for data sources."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from prover_core.contracts import DataSource, ProofEnvironment
from prover_core.errors import UserError
from prover_core.testing.base import Contract
from prover_core.types import Limits

__all__ = ["DataSourceContract"]


class DataSourceContract(Contract):
    """Whether a data source gives its theorems as it should: subclass, and write ``make_source``.

    Use a small selection: the tests go through all of it several times.
    """

    sample = 5
    """How many of its theorems are opened, where ``make_environment`` is given."""

    def make_source(self) -> DataSource:
        """A new source; two of them give the same theorems."""
        raise NotImplementedError

    def make_environment(self) -> ProofEnvironment | None:
        """An environment that can open its theorems; ``None``: they are not opened."""
        return None

    def make_broken(self) -> DataSource | None:
        """A source whose folder, file or filter does not exist; ``None``: there is no such thing."""
        return None

    def bound(self) -> DataSource:
        source = self.make_source()
        environment = self.make_environment()
        if environment is not None:
            source.bind(environment)
        return source

    def test_ids_are_unique_and_order_is_stable(self) -> None:
        """The same theorems in the same order each time, no id twice.

        Troubleshooting: sort what the file system gives; build ids from path and name, never from
        counters or hashes of objects.
        """
        source = self.bound()
        ids = [theorem.id for theorem in source.theorems()]
        assert ids, "the source is empty"
        assert len(set(ids)) == len(ids), f"twice: {sorted({i for i in ids if ids.count(i) > 1})[:5]}"
        assert [theorem.id for theorem in source.theorems()] == ids, "a second pass differs"
        assert [theorem.id for theorem in self.bound().theorems()] == ids, "another source object differs"

    def test_theorems_are_complete(self) -> None:
        """Name, prover and statement are there; with a file, the statement stands where the span says.

        Troubleshooting: spans count characters of the decoded text, not bytes, and keep line ends.
        """
        source = self.bound()
        prover = source.describe().prover
        for theorem in source.theorems():
            assert theorem.id.strip()
            assert theorem.name.strip(), theorem
            assert theorem.statement.strip(), theorem
            assert theorem.prover == prover, theorem
            assert not (theorem.file is not None and theorem.preamble), "either a file or a preamble"
            if theorem.file is not None and theorem.span is not None:
                text = Path(theorem.file).read_bytes().decode("utf-8-sig")
                assert text[theorem.span.start : theorem.span.end] == theorem.statement, theorem.id

    def test_description(self) -> None:
        """Name, prover and licence are said, and the count is right where one is given.

        Troubleshooting: ``theorems=None`` where counting would read everything.
        """
        source = self.bound()
        described = source.describe()
        assert described.name.strip()
        assert described.prover.strip()
        if described.theorems is not None:
            assert described.theorems == sum(1 for _ in source.theorems())

    def test_theorems_can_be_opened(self) -> None:
        """The first theorems open in their environment, unsolved.

        Troubleshooting: what a theorem needs before it must be in its file or preamble, and its options
        must be those of its project.
        """
        environment = self.make_environment()
        if environment is None:
            pytest.skip("no make_environment() given")
        source = self.make_source()
        with environment:
            source.bind(environment)
            for theorem in islice(source.theorems(), self.sample):
                with environment.open(theorem, Limits()) as session:
                    assert not session.root.goals.solved, theorem.id

    def test_broken_source_is_said(self) -> None:
        """What does not exist is a ``UserError`` that names it, not an empty list of theorems.

        Troubleshooting: look at the first use at the latest.
        """
        with pytest.raises(UserError) as caught:
            broken = self.make_broken()
            if broken is None:
                pytest.skip("no make_broken() given")
            environment = self.make_environment()
            if environment is not None:
                broken.bind(environment)
            list(broken.theorems())
        assert str(caught.value).strip()
