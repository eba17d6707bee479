"""Best-first search that proves independent goals one after another, each in a search of its own.

Where a tactic leaves several goals, a plain search multiplies: each way to prove the first is combined with
each way to prove the second. Goals that share no existential variable do not depend on one another: the
first is brought into focus, proved in a search of its own, and whatever proof is found is kept. Only then
comes the next. There is no hypertree: a search for one goal knows its own goal and nothing else.
"""

from __future__ import annotations

import enum
import heapq
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from pydantic import Field

from prover_core.contracts.environment import ProofEnvironment, ProofSession
from prover_core.contracts.search import Search, SearchObserver, SearchResult, Suggest
from prover_core.search.best_first import BestFirstOptions, BestFirstSearch
from prover_core.search.common import ANYTIME, Node, SearchRun, StateTable
from prover_core.types import Advanced, Budget, Capability, Goal, Goals, Suggestion

__all__ = ["AndOrOptions", "AndOrSearch", "first_is_independent"]

_EXISTENTIAL: Final = re.compile(r"\?[^\W\d][\w'.]*")
_SOURCE: Final = "focus"


class AndOrOptions(BestFirstOptions):
    """Options of :class:`AndOrSearch`."""

    max_depth: int = Field(
        default=60, ge=1, description="Longest proof looked for, in tactics; brackets around goals count."
    )
    goal_tries: int = Field(
        default=100,
        ge=1,
        description="Tactics tried for a goal of its own before other states have their turn; twice as many "
        "the next time.",
    )
    revisit_cost: float = Field(
        default=1.0,
        ge=0,
        description="How much less likely a state counts, in natural-log units, each time that the search "
        "for its first goal has used up its tries.",
    )


class AndOrSearch(Search):
    """Best-first search, with a search of its own for each goal that shares no existential with others.

    An environment that cannot bring a goal into focus (``Capability.FOCUS``) gets plain best-first search.
    """

    Options = AndOrOptions

    def __init__(self, options: AndOrOptions | None = None) -> None:
        self.options = options if options is not None else AndOrOptions()
        self._words: tuple[str, str] | None = None

    def anytime(self, suggestions: int) -> frozenset[str]:
        """Time and tries: see :class:`~prover_core.contracts.search.Search`."""
        del suggestions
        return ANYTIME

    def bind(self, environment: ProofEnvironment) -> None:
        """Learn how this environment brings a goal into focus, if it can."""
        can = Capability.FOCUS in environment.capabilities
        self._words = environment.focus_words if can else None

    def run(
        self, session: ProofSession, suggest: Suggest, budget: Budget, observer: SearchObserver
    ) -> SearchResult:
        """Search from the root; see :class:`~prover_core.contracts.search.Search`."""
        if self._words is None:
            return BestFirstSearch(self.options).run(session, suggest, budget, observer)
        run = SearchRun(session, suggest, budget, observer, self.options)
        counters: Counter[str] = Counter()
        shared = _Shared(run, self.options, self._words, counters)
        whole = _GoalSearch(shared, run.root, is_part=False)
        while not run.over():
            if whole.work(None) is not _Ending.MORE:
                break
        return run.result({f"goals.{name}": count for name, count in counters.items()})


def first_is_independent(goals: Goals) -> bool:
    """Whether there are several goals in focus, and the first shares no existential with another one."""
    if len(goals.focused) < 2:
        return False
    first = _existentials(goals.focused[0])
    others = (*goals.focused[1:], *goals.unfocused)
    return not first or first.isdisjoint(set().union(*map(_existentials, others)))


def _existentials(goal: Goal) -> set[str]:
    return set(_EXISTENTIAL.findall(str(goal)))


class _Ending(enum.Enum):
    """How far a search for a goal has come."""

    MORE = "more"
    """There is more to try."""
    CLOSED = "closed"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all searches of one run share."""

    run: SearchRun
    options: AndOrOptions
    words: tuple[str, str]
    counters: Counter[str]


@dataclass(order=True, slots=True)
class _Entry:
    cost: float
    order: int
    node: Node = field(compare=False)


@dataclass(slots=True)
class _Focus:
    """The search for the first goal of a state, begun and not ended."""

    search: _GoalSearch
    tries: int
    """For its next turn."""
    visits: int = 0


class _GoalSearch:
    """Best-first search from one node until the goals in focus there are closed."""

    def __init__(self, shared: _Shared, root: Node, *, is_part: bool) -> None:
        self.closed: Node | None = None
        """Where the goals are closed, once they are."""
        self._shared = shared
        self._root = root
        self._is_part = is_part
        self._heap: list[_Entry] = []
        self._pushed = 0
        self._table = StateTable()
        self._table.add(root)
        self._focuses: dict[int, _Focus] = {}
        self._plain: set[int] = set()
        """Nodes whose first goal could not be brought into focus."""
        self._push(root)

    def work(self, tries: int | None) -> _Ending:
        """Go on for about so many tactics (``None``: until it ends), or until the run is over."""
        run = self._shared.run
        limit = math.inf if tries is None else run.meter.tries + tries
        while self._heap and self.closed is None and not run.over():
            if run.meter.tries >= limit:
                return _Ending.MORE
            node = heapq.heappop(self._heap).node
            if self._wants_focus(node):
                self._in_focus(node)
            elif self._table.expand(node):
                self._expand(node)
        if self.closed is not None:
            return _Ending.CLOSED
        return _Ending.MORE if run.over() else _Ending.EXHAUSTED

    def _expand(self, node: Node) -> None:
        run, options = self._shared.run, self._shared.options
        run.ask([node])
        found = run.try_siblings(node, options.siblings, lambda new: not self._table.add(new))
        children = []
        for child in found:
            if self._is_part and not child.state.goals.focused:
                self._close(child)
            elif not run.too_deep(child):
                children.append(child)
        if self.closed is not None or run.over():
            return
        if options.value_weight:
            run.score(children)
        for child in children:
            self._push(child)
        if node.untried:
            self._push(node)

    def _close(self, child: Node) -> None:
        """Note that ``child`` closes the goal, if nothing of it was put aside."""
        before, after = self._root.state.goals, child.state.goals
        aside = len(after.shelved) > len(before.shelved) or len(after.given_up) > len(before.given_up)
        if self.closed is None and not aside:
            self.closed = child

    def _wants_focus(self, node: Node) -> bool:
        if node.id in self._focuses:
            return True
        if node.asked or node.id in self._plain or not first_is_independent(node.state.goals):
            return False
        return self._begin(node)

    def _begin(self, node: Node) -> bool:
        """Bring the first goal into focus; false: it does not work, and the node is one like others."""
        run, counters = self._shared.run, self._shared.counters
        outcome, child = run.try_one(node, Suggestion(self._shared.words[0], source=_SOURCE))
        if child is None or not isinstance(outcome, Advanced):
            counters["focus_refused"] += 1
            self._plain.add(node.id)
            return False
        counters["focused"] += 1
        search = _GoalSearch(self._shared, child, is_part=True)
        self._focuses[node.id] = _Focus(search, self._shared.options.goal_tries)
        return True

    def _in_focus(self, node: Node) -> None:
        """Give the search for the first goal its turn, and act on how it ends."""
        run, counters = self._shared.run, self._shared.counters
        focus = self._focuses[node.id]
        ending = focus.search.work(focus.tries)
        if run.over():
            return
        if ending is _Ending.MORE:
            focus.tries *= 2
            focus.visits += 1
            self._push(node)
            return
        del self._focuses[node.id]
        closed = focus.search.closed
        if ending is _Ending.EXHAUSTED or closed is None:
            counters["given_up"] += 1
            return
        outcome, child = run.try_one(closed, Suggestion(self._shared.words[1], source=_SOURCE))
        if child is not None and isinstance(outcome, Advanced):
            counters["proved_apart"] += 1
            child.logprob = node.logprob  # what is proved costs nothing any more
            if self._is_part and not child.state.goals.focused:
                self._close(child)
            elif self._table.add(child) and not run.too_deep(child):
                self._push(child)
        elif not run.over():  # the prover does not let the goal go: back to it without a focus
            self._plain.add(node.id)
            self._push(node)

    def _push(self, node: Node) -> None:
        heapq.heappush(self._heap, _Entry(self._cost(node), self._pushed, node))
        self._pushed += 1

    def _cost(self, node: Node) -> float:
        """Negated priority as in best-first search, counted from this search's own root."""
        options = self._shared.options
        logprob, depth = node.logprob - self._root.logprob, node.depth - self._root.depth
        if node.untried:
            logprob += min(0.0, node.untried[0].logprob)
            depth += 1
        focus = self._focuses.get(node.id)
        revisits = focus.visits * options.revisit_cost if focus is not None else 0.0
        normalised = logprob / math.pow(max(1, depth), options.length_exponent)
        return revisits - normalised - options.value_weight * node.value
