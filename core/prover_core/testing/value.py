"""The contract kit for value models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from prover_core.contracts import PolicyRequest, ProofEnvironment, Value
from prover_core.testing.base import Contract
from prover_core.testing.proposals import walk

__all__ = ["ValueContract"]


class ValueContract(Contract):
    """Whether a value model answers as it should: subclass, write ``make_value`` and ``make_environment``.

    The states it is asked about are those on the way of ``example``, in the environment's own language.
    """

    example: ClassVar[tuple[str, Sequence[str]]]
    """A statement, and tactics whose states the value is asked about."""

    def make_value(self) -> Value:
        """A new value model; two of them behave alike."""
        raise NotImplementedError

    def make_environment(self) -> ProofEnvironment:
        """The environment whose states it is asked about."""
        raise NotImplementedError

    @contextmanager
    def asked(self) -> Iterator[tuple[Value, list[PolicyRequest]]]:
        """A bound value, and requests for the root and each later state of the example."""
        with self.make_environment() as environment:
            value = self.make_value()
            value.bind(environment)
            with walk(environment, self.example) as (theorem, session, states):
                try:
                    yield value, [PolicyRequest(theorem, state, session.script(state)) for state in states]
                finally:
                    value.close()

    def test_one_number_for_each_request(self) -> None:
        """As many numbers as requests, in their order; none asked, none given.

        Troubleshooting: a state that it can say nothing of gets the number of an average one.
        """
        with self.asked() as (value, requests):
            together = value.score(requests)
            assert len(together) == len(requests)
            alone = [value.score([request])[0] for request in requests]
            assert all(math.isclose(a, b, abs_tol=1e-4) for a, b in zip(together, alone, strict=True)), (
                f"asked together {together}, one by one {alone}"
            )
            assert value.score([]) == []

    def test_numbers_are_log_probabilities(self) -> None:
        """Finite floats of at most 0.

        Troubleshooting: natural logarithms; map an energy or a distance to one, a log-sigmoid say.
        """
        with self.asked() as (value, requests):
            for number in value.score(requests):
                assert isinstance(number, float), type(number)
                assert math.isfinite(number), number
                assert number <= 0.0, number

    def test_same_questions_same_values(self) -> None:
        """Two values made alike say the same, and one says the same twice.

        Troubleshooting: no randomness at inference (dropout, say), no state kept between calls.
        """
        with self.asked() as (value, requests):
            first, again = value.score(requests), value.score(requests)
        with self.asked() as (value, requests):
            second = value.score(requests)
        assert first == again == second

    def test_states_stay_as_they_are(self) -> None:
        """The states it is asked about are the same afterwards.

        Troubleshooting: requests and states are shared with the search: copy before changing.
        """
        with self.asked() as (value, requests):
            before = [(request.state.fingerprint, request.script) for request in requests]
            value.score(requests)
            assert [(request.state.fingerprint, request.script) for request in requests] == before

    def test_value_closes_twice(self) -> None:
        """Closing twice is fine; ``batch_size`` is a positive number.

        Troubleshooting: make ``close`` idempotent.
        """
        value = self.make_value()
        assert value.batch_size >= 1
        value.close()
        value.close()
