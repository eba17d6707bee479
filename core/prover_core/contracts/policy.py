"""The contracts of what proposes and what judges: policies, portfolios and values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prover_core.types import Premise, ProofState, Suggestion, Theorem

if TYPE_CHECKING:
    from prover_core.contracts.environment import ProofEnvironment

__all__ = ["Draft", "Policy", "PolicyRequest", "Portfolio", "Proposer", "Usage", "Value", "WholeProofPolicy"]


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """One state for which tactics are wanted."""

    theorem: Theorem
    state: ProofState
    script: tuple[str, ...] = ()
    """Tactics from the root to ``state``."""
    premises: tuple[Premise, ...] = ()
    """Filled only for a policy with ``wants_premises``."""
    attempt: int = 1
    """Number of the attempt at this theorem in its run, from 1: what is drawn at random depends on it, so
    that attempts differ from each other, and one that is made again is the same."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the answer to one request has used."""

    tokens: int = 0
    """Read and written by a model; held against the budget's tokens."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """What the policy counts of its own (``chat.requests``); added up in the attempt's counters.

    A name that ends in ``_millionths`` is shown as a number with six decimals.
    """

    def __add__(self, other: Usage) -> Usage:
        counters = Counter(self.counters)
        counters.update(other.counters)
        return Usage(self.tokens + other.tokens, dict(counters))


class Proposer(ABC):
    """What models that propose have in common, be it tactics or whole proofs."""

    wants_premises: bool = False
    """Ask the session for premises and pass them in the requests."""
    suggestions: int
    """How many proposals to ask it for in one state, where the person does not say."""
    batch_size: int = 32
    """Most requests that it wants in one call."""

    def bind(self, environment: ProofEnvironment) -> None:
        """Called once, before the first request, with the environment that will run the tactics."""
        del environment

    def problems(self) -> Sequence[str]:
        """What went wrong inside that it could do without, one line each; told at the end of a run."""
        return ()

    def usage(self) -> Sequence[Usage]:
        """What the last call used, one item for each of its requests in order; none: nothing is counted.

        Read once after every call, one that raised included, from the same thread.
        """
        return ()

    def close(self) -> None:  # noqa: B027 - most policies hold nothing, and need not say so
        """Free what it holds. Calling it twice is fine."""


class Policy(Proposer):
    """Proposes tactics for proof states, many states at a time."""

    suggestions: int = 32

    @abstractmethod
    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        """At most ``k`` suggestions for each request, best first, no tactic twice in one list.

        The answer has as many lists as there are requests, in their order; an empty list says that the
        policy has nothing to propose. Called from one thread. Deterministic for a given seed and order
        of calls.
        """


@dataclass(frozen=True, slots=True)
class Draft:
    """One whole proof that a policy proposes, as source text, with its natural-log probability."""

    text: str
    """From after the statement on; ``Proof.`` and ``Qed.`` may be there or not."""
    logprob: float = 0.0


class WholeProofPolicy(Proposer):
    """Proposes complete proofs. Needs a search that takes them (``Search.takes == "proofs"``)."""

    suggestions: int = 4

    @abstractmethod
    def complete(self, requests: Sequence[PolicyRequest], n: int) -> list[list[Draft]]:
        """At most ``n`` drafts of a complete proof for each request's root state, best first, none twice.

        The answer has as many lists as there are requests, in their order; an empty list says that the
        policy has nothing to propose. Called from one thread. Deterministic for a given seed and order
        of calls.
        """


class Portfolio(ABC):
    """A prover's stock of tactics, instantiated on a state: what the ``tactics`` preset runs."""

    wants_premises: bool = False

    @abstractmethod
    def propose(self, request: PolicyRequest) -> Sequence[Suggestion]:
        """Tactics for this state, best first, with log-probabilities; no tactic twice."""


class Value(ABC):
    """Judges how promising states are, many states at a time; ``--value`` names one."""

    batch_size: int = 256
    """Most requests that it wants in one call."""

    def bind(self, environment: ProofEnvironment) -> None:
        """Called once, before the first request, with the environment whose states it will judge."""
        del environment

    @abstractmethod
    def score(self, requests: Sequence[PolicyRequest]) -> list[float]:
        """One number for each request, in natural-log probability units: 0.0 is certain to be proved.

        The answer has as many numbers as there are requests, in their order, none above 0.0. The requests
        hold no premises. Called from one thread. The same request always gets the same number.
        """

    def close(self) -> None:  # noqa: B027 - most values hold nothing, and need not say so
        """Free what it holds. Calling it twice is fine."""
