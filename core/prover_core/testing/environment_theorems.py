"""The kit's tests of theorems: made from text, found in files, refused."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from prover_core.errors import DataError, TheoremUnavailableError
from prover_core.testing.environment_base import EnvironmentIngredients
from prover_core.types import Capability, Span

__all__ = ["TheoremTests"]


class TheoremTests(EnvironmentIngredients):
    """Theorems."""

    def test_theorem_that_cannot_be_opened(self) -> None:
        """A broken preamble, and a file that is not there, raise ``TheoremUnavailableError``.

        Troubleshooting: that is neither a crash nor a failed proof; say what the prover said.
        """
        with self.opened_environment() as environment:
            broken = self.with_preamble(environment, self.bad_preamble)
            with pytest.raises(TheoremUnavailableError) as caught, environment.open(broken, self.limits):
                pass
            assert str(caught.value).strip()
            nowhere = str(Path(tempfile.gettempdir()) / f"no-such-file{self.source[0]}")
            unreadable = replace(
                broken, id="kit:unreadable", file=nowhere, span=Span(0, len(broken.statement)), preamble=""
            )
            with pytest.raises(TheoremUnavailableError), environment.open(unreadable, self.limits):
                pass
            theorem = environment.theorem(self.provable[0], name="kit_example")
            with environment.open(theorem, self.limits) as session:
                self.walk(session, self.provable[1])

    def test_what_is_no_statement(self) -> None:
        """``theorem()`` refuses text that is not one statement, with ``DataError``.

        Troubleshooting: look with the plugin's own lexer: first word, one sentence.
        """
        with self.opened_environment() as environment, pytest.raises(DataError):
            environment.theorem(self.not_a_statement, name="kit_example")

    def test_theorems_of_a_file(self) -> None:
        """``theorems_in`` finds all theorems, in order; each can be opened, with what stands before it.

        Troubleshooting: ids are unique, ``file[span]`` is the statement, character for character. What
        stands after a theorem in its file must not be within its reach.
        """
        _, text, names = self.source
        with self.folder() as folder, self.opened_environment() as environment:
            theorems = environment.theorems_in(self.source_file(folder))
            assert [theorem.name for theorem in theorems] == list(names)
            assert len({theorem.id for theorem in theorems}) == len(theorems), "ids are unique"
            for theorem in theorems:
                assert theorem.prover == environment.prover
                assert theorem.span is not None
                assert text[theorem.span.start : theorem.span.end] == theorem.statement
                with environment.open(theorem, self.limits) as session:
                    assert not session.root.goals.solved
            with pytest.raises(DataError):
                environment.theorems_in(folder / "missing.txt")

    def test_premises_are_what_stands_before(self) -> None:
        """With ``PREMISES``: lemmas before the theorem are offered, it and what follows never are.

        Troubleshooting: ask the prover before the theorem's own name is known to it; without the
        capability, ``premises`` gives nothing.
        """
        _, _, names = self.source
        with self.folder() as folder, self.opened_environment() as environment:
            theorems = environment.theorems_in(self.source_file(folder))
            for place in (0, len(theorems) - 1):
                with environment.open(theorems[place], self.limits) as session:
                    premises = session.premises(session.root, 200)
                    assert len(session.premises(session.root, 1)) <= 1, "at most 'limit' premises"
                    if Capability.PREMISES not in environment.capabilities:
                        assert not premises, "premises come with Capability.PREMISES only"
                    found = {premise.name.rpartition(".")[2] for premise in premises}
                    later = {name.rpartition(".")[2] for name in names[place:]}
                    assert not found & later, f"{found & later} stand at or after {names[place]}"
            if Capability.PREMISES in environment.capabilities:
                assert premises, "PREMISES is declared, and nothing is offered in 'source'"
