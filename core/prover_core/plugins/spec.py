"""Every hook that a Polyprover plugin may implement: this file is the manual.

A plugin is a module named in the entry-point group ``prover``::

    [project.entry-points.prover]
    isabelle = "prover_isabelle.plugin"

It imports ``hookimpl`` from :mod:`prover_core.plugins` and implements any of the functions below. A
plugin module must import nothing heavy: components are named as ``"module:Class"`` and imported on
first use. The plugins in this repository are loaded by exactly this route.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:  # every start of `prover` passes here: the contracts would bring pydantic in
    from pathlib import Path

    from prover_core.contracts.events import ProofFound, RunEnded, RunStarted, TheoremDone

__all__ = ["ENTRY_POINT_GROUP", "CommandSpec", "hookimpl", "hookspec"]

ENTRY_POINT_GROUP = "prover"

hookspec = pluggy.HookspecMarker("prover")
hookimpl = pluggy.HookimplMarker("prover")


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A sub-command of ``prover``: a Typer application or a function, imported when it is run."""

    target: str
    """``"module:attribute"`` of a ``typer.Typer`` (one command or several) or of a function."""
    help: str
    """One line, shown by ``prover --help`` without importing the command."""


# --- components: name -> "module:Class" -----------------------------------------------------------


@hookspec
def prover_register_environments() -> Mapping[str, str]:
    """Provers: name -> ``"module:Class"`` of a ``ProofEnvironment``, for ``--env NAME``."""
    raise NotImplementedError


@hookspec
def prover_register_data_sources() -> Mapping[str, str]:
    """Sources of theorems: name -> ``"module:Class"`` of a ``DataSource``, for ``--data NAME:...``."""
    raise NotImplementedError


@hookspec
def prover_register_policies() -> Mapping[str, str]:
    """Models: name -> ``"module:Class"`` of a ``Policy`` or ``WholeProofPolicy``, for ``--model``."""
    raise NotImplementedError


@hookspec
def prover_register_values() -> Mapping[str, str]:
    """Judges of states: name -> ``"module:Class"`` of a ``Value``, for ``--value``."""
    raise NotImplementedError


@hookspec
def prover_register_trainers() -> Mapping[str, str]:
    """Name -> ``"module:Class"`` of a ``Trainer``, for ``prover train``."""
    raise NotImplementedError


@hookspec
def prover_register_searches() -> Mapping[str, str]:
    """Strategies: name -> ``"module:Class"`` of a ``Search``, for ``--search``."""
    raise NotImplementedError


@hookspec
def prover_register_formats() -> Mapping[str, str]:
    """Data formats: name -> ``"module:Class"`` of a ``DataFormat``, for ``prover data convert``."""
    raise NotImplementedError


@hookspec
def prover_register_extractors() -> Mapping[str, str]:
    """Extractors: name -> ``"module:Class"`` of an ``Extractor``, for ``prover extract NAME``."""
    raise NotImplementedError


@hookspec
def prover_register_retrievers() -> Mapping[str, str]:
    """Premise selection: name -> ``"module:Class"`` of a ``Retriever``."""
    raise NotImplementedError


@hookspec
def prover_register_presets() -> Iterable[Path]:
    """Folders of YAML files; each file ``NAME.yaml`` is a preset: a component and its options."""
    raise NotImplementedError


@hookspec
def prover_register_commands() -> Mapping[str, CommandSpec]:
    """Sub-commands of ``prover``: name -> :class:`CommandSpec`; ``data.NAME`` is one of ``prover data``."""
    raise NotImplementedError


# --- observers: one frozen dataclass each ---------------------------------------------------------


@hookspec
def prover_on_run_start(event: RunStarted) -> None:
    """A run begins (or goes on, after ``--resume``)."""


@hookspec
def prover_on_proof_found(event: ProofFound) -> None:
    """A proof has passed the independent check."""


@hookspec
def prover_on_theorem_done(event: TheoremDone) -> None:
    """An attempt has ended and is on disk."""


@hookspec
def prover_on_run_end(event: RunEnded) -> None:
    """A run has ended, or was stopped."""
