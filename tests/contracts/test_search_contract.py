"""The search kit on every search that ships."""

from __future__ import annotations

from prover_core.contracts import Search
from prover_core.search.beam import BeamSearch
from prover_core.search.best_first import BestFirstSearch
from prover_core.search.depth_first import DepthFirstSearch
from prover_core.testing import SearchContract


class TestBestFirst(SearchContract):
    def make_search(self) -> Search:
        return BestFirstSearch()


class TestDepthFirst(SearchContract):
    def make_search(self) -> Search:
        return DepthFirstSearch()


class TestBeam(SearchContract):
    def make_search(self) -> Search:
        return BeamSearch()
