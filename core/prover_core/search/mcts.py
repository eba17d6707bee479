"""Monte-Carlo tree search: PUCT with the policy's probabilities, and values instead of rollouts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import Field

from prover_core.contracts.environment import ProofSession
from prover_core.contracts.search import Search, SearchObserver, SearchResult, Suggest
from prover_core.search.common import ANYTIME, Node, SearchOptions, SearchRun, StateTable
from prover_core.types import Budget

__all__ = ["MctsOptions", "MctsSearch"]


_CHILDREN: Final = 4
"""Children that a state is widened to at its first visits."""


class MctsOptions(SearchOptions):
    """Options of :class:`MctsSearch`."""

    exploration: float = Field(
        default=1.0, ge=0, description="c of PUCT: Q + c * prior * sqrt(visits of parent) / (1 + visits)."
    )
    prior_temperature: float = Field(
        default=1.0,
        gt=0,
        description="Priors are the softmax of log-probability / prior_temperature over a state's children.",
    )
    backup: Literal["max", "mean"] = Field(
        default="max", description="What a state is worth by those below it: the best, or their mean."
    )
    discount: float = Field(
        default=0.97, gt=0, le=1, description="A value counts so much less for each tactic farther up."
    )
    leaf_value: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Worth of a new state where the run has no value model (--value); with one: exp(value).",
    )
    value_temperature: float = Field(
        default=1.0, gt=0, description="With a value model, a state is worth exp(value / value_temperature)."
    )
    siblings: int | None = Field(
        default=16,
        ge=1,
        description="Tactics tried in a state at each visit that widens it; null: all of them at once.",
    )
    widening: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A state is widened while it has fewer children than 4 * visits ** widening.",
    )


@dataclass(slots=True, eq=False)
class _Branch:
    """A node with what visits have shown of it."""

    node: Node
    parent: _Branch | None
    worth: float = 0.0
    """Its own, from 0 (hopeless) to 1."""
    visits: int = 0
    total: float = 0.0
    """Sum of what visits brought up to it."""
    best: float = 0.0
    prior: float = 0.0
    """Log-probability of its tactic."""
    children: list[_Branch] = field(default_factory=list)
    """Those that may still lead somewhere."""
    closed: bool = False
    """Nothing is left to try at it or below it."""


class MctsSearch(Search):
    """Each round goes down from the root by PUCT, tries tactics in the state it comes to, and passes what
    the new states are worth up the path: by the value model where there is one, else ``leaf_value``.
    There are no rollouts and no randomness: it is reproducible wherever session and models are.
    """

    Options = MctsOptions

    def __init__(self, options: MctsOptions | None = None) -> None:
        self.options = options if options is not None else MctsOptions()

    def anytime(self, suggestions: int) -> frozenset[str]:
        """Time and tries: see :class:`~prover_core.contracts.search.Search`."""
        del suggestions
        return ANYTIME

    def run(
        self, session: ProofSession, suggest: Suggest, budget: Budget, observer: SearchObserver
    ) -> SearchResult:
        """Search from the root; see :class:`~prover_core.contracts.search.Search`."""
        run = SearchRun(session, suggest, budget, observer, self.options)
        tree = _Tree(run, self.options)
        while not run.over() and not tree.root.closed:
            tree.visit(tree.select())
        return run.result({"visits": tree.root.visits})


class _Tree:
    """The tree of one run."""

    def __init__(self, run: SearchRun, options: MctsOptions) -> None:
        self.root = _Branch(run.root, None, worth=options.leaf_value)
        self._run = run
        self._options = options
        self._table = StateTable()
        self._table.add(run.root)

    def select(self) -> _Branch:
        """The state to work on: down from the root, the child of the highest score each time."""
        branch = self.root
        while branch.node.asked and not self._widen(branch):
            priors = self._priors(branch.children)
            scale = self._options.exploration * math.sqrt(max(1, branch.visits))
            scores = [
                self._worth(child) + scale * prior / (1 + child.visits)
                for child, prior in zip(branch.children, priors, strict=True)
            ]
            branch = branch.children[max(range(len(scores)), key=lambda at: (scores[at], -at))]
        return branch

    def visit(self, branch: _Branch) -> None:
        """Try tactics in a state, judge what they lead to, and tell those above."""
        run, node = self._run, branch.node
        if not node.asked:
            if not self._table.expand(node):
                self._close(branch)  # an equal state, no deeper, was expanded elsewhere
                return
            run.ask([node])
            if not node.asked:  # the budget of policy calls allows no more
                self._close(branch)
                return
        found = run.try_siblings(node, self._options.siblings, lambda new: not self._table.add(new))
        new = [child for child in found if not run.too_deep(child)]
        if not run.over():
            run.score(new)
        leaves = [
            _Branch(child, branch, self._leaf(child), prior=child.logprob - node.logprob) for child in new
        ]
        branch.children += leaves
        self._tell(branch, max((leaf.worth for leaf in leaves), default=0.0))
        if not branch.children and not node.untried:
            self._close(branch)

    def _widen(self, branch: _Branch) -> bool:
        """Whether more tactics are to be tried in a state before one of its children is looked at."""
        if not branch.node.untried:
            return False
        if not branch.children:
            return True
        return len(branch.children) < _CHILDREN * math.pow(max(1, branch.visits), self._options.widening)

    def _leaf(self, node: Node) -> float:
        if not self._run.has_value:
            return self._options.leaf_value
        return math.exp(node.value / self._options.value_temperature)

    def _worth(self, branch: _Branch) -> float:
        """Q: its own worth until it was visited, then what visits have brought."""
        if not branch.visits:
            return branch.worth
        return branch.best if self._options.backup == "max" else branch.total / branch.visits

    def _priors(self, children: Sequence[_Branch]) -> list[float]:
        """Probabilities of the children, adding up to 1."""
        logs = [child.prior / self._options.prior_temperature for child in children]
        most = max(logs)
        weights = [math.exp(log - most) if log > -math.inf else 0.0 for log in logs]
        total = sum(weights) or 1.0
        return [weight / total for weight in weights]

    def _tell(self, branch: _Branch, worth: float) -> None:
        """Pass what a visit has shown up to the root."""
        above: _Branch | None = branch
        while above is not None:
            worth *= self._options.discount
            above.visits += 1
            above.total += worth
            live = (self._worth(child) for child in above.children)
            above.best = self._options.discount * max(live, default=0.0)
            above = above.parent

    def _close(self, branch: _Branch) -> None:
        """Take a state without hope out of the tree, and those above that have none without it."""
        branch.closed = True
        above = branch.parent
        while above is not None:
            above.children = [child for child in above.children if not child.closed]
            if above.children or above.node.untried:
                return
            above.closed = True
            above = above.parent
