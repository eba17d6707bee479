"""The plugin manager: loads every plugin in isolation and holds the registries that they fill."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pluggy

from prover_core.plugins import loading, spec
from prover_core.plugins.components import COMPONENT_KINDS, ComponentRegistry, Components
from prover_core.plugins.loading import LoadedPlugin, PluginProblem
from prover_core.plugins.presets import Presets
from prover_registry import NameTakenError

if TYPE_CHECKING:
    from prover_core.plugins.observers import HookObserver

__all__ = ["LoadedPlugin", "PluginManager", "PluginProblem", "installed_plugins"]

_DISABLED = "PROVER_DISABLED_PLUGINS"
_CORE = "core"


@dataclass(slots=True)
class _Contribution:
    """What one plugin registers; collected whole before any of it is taken in."""

    components: list[tuple[str, str, str]] = field(default_factory=list)
    """Kind, name, target."""
    commands: list[tuple[str, spec.CommandSpec]] = field(default_factory=list)
    folders: list[os.PathLike[str]] = field(default_factory=list)


class PluginManager(Components):
    """All plugins and all that they register. Made by :meth:`load`; nothing it does raises for a plugin."""

    def __init__(self) -> None:
        super().__init__(hint=self._hint)
        self.commands: ComponentRegistry[Any] = ComponentRegistry("command", hint=self._hint)
        self.presets = Presets()
        self._plugins: list[LoadedPlugin] = []
        self._problems: list[PluginProblem] = []
        self._disabled: list[str] = []
        self._pluggy = pluggy.PluginManager(spec.ENTRY_POINT_GROUP)
        self._pluggy.add_hookspecs(spec)

    @classmethod
    def load(
        cls, entries: Iterable[EntryPoint] | None = None, environ: Mapping[str, str] | None = None
    ) -> PluginManager:
        """Load every installed plugin; what cannot be loaded is in :attr:`problems`.

        :param entries: entry points to load instead of the installed ones, in order of precedence.
        :param environ: instead of ``os.environ``; ``PROVER_DISABLED_PLUGINS=name,name`` is read from it.
        """
        manager = cls()
        chosen = loading.discover() if entries is None else list(entries)
        disabled = _names((os.environ if environ is None else environ).get(_DISABLED, ""))
        manager._problems += loading.problems_of_disabled(disabled, (e.name for e in chosen))
        for entry in chosen:
            manager._take_in(entry, disabled)
        for registry in (*manager.all(), manager.commands):
            registry.freeze()
        return manager

    @property
    def plugins(self) -> Sequence[LoadedPlugin]:
        """Plugins that were taken in, in order of precedence."""
        return tuple(self._plugins)

    @property
    def problems(self) -> Sequence[PluginProblem]:
        """What was left out, and why."""
        return tuple(self._problems)

    @property
    def disabled(self) -> Sequence[str]:
        """Plugins left out because ``PROVER_DISABLED_PLUGINS`` says so."""
        return tuple(self._disabled)

    def observer(self) -> HookObserver:
        """An observer that passes a run's events on to the ``prover_on_*`` hooks."""
        from prover_core.plugins.observers import HookObserver  # brings the contracts in

        distributions = {plugin.name: plugin.distribution for plugin in self._plugins}

        def implementations(hook: str) -> list[tuple[str, str, Callable[..., Any], Sequence[str]]]:
            return [
                (i.plugin_name, distributions[i.plugin_name], i.function, i.argnames)
                for i in getattr(self._pluggy.hook, hook).get_hookimpls()
            ]

        return HookObserver(implementations)

    def _take_in(self, entry: EntryPoint, disabled: frozenset[str]) -> None:
        distribution = loading.distribution_name(entry)
        if entry.name in disabled:
            if not (entry.name == _CORE and distribution == loading.OUR_DISTRIBUTION):
                self._disabled.append(entry.name)
                return
            reason = f"it cannot be disabled ({_DISABLED}): it holds the commands themselves"
            self._problems.append(PluginProblem(entry.name, distribution, reason))
        for plugin in self._plugins:
            if plugin.name == entry.name:
                reason = f"left out: {plugin.owner} has the name {entry.name!r} already"
                self._problems.append(PluginProblem(entry.name, distribution, reason))
                return
        plugin_or_problem = loading.register(self._pluggy, entry)
        if isinstance(plugin_or_problem, LoadedPlugin):
            self._collect(plugin_or_problem)
        else:
            self._problems.append(plugin_or_problem)

    def _collect(self, plugin: LoadedPlugin) -> None:
        contribution = _Contribution()
        mistakes = self._ask(plugin.name, contribution)
        if mistakes:
            self._pluggy.unregister(name=plugin.name)
            self._problem(plugin, "; ".join(mistakes))
            return
        self._plugins.append(plugin)
        for kind, name, target in contribution.components:
            self._add(plugin, self.of_kind(kind), name, target)
        for name, command in contribution.commands:
            self._add(plugin, self.commands, name, command.target, command.help)
        for folder in contribution.folders:
            from pathlib import Path

            for reason in self.presets.add_folder(Path(folder), plugin.owner):
                self._problem(plugin, reason)

    def _ask(self, name: str, into: _Contribution) -> list[str]:
        """Call the registering hooks of one plugin; returns its mistakes."""
        readers: dict[str, Callable[[Any], str]] = {
            hook: functools.partial(_read_components, into, kind) for hook, kind in COMPONENT_KINDS.items()
        }
        readers["prover_register_commands"] = functools.partial(_read_commands, into)
        readers["prover_register_presets"] = functools.partial(_read_folders, into)
        mistakes = []
        for hook, read in readers.items():
            for implementation in getattr(self._pluggy.hook, hook).get_hookimpls():
                if implementation.plugin_name != name:
                    continue
                try:
                    mistake = read(implementation.function())
                except Exception as error:  # noqa: BLE001 - whatever a plugin raises is its problem, not ours
                    mistake = f"raised {type(error).__name__}: {error}"
                if mistake:
                    mistakes.append(f"{hook} {mistake}")
        return mistakes

    def _add(
        self, plugin: LoadedPlugin, registry: ComponentRegistry[Any], name: str, target: str, help: str = ""
    ) -> None:
        try:
            registry.add(name, target, owner=plugin.owner, help=help)
        except NameTakenError as error:
            self._problem(
                plugin, f"{registry.kind} {name!r} is left out: {error.owner} has that name already"
            )
        except ValueError as error:
            self._problem(plugin, str(error))

    def _problem(self, plugin: LoadedPlugin, reason: str) -> None:
        self._problems.append(PluginProblem(plugin.name, plugin.distribution, reason))

    def _hint(self, name: str) -> str:
        """Who might have provided a name that is not there: plugins that were disabled or left out."""
        lines = [
            f"{plugin.owner} is installed, and does not provide it"
            for plugin in self._plugins
            if plugin.name == name
        ]
        if self._disabled:
            lines.append(f"plugins disabled by {_DISABLED}: {', '.join(self._disabled)}")
        lines += [f"left out: {problem}" for problem in self._problems]
        return "\n".join(lines)


@functools.cache
def installed_plugins() -> PluginManager:
    """The manager of this process, loaded on first use."""
    return PluginManager.load()


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def _read_components(into: _Contribution, kind: str, answer: object) -> str:
    if not isinstance(answer, Mapping):
        return f"must return a mapping of names to 'module:Class', and returned {_type(answer)}"
    for name, target in answer.items():
        if not (isinstance(name, str) and isinstance(target, str)):
            return f"must map names to 'module:Class', and maps {name!r} to {target!r}"
        into.components.append((kind, name, target))
    return ""


def _read_commands(into: _Contribution, answer: object) -> str:
    if not isinstance(answer, Mapping):
        return f"must return a mapping of names to CommandSpec, and returned {_type(answer)}"
    for name, command in answer.items():
        if not (isinstance(name, str) and isinstance(command, spec.CommandSpec)):
            return f"must map names to CommandSpec, and maps {name!r} to {command!r}"
        into.commands.append((name, command))
    return ""


def _read_folders(into: _Contribution, answer: object) -> str:
    if isinstance(answer, str | bytes) or not isinstance(answer, Iterable):
        return f"must return folders (pathlib.Path), and returned {_type(answer)}"
    for folder in answer:
        if not isinstance(folder, os.PathLike):
            return f"must return folders (pathlib.Path), and returned {folder!r} among them"
        into.folders.append(folder)
    return ""


def _type(answer: object) -> str:
    return f"{answer!r}" if answer is None else f"a {type(answer).__name__}"
