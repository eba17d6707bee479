"""Misspells a hook, and has a good one beside it."""

from __future__ import annotations

from collections.abc import Mapping

from prover_core.plugins import hookimpl


@hookimpl
def prover_register_enviroments() -> Mapping[str, str]:
    return {"never": "nowhere:Never"}


@hookimpl
def prover_register_policies() -> Mapping[str, str]:
    return {"never": "nowhere:Never"}
