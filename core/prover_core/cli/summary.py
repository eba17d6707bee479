"""``prover summary``: runs in numbers, and the proofs they found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prover_core.cli.output import command_app, print_json, say
from prover_core.cli.summary_text import proof_lines, summary_lines
from prover_core.store import RunStore, summarise

app = command_app()


@app.command()
def summary(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document: a list for several runs.")
    ] = False,
    proofs: Annotated[
        bool | None,
        typer.Option(
            "--proofs/--no-proofs", help="Show each proof found. [default: as text yes, as JSON no]"
        ),
    ] = None,
) -> None:
    """Show runs in numbers, and each proof that they found.

    \b
    Examples:
      prover summary runs/20260102-030405-coq-tactics
      prover summary runs/* --no-proofs
      prover summary runs/20260102-030405-coq-tactics --json --proofs
    """
    if json:
        data = [_data(path, bool(proofs)) for path in runs]
        print_json(data[0] if len(data) == 1 else data)
        return
    for index, path in enumerate(runs):
        if index:
            say()
        _show(path, proofs is not False)


def _data(path: Path, proofs: bool) -> dict[str, Any]:
    with RunStore.open(path) as store:
        data = summarise(store).model_dump(mode="json")
        if proofs:
            data["proofs"] = [
                {
                    "theorem_id": r.theorem_id,
                    "attempt": r.attempt,
                    "proof": r.proof,
                    "proof_text": r.proof_text,
                }
                for r in store.records()
                if r.proved
            ]
    return data


def _show(path: Path, proofs: bool) -> None:
    with RunStore.open(path) as store:
        say(f"{path}")
        for line in summary_lines(summarise(store)):
            say(line)
        if not proofs:
            return
        for record in store.records():
            if record.proved:
                say()
                for line in proof_lines(record):
                    say(line)
