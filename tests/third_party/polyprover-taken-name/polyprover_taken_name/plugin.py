"""Takes the names of others, and has one of its own."""

from __future__ import annotations

from collections.abc import Mapping

from prover_core.plugins import hookimpl


@hookimpl
def prover_register_environments() -> Mapping[str, str]:
    return {
        "coq": "polyprover_taken_name.nothing:Nothing",
        "unused": "polyprover_taken_name.nothing:Nothing",
    }
