"""``prover summary``: runs in numbers, and the proofs they found."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from prover_core.cli.analysis_text import LEFT_OUT, analysis_lines
from prover_core.cli.output import command_app, print_json, print_table, say, warn
from prover_core.cli.summary_text import proof_lines, summary_lines
from prover_core.errors import ConfigError
from prover_core.store import RunStore, summarise
from prover_core.store.analysis import RunsDatabase, duckdb_installed

app = command_app()


@app.command()
def summary(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; of several runs, one over all of them.")
    ] = False,
    proofs: Annotated[
        bool | None,
        typer.Option(
            "--proofs/--no-proofs", help="Show each proof found. [default: as text yes, as JSON no]"
        ),
    ] = None,
    analysis: Annotated[
        bool | None,
        typer.Option(
            "--analysis/--no-analysis",
            help="Show distributions, slowest theorems, tactics. [default: where DuckDB is installed]",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Lines of each list of the analysis.")] = 10,
    sql: Annotated[
        str | None,
        typer.Option(metavar="QUERY", help="Answer this query alone, over the views attempts and steps."),
    ] = None,
) -> None:
    """Show runs in numbers, and each proof that they found.

    \b
    Examples:
      prover summary runs/20260102-030405-coq-tactics
      prover summary runs/* --no-proofs --top 20
      prover summary runs/20260102-030405-coq-tactics --json --proofs
      prover summary runs/* --sql "SELECT head, avg(ms) FROM steps GROUP BY head ORDER BY 2 DESC"
    """
    with ExitStack() as open_runs:
        stores = [open_runs.enter_context(RunStore.open(path)) for path in runs]
        for stranger in dict.fromkeys(line for store in stores for line in store.foreign()):
            warn(f"warning: {stranger}")
        if sql is not None:
            if proofs is not None or analysis is not None:
                raise ConfigError(["--sql prints the answer alone; leave out --proofs and --analysis"])
            _answer(stores, sql, json)
            return
        wanted = duckdb_installed() if analysis is None else analysis
        if json:
            _print_document(stores, wanted, top, proofs=bool(proofs))
            return
        for index, store in enumerate(stores):
            if index:
                say()
            _show(store, proofs is not False)
        if wanted:
            _show_analysis(stores, top)
        elif analysis is None:
            say(f"\n{LEFT_OUT}")


def _answer(stores: Sequence[RunStore], sql: str, as_json: bool) -> None:
    with RunsDatabase(stores) as database:
        answer = database.query(sql)
    if as_json:
        print_json(answer.model_dump(mode="json"))
    elif answer.columns:
        rows = [["" if cell is None else cell for cell in row] for row in answer.rows]
        print_table(answer.columns, rows)


def _print_document(stores: Sequence[RunStore], analysed: bool, top: int, *, proofs: bool) -> None:
    """One run: its summary, with ``analysis`` in it; several: ``runs``, and ``analysis`` over them all."""
    data = [_data(store, proofs) for store in stores]
    found: dict[str, Any] = {"analysis": None}
    if analysed:
        with RunsDatabase(stores) as database:
            found["analysis"] = database.analyse(top).model_dump(mode="json")
    if len(data) == 1:
        print_json(data[0] | found)
    else:
        print_json({"schema_version": 1, "runs": data} | found)


def _data(store: RunStore, proofs: bool) -> dict[str, Any]:
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


def _show(store: RunStore, proofs: bool) -> None:
    say(f"{store.path}")
    for line in summary_lines(summarise(store)):
        say(line)
    if not proofs:
        return
    for record in store.records():
        if record.proved:
            say()
            for line in proof_lines(record):
                say(line)


def _show_analysis(stores: Sequence[RunStore], top: int) -> None:
    with RunsDatabase(stores) as database:
        analysis = database.analyse(top)
    say()
    for line in analysis_lines(analysis, shutil.get_terminal_size((100, 24)).columns):
        say(line)
