"""The command ``prover toy-steps``: a plain function is a command."""

from __future__ import annotations

import typer

from prover_core.errors import UserError


def steps(number: int) -> None:
    """Print the shortest toy proof of `reach NUMBER`."""
    if number < 1:
        message = f"{number} cannot be reached from 1; give a positive number"
        raise UserError(message)
    found: list[str] = []
    while number > 1:
        found.append("inc" if number % 2 else "double")
        number = number - 1 if number % 2 else number // 2
    typer.echo(" ".join(reversed(found)))
