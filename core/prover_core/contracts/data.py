"""The contract of a data source: where theorems come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field

from prover_core.contracts.environment import ProofEnvironment
from prover_core.types import Theorem

__all__ = ["DataSource", "SourceDescription"]


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """What a data source holds, as ``prover data list`` and a run's provenance show it."""

    name: str
    prover: str
    theorems: int | None = None
    """``None``: not counted, because counting would read everything."""
    licence: str = ""
    version: str = ""
    origin: str = ""
    details: dict[str, str] = field(default_factory=dict)


class DataSource(ABC):
    """A set of theorems. Its constructor takes its ``Options`` model and the text after the colon.

    ``--data coq-stdlib:Arith,Lists`` makes ``CoqStdlib(options, argument="Arith,Lists")``.
    """

    def bind(self, environment: ProofEnvironment) -> None:
        """Called once, before anything else, with the environment that will run the theorems."""
        del environment

    @abstractmethod
    def theorems(self) -> Iterator[Theorem]:
        """The theorems in a stable order, ids unique.

        :raises DataError: a file or folder cannot be used; the message names it.
        """

    @abstractmethod
    def describe(self) -> SourceDescription:
        """Counts, licence, version."""
