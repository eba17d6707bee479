"""Stub with the final signatures; the body follows."""

from __future__ import annotations

from collections.abc import Sequence

from prover_core.contracts import Policy, ProofEnvironment, Search
from prover_core.contracts.events import RunObserver
from prover_core.runner.settings import RunSettings
from prover_core.store.run_store import RunStore
from prover_core.store.summary import RunSummary
from prover_core.types import Theorem

__all__ = ["Runner"]


class Runner:
    """Attempts theorems with N workers and writes what comes out to a run directory."""

    def __init__(
        self,
        *,
        environment: ProofEnvironment,
        policy: Policy,
        search: Search,
        theorems: Sequence[Theorem],
        settings: RunSettings,
        store: RunStore,
        observers: Sequence[RunObserver] = (),
        names: tuple[str, str, str] = ("", "", ""),
    ) -> None:
        """``names``: what environment, policy and search are called (shown and recorded).

        The caller owns environment, policy and store, and closes them (``with`` each of them).
        """

    def run(self) -> RunSummary:
        """Do what is not done yet; returns the summary of the whole run.

        :raises RunStoreError: the run directory cannot be written any more (disk full); what was recorded is safe.
        :raises ToolMissingError: the prover is not installed.
        """
        raise NotImplementedError

    def request_stop(self, reason: str, *, hard: bool = False) -> None:
        """Ask the run to end, from any thread or a signal handler: soon (``grace_s``), or at once."""
        raise NotImplementedError

    @property
    def stopped(self) -> bool:
        """Ended (or ending) before everything was done."""
        raise NotImplementedError
