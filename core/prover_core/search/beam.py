"""Beam search: level by level, keeping the best few states of each."""

from __future__ import annotations

from functools import partial

from pydantic import Field

from prover_core.contracts.environment import ProofSession
from prover_core.contracts.search import Search, SearchObserver, SearchResult, Suggest
from prover_core.search.common import ANYTIME, Node, SearchOptions, SearchRun
from prover_core.types import Budget

__all__ = ["BeamOptions", "BeamSearch"]


class BeamOptions(SearchOptions):
    """Options of :class:`BeamSearch`."""

    width: int = Field(default=16, ge=1, description="States of each level that are expanded.")


class BeamSearch(Search):
    """Expands the ``width`` most likely states of a level, all in one call of the policy, then the next.

    States seen on an earlier level are dropped; one that was only pruned there may come back.
    """

    Options = BeamOptions

    def __init__(self, options: BeamOptions | None = None) -> None:
        self.options = options if options is not None else BeamOptions()

    def anytime(self, suggestions: int) -> frozenset[str]:
        """Time and tries: see :class:`~prover_core.contracts.search.Search`."""
        del suggestions
        return ANYTIME

    def run(
        self, session: ProofSession, suggest: Suggest, budget: Budget, observer: SearchObserver
    ) -> SearchResult:
        """Search from the root; see :class:`~prover_core.contracts.search.Search`."""
        run = SearchRun(session, suggest, budget, observer, self.options)
        expanded: set[str] = set()
        level = [run.root]
        while level and not run.over():
            expanded.update(node.state.fingerprint for node in level)
            run.ask(level)
            found: dict[str, Node] = {}
            for node in level:
                run.try_siblings(node, known=partial(_known, expanded, found))
            level = self._best([node for node in found.values() if not run.too_deep(node)], run)
        return run.result()

    def _best(self, nodes: list[Node], run: SearchRun) -> list[Node]:
        """The ``width`` most likely, ties by age."""
        width = self.options.width
        if len(nodes) > width:
            run.limits_hit.add(f"only the best {width} states of a level were kept")
        return sorted(nodes, key=lambda node: (-node.logprob, node.id))[:width]


def _known(expanded: set[str], found: dict[str, Node], new: Node) -> bool:
    """Whether ``new`` is a duplicate; if not, it becomes its state's node on the next level."""
    fingerprint = new.state.fingerprint
    if fingerprint in expanded:
        return True
    other = found.get(fingerprint)
    if other is not None and other.logprob >= new.logprob:
        return True
    found[fingerprint] = new
    return False
