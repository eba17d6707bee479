"""``prover data stats`` and ``prover data validate``: what a dataset holds, and whether it is right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prover_core.cli import exits
from prover_core.cli.component_options import make_with_options, read_sets
from prover_core.cli.data_convert import is_dataset, read_proofs
from prover_core.cli.output import print_json, print_table, say, warn
from prover_core.config.layers import Given
from prover_core.contracts.extraction import Extractor
from prover_core.data.dataset import Dataset
from prover_core.data.stats import DataStats
from prover_core.data.validate import Validation
from prover_core.data.validate import validate as check
from prover_core.plugins.manager import installed_plugins

__all__ = ["stats", "validate"]

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def stats(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Dataset, or file of proofs.")],
    from_: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="[default: by what IN is]")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Most tactics, kinds, ... listed.")] = 15,
    json: _Json = False,
) -> None:
    """Show proof data in numbers: proofs, steps, states, premises, tactics, licences.

    \b
    Examples:
      prover data stats data/arith
      prover data stats proofs.parquet --json
    """
    data = DataStats().take(read_proofs(source, from_)).as_data(top)
    if is_dataset(source):
        dataset = Dataset.open(source)
        data["failures"] = sum(part.failed for part in dataset.parts.values())
        data["declarations"] = sum(part.declarations for part in dataset.parts.values())
    if json:
        print_json(data)
        return
    numbers = [(key.replace("_", " "), _shown(value)) for key, value in data.items() if key != "tactics"]
    print_table(("WHAT", "HOW MANY"), numbers)
    say()
    print_table(("TACTIC", "STEPS"), list(data["tactics"].items()))


def validate(
    dataset: Annotated[Path, typer.Argument(metavar="DIR", help="Dataset folder.")],
    replay: Annotated[
        int, typer.Option(metavar="N", min=0, help="Have the prover replay N proofs, chosen at random.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Another seed, another choice of proofs.")] = 0,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An option of the extractor that replays."),
    ] = None,
    json: _Json = False,
) -> None:
    """Check that every record of a dataset is well-formed, and that the prover accepts what it says.

    Without --replay: schema, indices, ids, positions, counts, tables. Exit code 1 if anything is wrong.

    \b
    Examples:
      prover data validate data/arith
      prover data validate data/arith --replay 200
    """
    extractor = _extractor(dataset, sets or []) if replay else None
    result = check(dataset, replay=replay, extractor=extractor, seed=seed)
    if json:
        print_json(result.as_data())
    else:
        _say(result, replay)
    if not result.ok:
        raise typer.Exit(exits.NO)


def _extractor(path: Path, sets: list[str]) -> Extractor:
    """The extractor that made the dataset, with the options that it had, and others laid over them."""
    manifest = Dataset.open(path).manifest
    manager = installed_plugins()
    component = manager.extractors.get(manifest.prover)
    layer = {key: Given(value, f"{path}/manifest.json") for key, value in manifest.options.items()}
    extractor: Extractor = make_with_options(
        component, f"extractor {manifest.prover!r}", layer | read_sets(sets)
    )
    return extractor


def _say(result: Validation, replay: int) -> None:
    say(
        f"{result.proofs} proofs, {result.steps} steps, {result.states} states, "
        f"{result.declarations} declarations, {result.failures} failures"
    )
    for example in result.examples:
        warn(f"  {example}")
    if result.problems > len(result.examples):
        warn(f"  and {result.problems - len(result.examples)} more problems")
    say("well-formed" if not result.problems else f"NOT well-formed: {result.problems} problems")
    if not replay:
        return
    data = result.as_data()
    say(
        f"replayed {data['replayed']}: {data['accepted']} accepted, {len(data['rejected'])} rejected",
    )
    for kind in ("rejected", "not_tried"):
        for item in data[kind]:
            warn(f"  {kind.replace('_', ' ')}: {item['id']}: {item['detail']}")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    return str(value)
