"""``prover report``: runs as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prover_core.cli.output import command_app, say

app = command_app()


@app.command()
def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run directories, or directories of `prover eval`."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page.")] = Path("report.html"),
    pairs: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE",
            help="The same problems in several provers: minif2f:PATH, putnambench:PATH or FILE.csv "
            "(see `prover data pairs --help`).",
        ),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="What a run is called, in order. [default: its folder's name]")
    ] = None,
    title: Annotated[str, typer.Option(help="Heading of the page. [default: the labels]")] = "",
    trees: Annotated[
        int, typer.Option(min=0, help="Most problems with search trees; 0: none, and no tactics counted.")
    ] = 200,
    max_mb: Annotated[
        float, typer.Option(min=1, help="Size of the page at most; longer texts are cut.")
    ] = 15.0,
) -> None:
    """Write one self-contained page about a run, several runs, or runs in several provers.

    It loads nothing from anywhere, so it can be mailed, kept and read without a network.

    \b
    Examples:
      prover report runs/20260102-030405-coq-tactics
      prover report runs/tactics runs/knn --label tactics --label knn --out compared.html
      prover report runs/lean runs/coq --pairs minif2f:data/minif2f --out lean-and-coq.html
    """
    from prover_core.data.files import write_whole
    from prover_core.evaluation.pair_tables import read_pairs
    from prover_core.report import ReportOptions, collect, render
    from prover_core.report.svg import counted

    _check_out(out)
    table = read_pairs(pairs) if pairs else None
    data = collect(runs, labels=label or (), pairs=table)
    page = render(data, ReportOptions(title=title, trees=trees, max_mb=max_mb)).encode()
    write_whole(out, page)
    for note in data.notes:
        say(note)
    size = f"{len(page) / 1e6:.1f} MB"
    say(f"{out}: {counted(len(data.rows), 'problem')}, {counted(len(data.runs), 'run')}, {size}")
    if len(page) > max_mb * 1_000_000:
        say(f"It is larger than --max-mb {max_mb:g}: cutting statements and proofs was not enough.")


def _check_out(out: Path) -> None:
    """Refuse to write over what is not a page, before anything is read.

    :raises DataError: there is a folder, or a file of another kind.
    """
    from prover_core.errors import DataError

    if out.is_dir():
        msg = f"{out} is a folder: give --out the name of a file in it, as {out / 'report.html'}"
        raise DataError(msg)
    if not out.is_file():
        return
    try:
        with out.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        msg = f"{out} cannot be read, so it is not known what would be lost: {error.strerror}"
        raise DataError(msg) from error
    if start and not start.lstrip().lower().startswith(b"<!doctype html"):
        msg = f"{out} is there and is not a page of HTML; it was left as it is. Give --out another name."
        raise DataError(msg)
