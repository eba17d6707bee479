"""Depth-first search with backtracking, and with iterative deepening if wanted."""

from __future__ import annotations

from pydantic import Field

from prover_core.contracts.environment import ProofSession
from prover_core.contracts.search import Search, SearchObserver, SearchResult, Suggest
from prover_core.search.common import ANYTIME, Node, SearchOptions, SearchRun
from prover_core.types import Budget

__all__ = ["DepthFirstOptions", "DepthFirstSearch"]


class DepthFirstOptions(SearchOptions):
    """Options of :class:`DepthFirstSearch`."""

    max_depth: int = Field(default=12, ge=1, description="Longest proof looked for, in tactics.")
    siblings: int | None = Field(
        default=8,
        ge=1,
        description=(
            "Tactics tried in a state before its first new child is entered; the others are tried on the "
            "way back. null: all of them at once."
        ),
    )
    deepening: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Iterative deepening: start with this depth limit and raise it by as much again until "
            "max_depth. Nothing is tried twice: later rounds go on from the tree of the earlier ones. "
            "null: go to max_depth at once."
        ),
    )


class DepthFirstSearch(Search):
    """Follows the policy's first tactic that works, and comes back to the next one at a dead end.

    A state that was visited before, and no deeper, is not visited again in the same round.
    """

    Options = DepthFirstOptions

    def __init__(self, options: DepthFirstOptions | None = None) -> None:
        self.options = options if options is not None else DepthFirstOptions()

    def anytime(self, suggestions: int) -> frozenset[str]:
        """Time and tries: see :class:`~prover_core.contracts.search.Search`."""
        del suggestions
        return ANYTIME

    def run(
        self, session: ProofSession, suggest: Suggest, budget: Budget, observer: SearchObserver
    ) -> SearchResult:
        """Search from the root; see :class:`~prover_core.contracts.search.Search`."""
        run = SearchRun(session, suggest, budget, observer, self.options)
        children: dict[int, list[Node]] = {}
        step = self.options.deepening or self.options.max_depth
        limit = 0
        while not run.over() and limit < self.options.max_depth:
            limit = min(limit + step, self.options.max_depth)
            if not _Round(run, children, limit, self.options.siblings).walk():
                break
        return run.result()


class _Round:
    """One walk over the tree down to a depth limit."""

    def __init__(
        self, run: SearchRun, children: dict[int, list[Node]], limit: int, siblings: int | None
    ) -> None:
        self._run = run
        self._children = children
        """Node id -> children found so far, kept from round to round."""
        self._limit = limit
        self._siblings = siblings
        self._seen: dict[str, int] = {}
        """Fingerprint -> least depth at which it was visited in this round."""

    def walk(self) -> bool:
        """Walk until found, over or done; true: the depth limit cut something, so a deeper round may help."""
        run = self._run
        cut = False
        stack: list[tuple[Node, int]] = []  # node, number of its children entered already
        if self._enter(run.root):
            stack.append((run.root, 0))
        while stack and not run.over():
            node, entered = stack.pop()
            child = self._child(node, entered)
            if child is None:
                continue
            stack.append((node, entered + 1))
            if not self._enter(child):
                continue
            if child.depth < self._limit:
                stack.append((child, 0))
            else:
                cut = True
                run.too_deep(child)
        return cut

    def _enter(self, node: Node) -> bool:
        """Whether ``node`` is to be visited: it was not yet, or only deeper down."""
        if self._known(node):
            return False
        self._seen[node.state.fingerprint] = node.depth
        return True

    def _known(self, node: Node) -> bool:
        seen = self._seen.get(node.state.fingerprint)
        return seen is not None and seen <= node.depth

    def _child(self, node: Node, index: int) -> Node | None:
        """Child number ``index``, trying further tactics as needed; ``None``: there is no such child."""
        run = self._run
        found = self._children.setdefault(node.id, [])
        if not node.asked:
            run.ask([node])
        while index >= len(found) and node.untried and not run.over():
            found.extend(run.try_siblings(node, self._siblings, self._known))
        return found[index] if index < len(found) else None
