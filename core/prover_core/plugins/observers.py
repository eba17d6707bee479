"""The way from a run's events to the ``prover_on_*`` hooks of plugins."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from prover_core.contracts.events import Event, ProofFound, RunEnded, RunObserver, RunStarted, TheoremDone
from prover_core.plugins.loading import PluginProblem

__all__ = ["HookImplementation", "HookObserver"]

HookImplementation = tuple[str, str, Callable[..., Any], Sequence[str]]
"""Plugin, its distribution, the function, and the names of the arguments that it takes."""

_HOOKS: dict[type[Any], str] = {
    RunStarted: "prover_on_run_start",
    ProofFound: "prover_on_proof_found",
    TheoremDone: "prover_on_theorem_done",
    RunEnded: "prover_on_run_end",
}

_log = logging.getLogger(__name__)


class HookObserver(RunObserver):
    """Calls each plugin's observers; a plugin that raises is reported once and not called again."""

    def __init__(self, implementations: Callable[[str], Sequence[HookImplementation]]) -> None:
        """``implementations`` answers the functions that implement a hook, in the order to call them."""
        self._calls = {kind: tuple(implementations(hook)) for kind, hook in _HOOKS.items()}
        self._dropped: set[str] = set()
        self.problems: list[PluginProblem] = []

    def on_event(self, event: Event) -> None:
        """Tell every plugin that asked for events of this kind."""
        for plugin, distribution, function, arguments in self._calls.get(type(event), ()):
            if plugin in self._dropped:
                continue
            try:
                function(**dict.fromkeys(arguments, event))
            except Exception as error:  # noqa: BLE001 - an observer must not be able to end a run
                self._dropped.add(plugin)
                reason = f"{_HOOKS[type(event)]} raised {type(error).__name__}: {error}; not called again"
                self.problems.append(PluginProblem(plugin, distribution, reason))
                _log.warning("%s", self.problems[-1], exc_info=True)
