"""What every search shares: nodes, the table of known states, and the accounting of one run.

A strategy decides *where* to spend the next tries. :class:`SearchRun` spends them: it asks the policy,
runs siblings in the session a chunk at a time, keeps the budget, times prover and policy apart, tells
the observer, and knows how the run ended.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pydantic import Field

from prover_core.contracts.environment import ProofSession
from prover_core.contracts.options import ComponentOptions
from prover_core.contracts.search import (
    SearchObserver,
    SearchResult,
    SearchStatus,
    StateScorer,
    StepEvent,
    Suggest,
)
from prover_core.errors import ContractError, PolicyFailedError
from prover_core.search.budget import BudgetMeter, TokenCounter
from prover_core.search.sources import SourceCounts
from prover_core.types import (
    Advanced,
    Budget,
    Crashed,
    Outcome,
    OutOfMemory,
    Proof,
    ProofState,
    Solved,
    Suggestion,
    TimedOut,
)

__all__ = ["ANYTIME", "Node", "SearchOptions", "SearchRun", "StateTable"]

T = TypeVar("T")

ANYTIME: Final = frozenset({"seconds", "tries"})
"""Limits that :class:`SearchRun` keeps by ending the run, whatever the strategy: see ``Search.anytime``."""

_PIPELINE: Final = 32
"""Most siblings handed to the session in one go: enough to hide the pipe, few enough to stop soon."""


class SearchOptions(ComponentOptions):
    """What all searches have in common."""

    tactic_timeout_s: float = Field(
        default=3.0,
        gt=0,
        description=(
            "Time limit of one tactic, in seconds, where the policy names none of its own; "
            "never more than the wall time left."
        ),
    )
    max_depth: int = Field(default=30, ge=1, description="Longest proof looked for, in tactics.")
    max_children: int | None = Field(
        default=None, ge=1, description="Most suggestions tried in one state, best first; null: all of them."
    )


@dataclass(slots=True, eq=False)
class Node:
    """A proof state in a search tree."""

    id: int
    state: ProofState
    parent: Node | None
    depth: int
    """Tactics from the root."""
    logprob: float
    """Sum of the log-probabilities of the tactics from the root."""
    untried: list[Suggestion] = field(default_factory=list)
    """What the policy proposed and was not tried yet, best first."""
    asked: bool = False
    """Whether the policy was asked."""
    value: float = 0.0
    """What the value model says of it, natural-log units; 0.0 where there is none."""

    def path(self) -> tuple[int, ...]:
        """Ids from the root to here."""
        ids = []
        node: Node | None = self
        while node is not None:
            ids.append(node.id)
            node = node.parent
        return tuple(reversed(ids))


class StateTable:
    """The transposition table: which states are known, and how deep and how likely.

    A state found again is dropped only if an equal one (same fingerprint) loses nothing against it: it is
    no deeper, and either expanded already or at least as likely. So neither the depth limit nor the order
    of discovery can hide a proof.
    """

    def __init__(self) -> None:
        self._expanded: dict[str, int] = {}
        self._open: dict[str, list[tuple[int, float]]] = {}

    def add(self, node: Node) -> bool:
        """Make ``node`` known; false: it is a duplicate, and should be dropped."""
        fingerprint = node.state.fingerprint
        expanded = self._expanded.get(fingerprint)
        if expanded is not None and expanded <= node.depth:
            return False
        known = self._open.setdefault(fingerprint, [])
        if any(depth <= node.depth and logprob >= node.logprob for depth, logprob in known):
            return False
        known.append((node.depth, node.logprob))
        return True

    def expand(self, node: Node) -> bool:
        """Note that ``node`` is worked on now; false: an equal state, no deeper, was expanded instead.

        A node that was asked about already may come again, until an equal one that is less deep does.
        """
        fingerprint = node.state.fingerprint
        expanded = self._expanded.get(fingerprint)
        if expanded is not None and (expanded < node.depth or (expanded == node.depth and not node.asked)):
            return False
        self._expanded[fingerprint] = node.depth
        self._open.pop(fingerprint, None)
        return True


class SearchRun:
    """One run of one search: everything but the strategy. Not shared between threads."""

    def __init__(
        self,
        session: ProofSession,
        suggest: Suggest,
        budget: Budget,
        observer: SearchObserver,
        options: SearchOptions,
    ) -> None:
        self.meter = BudgetMeter(budget)
        self.root = Node(id=0, state=session.root, parent=None, depth=0, logprob=0.0)
        self.limits_hit: set[str] = set()
        """Limits of the search itself that left something untried, in words."""
        self._session = session
        self._suggest = suggest
        counter: object = suggest
        self._tokens = counter if isinstance(counter, TokenCounter) else None
        self._scorer = counter if isinstance(counter, StateScorer) else None
        self._observer = observer
        self._options = options
        self._status: SearchStatus | None = None
        self._detail = ""
        self._unasked = False
        self._solved: Node | None = None
        self._recorded = 0
        self._proof_tries: int | None = None
        self._nodes = 1
        self._expansions = 0
        self._duplicates = 0
        self._timed_out = 0
        self._machinery = 0
        self._seconds_env = 0.0
        self._seconds_model = 0.0
        self._seconds_value = 0.0
        self._scored = 0
        self._sources = SourceCounts()

    def over(self) -> bool:
        """Whether the run has ended: found, out of budget, or asked to stop."""
        if self._status is not None:
            return True
        if self._observer.should_stop():
            self._end(SearchStatus.STOPPED, "asked to stop")
        elif (limit := self.meter.exhausted()) is not None:
            self._end(SearchStatus.OUT_OF_BUDGET, limit)
        return self._status is not None

    def ask(self, nodes: Sequence[Node]) -> None:
        """Fill ``untried`` of the nodes that the policy was not asked about yet, in one call.

        Asks about as many, in order, as the budget of policy calls allows; about none once its tokens are
        used up. A node that it does not allow stays as it is (``asked`` is false): drop it, and go on with
        what is known already.
        """
        wanted = [node for node in nodes if not node.asked]
        allowed = 0 if self.meter.asked_enough() else self.meter.remaining_model_calls
        if allowed is not None and len(wanted) > allowed:
            self._unasked = True
            wanted = wanted[:allowed]
        if not wanted:
            return
        started = time.monotonic()
        answers = self._suggest([node.state for node in wanted])
        self._seconds_model += time.monotonic() - started
        self.meter.model_calls += len(wanted)
        if self._tokens is not None:
            self.meter.tokens = self._tokens.tokens_used
        if len(answers) != len(wanted):
            message = f"the policy was asked about {len(wanted)} states and answered for {len(answers)}"
            raise PolicyFailedError(message)
        for node, suggestions in zip(wanted, answers, strict=True):
            node.asked = True
            node.untried = self._distinct(suggestions)
            self._sources.proposed(node.untried)
        self._expansions += len(wanted)

    @property
    def has_value(self) -> bool:
        """Whether there is a value model to ask."""
        return self._scorer is not None

    def score(self, nodes: Sequence[Node]) -> None:
        """Fill ``value`` of the nodes, in one call of the value model; nothing where there is none."""
        if self._scorer is None or not nodes:
            return
        started = time.monotonic()
        values = self._scorer.score([node.state for node in nodes])
        self._seconds_value += time.monotonic() - started
        self._scored += len(nodes)
        if len(values) != len(nodes):
            message = f"the value model was asked about {len(nodes)} states and answered for {len(values)}"
            raise PolicyFailedError(message)
        for node, value in zip(nodes, values, strict=True):
            node.value = min(0.0, value)

    def try_siblings(
        self, node: Node, limit: int | None = None, known: Callable[[Node], bool] | None = None
    ) -> list[Node]:
        """Try the next ``limit`` untried tactics of ``node`` (``None``: all); gives the new children.

        ``known(child)`` says whether a child is a duplicate; by default none is. Stops early when a
        sibling solves the theorem, the budget is used up, or the observer asks to stop.
        """
        left = len(node.untried) if limit is None else min(limit, len(node.untried))
        children: list[Node] = []
        while left > 0 and not self.over():
            timeout_s, alike = self._limit(node.untried[: min(left, _PIPELINE)])
            chunk = node.untried[: self.meter.chunk(alike, timeout_s)]
            del node.untried[: len(chunk)]
            left -= len(chunk)
            outcomes = self._run(node, chunk, timeout_s)
            for suggestion, outcome in zip(chunk, outcomes, strict=True):
                child = self._record(node, suggestion, outcome, known)
                if child is not None:
                    children.append(child)
        return children

    def try_one(self, node: Node, suggestion: Suggestion) -> tuple[Outcome, Node | None]:
        """Try one tactic; its outcome, and the new child if goals are left. Ask :meth:`over` before.

        A tactic that solves the theorem ends the run, and has no child.
        """
        timeout_s, _ = self._limit([suggestion])
        outcome = self._run(node, [suggestion], timeout_s)[0]
        return outcome, self._record(node, suggestion, outcome, None)

    def in_session(self, ask: Callable[[], T]) -> T:
        """What ``ask`` gives; the time that it takes is the prover's."""
        started = time.monotonic()
        answer = ask()
        self._seconds_env += time.monotonic() - started
        return answer

    def result(self, counters: Mapping[str, int] | None = None) -> SearchResult:
        """How the run ended; a run that no limit ended has exhausted its search space.

        :param counters: what this kind of search counts of its own.
        """
        if self._status is None and self._unasked:
            told = self.meter.asked_enough() or "policy calls are used up"
            self._end(SearchStatus.OUT_OF_BUDGET, told)
        elif self._status is None:
            detail = "; ".join(sorted(self.limits_hit)) or "nothing is left to try"
            self._end(SearchStatus.EXHAUSTED, detail)
        elapsed = self.meter.elapsed
        solved = self._solved
        return SearchResult(
            status=self._status or SearchStatus.EXHAUSTED,
            proof=Proof(self._session.script(solved.state)) if solved is not None else None,
            path=solved.path() if solved is not None else (),
            tries=self.meter.tries,
            proof_tries=self._proof_tries,
            model_calls=self.meter.model_calls,
            tokens=self.meter.tokens,
            expansions=self._expansions,
            duplicates=self._duplicates,
            nodes=self._nodes,
            timed_out=self._timed_out,
            machinery=self._machinery,
            seconds=elapsed,
            seconds_env=self._seconds_env,
            seconds_model=self._seconds_model,
            seconds_value=self._seconds_value,
            detail=self._detail,
            counters=self._counters(counters or {}),
        )

    def _counters(self, own: Mapping[str, int]) -> dict[str, int]:
        scored = {"states_scored": self._scored} if self._scored else {}
        path = self._solved.path() if self._solved is not None else ()
        return scored | self._sources.counters(path) | dict(own)

    def too_deep(self, node: Node) -> bool:
        """Whether the depth limit forbids to go on from ``node``; noted for the result's detail."""
        if node.depth < self._options.max_depth:
            return False
        self.limits_hit.add(f"depth limit ({self._options.max_depth}) reached")
        return True

    def _distinct(self, suggestions: Sequence[Suggestion]) -> list[Suggestion]:
        """Without repeated tactics, cut to ``max_children``."""
        first: dict[str, Suggestion] = {}
        for suggestion in suggestions:
            first.setdefault(suggestion.tactic.strip(), suggestion)
            if math.isnan(suggestion.logprob):
                message = f"the policy gave {suggestion.tactic!r} a log-probability that is not a number"
                raise PolicyFailedError(message)
        distinct = list(first.values())
        limit = self._options.max_children
        if limit is not None and len(distinct) > limit:
            self.limits_hit.add(f"only the best {limit} suggestions of a state were tried")
            del distinct[limit:]
        return distinct

    def _limit(self, suggestions: Sequence[Suggestion]) -> tuple[float, int]:
        """Time limit of the first of them, in seconds, and how many in a row have the same."""
        own = suggestions[0].timeout_s
        alike = next((n for n, s in enumerate(suggestions) if s.timeout_s != own), len(suggestions))
        return self.meter.tactic_timeout(self._options.tactic_timeout_s if own is None else own), alike

    def _run(self, node: Node, chunk: Sequence[Suggestion], timeout_s: float) -> list[Outcome]:
        started = time.monotonic()
        outcomes = self._session.try_tactics(node.state, [s.tactic for s in chunk], timeout_s)
        self._seconds_env += time.monotonic() - started
        self.meter.tries += len(chunk)
        if len(outcomes) != len(chunk):
            message = (
                f"{type(self._session).__name__}.try_tactics gave {len(outcomes)} outcomes for {len(chunk)}"
            )
            raise ContractError(message)
        return outcomes

    def _record(
        self, node: Node, suggestion: Suggestion, outcome: Outcome, known: Callable[[Node], bool] | None
    ) -> Node | None:
        """Account for one outcome and tell the observer; the child, if it is new and open."""
        child: Node | None = None
        duplicate = False
        self._recorded += 1
        self._timed_out += isinstance(outcome, TimedOut)
        self._machinery += isinstance(outcome, Crashed | OutOfMemory)
        if isinstance(outcome, Advanced | Solved):
            child = Node(
                id=self._nodes,
                state=outcome.state,
                parent=node,
                depth=node.depth + 1,
                logprob=node.logprob + min(0.0, suggestion.logprob),
            )
            if isinstance(outcome, Advanced) and known is not None:
                started = time.monotonic()
                duplicate = known(child)  # reads the goals, which is work on the prover's answer
                self._seconds_env += time.monotonic() - started
            if duplicate:
                child = None
                self._duplicates += 1
            else:
                self._nodes += 1
        accepted = isinstance(outcome, Advanced | Solved)
        self._sources.tried(suggestion, accepted=accepted, child=None if child is None else child.id)
        self._observer.on_step(
            StepEvent(
                node=node.id,
                state=node.state,
                suggestion=suggestion,
                outcome=outcome,
                child=None if child is None else child.id,
                duplicate=duplicate,
            )
        )
        if not isinstance(outcome, Solved):
            return child
        if self._solved is None:
            self._solved = child
            self._proof_tries = self._recorded
            self._end(SearchStatus.FOUND, "")
        return None

    def _end(self, status: SearchStatus, detail: str) -> None:
        self._status = status
        self._detail = detail
