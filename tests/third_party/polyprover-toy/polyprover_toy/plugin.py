"""Hook implementations only; nothing heavy is imported here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prover_core.plugins import CommandSpec, hookimpl


@hookimpl
def prover_register_environments() -> Mapping[str, str]:
    return {"toy": "polyprover_toy.environment:ToyEnvironment"}


@hookimpl
def prover_register_policies() -> Mapping[str, str]:
    return {"toy": "polyprover_toy.policy:ToyPolicy"}


@hookimpl
def prover_register_data_sources() -> Mapping[str, str]:
    return {"toy": "polyprover_toy.source:ToySource"}


@hookimpl
def prover_register_presets() -> Iterable[Path]:
    return [Path(__file__).parent / "presets"]


@hookimpl
def prover_register_commands() -> Mapping[str, CommandSpec]:
    return {"toy-steps": CommandSpec("polyprover_toy.command:steps", "Print the shortest toy proof.")}


@hookimpl
def prover_on_run_start(event: Any) -> None:
    _note("start", theorems=event.theorems)


@hookimpl
def prover_on_theorem_done(event: Any) -> None:
    _note("done", theorem=event.theorem.name, status=event.status)


@hookimpl
def prover_on_run_end(event: Any) -> None:
    _note("end", counts=dict(event.counts))
    if os.environ.get("TOY_OBSERVER_RAISES"):
        message = "the toy observer was told to fail"
        raise RuntimeError(message)


def _note(kind: str, **facts: Any) -> None:
    path = os.environ.get("TOY_EVENTS")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"event": kind, **facts}) + "\n")
