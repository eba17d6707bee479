"""Finding plugins and taking them in one by one, so that a broken one costs only itself.

Pluggy's own entry-point loading stops at the first plugin that does not import, drops a second plugin of
one name without a word, and accepts a misspelt hook. Here each of these is a :class:`PluginProblem`.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pluggy

from prover_core.plugins import spec
from prover_registry import near_names

__all__ = ["OUR_DISTRIBUTION", "LoadedPlugin", "PluginProblem", "discover", "register"]

OUR_DISTRIBUTION = "polyprover"
_PREFIX = "prover_"


@dataclass(frozen=True, slots=True)
class PluginProblem:
    """Something that was left out, and why. Never raised: the rest goes on without it."""

    name: str
    """Name of the plugin (its entry point)."""
    distribution: str
    reason: str

    def __str__(self) -> str:
        where = f" ({self.distribution})" if self.distribution else ""
        return f"plugin {self.name!r}{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A plugin that was taken in."""

    name: str
    distribution: str
    version: str
    module: str

    @property
    def owner(self) -> str:
        """How messages name it: ``plugin 'coq' (polyprover 0.1.0)``."""
        return f"plugin {self.name!r} ({self.distribution} {self.version})"


def discover() -> Sequence[importlib.metadata.EntryPoint]:
    """Entry points of the group ``prover``: our own distribution first, then by name.

    First come has the name, so our own distribution has precedence.
    """
    found = importlib.metadata.entry_points(group=spec.ENTRY_POINT_GROUP)
    return sorted(
        found, key=lambda e: (distribution_name(e) != OUR_DISTRIBUTION, e.name, distribution_name(e))
    )


def distribution_name(entry: importlib.metadata.EntryPoint) -> str:
    """Name of the distribution that an entry point belongs to; empty if it belongs to none."""
    return "" if entry.dist is None else _name_and_version(entry.dist)[0]


@functools.cache
def _name_and_version(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    # each look at its metadata parses the whole of it, long description included
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"]


def register(
    manager: pluggy.PluginManager, entry: importlib.metadata.EntryPoint
) -> LoadedPlugin | PluginProblem:
    """Import one plugin, check its hooks and register it; a plugin with a problem is not registered."""
    distribution = distribution_name(entry)

    def problem(reason: str) -> PluginProblem:
        return PluginProblem(entry.name, distribution, reason)

    try:
        module = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin raises is its problem, not ours
        return problem(f"cannot be imported from {entry.value}: {type(error).__name__}: {error}")
    if mistakes := hook_mistakes(module):
        return problem("; ".join(mistakes))
    try:
        manager.register(module, name=entry.name)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        if manager.has_plugin(entry.name):
            manager.unregister(name=entry.name)
        return problem(_one_line(error))
    version = "" if entry.dist is None else _name_and_version(entry.dist)[1]
    return LoadedPlugin(entry.name, distribution, version, entry.value)


def hook_mistakes(module: Any) -> list[str]:
    """Misspelt hooks of a plugin module, and hooks that lack their ``@hookimpl``."""
    hooks = hook_names()
    mistakes = []
    for name, function in sorted(vars(module).items()):
        mark: Mapping[str, Any] | None = getattr(function, "prover_impl", None)
        marked = isinstance(mark, Mapping)
        if marked and name not in hooks and not (mark or {}).get("optionalhook"):
            near = near_names(name, hooks)
            did_you_mean = f" (did you mean {near[0]}?)" if near else ""
            mistakes.append(f"there is no hook {name}{did_you_mean}")
        elif not marked and name.startswith(_PREFIX) and _defined_in(module, function):
            if name in hooks:
                mistakes.append(f"{name} is not marked with @hookimpl, so it would never be called")
    return mistakes


def hook_names() -> Sequence[str]:
    """All hooks that there are, sorted."""
    return sorted(name for name in vars(spec) if name.startswith(_PREFIX))


def problems_of_disabled(disabled: Iterable[str], known: Iterable[str]) -> list[PluginProblem]:
    """Names in ``PROVER_DISABLED_PLUGINS`` that no plugin has: most likely misspelt."""
    names = sorted(known)
    problems = []
    for name in sorted(set(disabled) - set(names)):
        near = near_names(name, names)
        did_you_mean = f" (did you mean {near[0]!r}?)" if near else ""
        reason = f"PROVER_DISABLED_PLUGINS names it, and no such plugin is installed{did_you_mean}"
        problems.append(PluginProblem(name, "", reason))
    return problems


def _defined_in(module: Any, function: object) -> bool:
    # `from prover_core.plugins.spec import ...` brings the specifications themselves in
    return isinstance(module, ModuleType) and getattr(function, "__module__", None) == module.__name__


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
