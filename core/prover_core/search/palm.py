"""Generate, then repair: whole proofs from the model, mended where the prover refuses them.

The algorithm of PALM (Lu, Delaware, Zhang 2024). The policy writes drafts of the whole proof once, for the
theorem as it stands. Each draft is run sentence by sentence. The first sentence that fails is repaired by
the class of its failure; where no repair is accepted, automation tries to close the goal that it works on,
and the draft goes on behind that goal; where automation fails too, the end of the draft's way to this goal
is dropped and automation is tried from ever earlier states of the same goal, until the draft is given up.

What is special to a prover is in its :class:`~prover_core.contracts.repair.RepairKit`.
"""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Literal

from pydantic import Field

from prover_core.contracts.environment import ProofEnvironment, ProofSession
from prover_core.contracts.repair import RepairKit
from prover_core.contracts.search import Search, SearchObserver, SearchResult, Suggest
from prover_core.errors import ConfigError, ContractError
from prover_core.search.common import ANYTIME, SearchOptions, SearchRun
from prover_core.search.palm_draft import DraftRun, DraftSettings, Shared
from prover_core.types import Budget

__all__ = ["PalmOptions", "PalmSearch", "SampleProofsOptions", "SampleProofsSearch"]


class SampleProofsOptions(SearchOptions):
    """Options of :class:`SampleProofsSearch`."""

    tactic_timeout_s: float = Field(
        default=5.0, gt=0, description="Time limit of one sentence of a draft, in seconds."
    )
    max_depth: int = Field(default=1000, ge=1, description="Longest proof looked for, in sentences.")
    max_children: int | None = Field(
        default=None,
        ge=1,
        description="Most drafts that are run, best first; null: all that the model gives.",
    )


class PalmOptions(SampleProofsOptions):
    """Options of :class:`PalmSearch`; the switches are for ablations."""

    repair: bool = Field(default=True, description="Repair a failed sentence by the class of its failure.")
    close: bool = Field(default=True, description="Have automation close goals that the draft cannot.")
    backtrack: bool = Field(
        default=True,
        description="Where a goal cannot be closed, drop the draft's last steps and try from earlier states.",
    )
    max_repairs: int = Field(default=24, ge=1, description="Most repairs tried for one failed sentence.")
    max_closing: int = Field(default=40, ge=1, description="Most closing tactics tried in one state.")
    max_backtracks: int = Field(
        default=12, ge=1, description="Most earlier states from which one goal is tried to be closed."
    )
    premises: int = Field(
        default=32,
        ge=0,
        description="Premises that repairs and closing tactics may use; they come from the prover's own "
        "search. 0: none.",
    )


class _ProofSearch(Search):
    """What the two have in common: ask once, run the drafts one after another."""

    takes: ClassVar[Literal["steps", "proofs"]] = "proofs"

    def __init__(self) -> None:
        self._kit: RepairKit | None = None

    def anytime(self, suggestions: int) -> frozenset[str]:
        """Time and tries: see :class:`~prover_core.contracts.search.Search`."""
        del suggestions
        return ANYTIME

    def bind(self, environment: ProofEnvironment) -> None:
        """Take the environment's repair kit.

        :raises ConfigError: it has none.
        """
        self._kit = environment.repair_kit()
        if self._kit is None:
            name = type(environment).__name__
            mistake = f"{name} has no repair kit, so this search cannot cut proofs into sentences"
            raise ConfigError([f"{mistake}; choose a --search over single tactics (best-first)"])

    def _search(
        self,
        session: ProofSession,
        suggest: Suggest,
        budget: Budget,
        observer: SearchObserver,
        options: SampleProofsOptions,
        settings: DraftSettings,
    ) -> SearchResult:
        if self._kit is None:
            message = f"{type(self).__name__}.run was called before bind"
            raise ContractError(message)
        run = SearchRun(session, suggest, budget, observer, options)
        counters: Counter[str] = Counter()
        if not run.over():
            run.ask([run.root])
        drafts, run.root.untried = run.root.untried, []
        counters["drafts"] = len(drafts)
        shared = Shared(run, session, self._kit, settings, counters)
        seen: set[tuple[str, ...]] = set()
        for draft in drafts:
            if run.over():
                break
            sentences = tuple(self._kit.split(draft.tactic))
            if sentences and sentences not in seen:
                seen.add(sentences)
                DraftRun(shared, draft, sentences).carry_out()
        return run.result({name: count for name, count in sorted(counters.items()) if count})


class PalmSearch(_ProofSearch):
    """Drafts, repair by class, closing by automation, backtracking; see the module's text."""

    Options = PalmOptions

    def __init__(self, options: PalmOptions | None = None) -> None:
        super().__init__()
        self.options = options if options is not None else PalmOptions()

    def run(
        self, session: ProofSession, suggest: Suggest, budget: Budget, observer: SearchObserver
    ) -> SearchResult:
        """Search from the root; see :class:`~prover_core.contracts.search.Search`."""
        options = self.options
        settings = DraftSettings(
            max_repairs=options.max_repairs if options.repair else 0,
            max_closing=options.max_closing if options.close else 0,
            max_backtracks=options.max_backtracks if options.backtrack else 0,
            premises=options.premises,
        )
        return self._search(session, suggest, budget, observer, options, settings)


class SampleProofsSearch(_ProofSearch):
    """Each draft is run as it is: the baseline that repairs are measured against."""

    Options = SampleProofsOptions

    def __init__(self, options: SampleProofsOptions | None = None) -> None:
        super().__init__()
        self.options = options if options is not None else SampleProofsOptions()

    def run(
        self, session: ProofSession, suggest: Suggest, budget: Budget, observer: SearchObserver
    ) -> SearchResult:
        """Search from the root; see :class:`~prover_core.contracts.search.Search`."""
        return self._search(session, suggest, budget, observer, self.options, DraftSettings())
