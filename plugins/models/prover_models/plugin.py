"""Hook implementations only; nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from prover_core.plugins import hookimpl


@hookimpl
def prover_register_policies() -> Mapping[str, str]:
    """Policies that need no training."""
    return {"portfolio": "prover_models.portfolio:PortfolioPolicy"}


@hookimpl
def prover_register_presets() -> Iterable[Path]:
    """The presets shipped beside this file."""
    return [Path(__file__).parent / "presets"]
