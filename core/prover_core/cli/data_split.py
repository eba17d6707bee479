"""``prover data split``: train, val and test, and how much leaks from one into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prover_core.cli import exits
from prover_core.cli.data_convert import is_dataset, read_proofs
from prover_core.cli.output import print_json, print_table, say, warn
from prover_core.data.leakage import LeakReport, find_leaks
from prover_core.data.splits import PARTS, Split, SplitBy, SplitSettings, make_split
from prover_core.errors import ConfigError

__all__ = ["leakage", "split"]

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_From = Annotated[str | None, typer.Option("--from", metavar="FORMAT", help="[default: by what IN is]")]
_Source = Annotated[Path, typer.Argument(metavar="IN", help="Dataset, or file of proofs.")]


def split(
    source: _Source,
    by: Annotated[SplitBy, typer.Option(help="What is kept together.")] = SplitBy.FILE,
    cutoff: Annotated[
        str, typer.Option(metavar="DATE", help="For --by date: before it trains, from it on tests.")
    ] = "",
    ratios: Annotated[
        str, typer.Option(metavar="TRAIN,VAL,TEST", help="Shares; they add up to 1.")
    ] = "0.8,0.1,0.1",
    seed: Annotated[int, typer.Option(help="Another seed, another split.")] = 0,
    drop_copies: Annotated[
        bool, typer.Option("--drop-copies", help="Leave out training proofs of statements in val or test.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="[default: IN/split.json for a dataset]")
    ] = None,
    from_: _From = None,
    json: _Json = False,
) -> None:
    """Split proofs into train, val and test, and report how much of val and test is in train.

    Where a proof goes depends on its own id, file, project, date or premises, not on the order of the
    data: extracting again, or more, moves nothing.

    \b
    Examples:
      prover data split data/arith
      prover data split data/arith --by premise --ratios 0.9,0.05,0.05
      prover data split data/crawled --by date --cutoff 2024-01-01
      prover data split data/crawled --by project --drop-copies --out split.json
    """
    settings = SplitSettings(by=by, ratios=_ratios(ratios), seed=seed, cutoff=cutoff)
    if out is None:
        if source.exists() and not is_dataset(source):
            raise ConfigError(["say where the split goes: --out FILE"])
        out = source / "split.json"
    made = make_split(read_proofs(source, from_), settings)
    report = find_leaks(read_proofs(source, from_), made.assignment())
    if drop_copies and report.train_copies:
        made = made.without(report.train_copies, "statement is in val or test")
        report = find_leaks(read_proofs(source, from_), made.assignment())
    made.save(out)
    if json:
        sizes = {part: len(made.ids(part)) for part in PARTS}
        left_out = {reason: len(ids) for reason, ids in made.left_out.items()}
        print_json({"file": str(out), "sizes": sizes, "left_out": left_out, "leakage": report.as_data()})
        return
    _say_split(made)
    _say_report(report)
    say(f"\nsplit: {out}\nnext:")
    say(f"  prover data convert {source} train.json --to messages --split {out}:train")


def leakage(
    source: _Source,
    split_file: Annotated[
        Path | None, typer.Option("--split", metavar="FILE", help="[default: IN/split.json for a dataset]")
    ] = None,
    from_: _From = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything leaks.")] = False,
    json: _Json = False,
) -> None:
    """Find statements and proofs of val and test that are in train as well, up to white space and names.

    \b
    Examples:
      prover data leakage data/arith
      prover data leakage proofs.jsonl --split split.json --json
    """
    report = find_leaks(
        read_proofs(source, from_), Split.load(split_file or source / "split.json").assignment()
    )
    if json:
        print_json(report.as_data())
    else:
        _say_report(report)
        for (part, level), found in report.leaks.items():
            for mine, trained in found.examples:
                say(f"  {part}, same {_WORDS[level]}: {mine}  in train: {trained}")
    if strict and any(found.ids for found in report.leaks.values()):
        raise typer.Exit(exits.NO)


_WORDS = {
    "text": "statement",
    "shape": "statement up to bound names",
    "proof": "proof of at least 4 steps",
}


def _ratios(text: str) -> tuple[float, float, float]:
    try:
        train, val, test = (float(word) for word in text.split(","))
    except ValueError:
        raise ConfigError([f"--ratios {text!r}: give three numbers, for example 0.8,0.1,0.1"]) from None
    return train, val, test


def _say_split(made: Split) -> None:
    total = sum(len(made.ids(part)) for part in PARTS)
    rows = [(part, len(made.ids(part)), f"{len(made.ids(part)) / max(1, total):.1%}") for part in PARTS]
    print_table(("PART", "PROOFS", "SHARE"), rows)
    for reason, ids in made.left_out.items():
        say(f"left out: {len(ids)} ({reason})")
    empty = [
        part for part, share in zip(PARTS, made.settings.ratios, strict=True) if share and not made.ids(part)
    ]
    if empty and made.settings.by is not SplitBy.DATE:
        warn(
            f"warning: nothing is in {' and '.join(empty)}: there are too few {made.settings.by.value}s for "
            "these shares; choose another --by, --seed or --ratios"
        )


def _say_report(report: LeakReport) -> None:
    say("\nin train as well:")
    rows = []
    for (part, level), found in report.leaks.items():
        share = len(found.ids) / max(1, report.sizes.get(part, 0))
        rows.append((part, len(found.ids), f"{share:.1%}", f"same {_WORDS[level]}"))
    print_table(("PART", "PROOFS", "SHARE", "WHAT IS THE SAME"), rows)
    if any(report.across_projects.values()):
        counts = ", ".join(f"{count} {_WORDS[level]}s" for level, count in report.across_projects.items())
        say(f"in more than one project: {counts}")
