"""``prover data fit-value``: a value model out of the trajectories of runs."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prover_core.cli import exits
from prover_core.cli.output import print_json, say, warn
from prover_core.errors import ConfigError
from prover_models.value.data import NothingToLearnError, read_runs, split_by_theorem
from prover_models.value.fit import FitSettings, Ranking, fit, ranking
from prover_models.value.model import KINDS, Kind, save_model

if TYPE_CHECKING:
    from prover_models.lm.hidden import HiddenStates

__all__ = ["fit_value"]


def fit_value(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories with proofs.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the model is written.")],
    kind: Annotated[str, typer.Option("--kind", metavar="|".join(KINDS), help="What it predicts.")] = "ebm",
    held_out: Annotated[
        float, typer.Option("--held-out", help="Share of theorems that it is measured on, and not fitted to.")
    ] = 0.25,
    rank: Annotated[int, typer.Option("--rank", help="Of the part between state and statement.")] = 4,
    penalty: Annotated[float, typer.Option("--penalty", help="On the squares of the weights.")] = 0.02,
    features: Annotated[
        str,
        typer.Option("--features", metavar="hashed|lm", help="What is seen of a state; lm: hidden states."),
    ] = "hashed",
    base: Annotated[str | None, typer.Option("--base", help="With lm: weights, a folder or hub id.")] = None,
    adapter: Annotated[Path | None, typer.Option("--adapter", help="With lm: folder of an adapter.")] = None,
    template: Annotated[
        str | None, typer.Option("--template", help="With lm: how a state is shown; the adapter's own.")
    ] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="With lm: of a state.")] = 512,
    width: Annotated[int, typer.Option("--width", help="With lm: of the head's hidden layer.")] = 64,
    device: Annotated[str, typer.Option("--device", help="With lm: auto, cpu, cuda.")] = "auto",
    seed: Annotated[int, typer.Option("--seed", help="Of the split and of the fit.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fit a value model to the states of runs: on the path of a verified proof, or off it.

    Reports how well it ranks the states of theorems held out: AUC 0.5 is chance, 1.0 perfect. Where the runs
    hold nothing to learn from, nothing is written, and the exit code is 1.

    \b
    Examples:
      prover data fit-value runs/20260102-030405-coq-knn --kind ebm --out models/ebm
      prover run ... --value ebm --set value.path=models/ebm
      prover data fit-value runs/A --features lm --adapter runs/adapter --out models/lm-ebm
    """
    chosen = _checked(kind, held_out, rank, penalty)
    language = _language_model(features, base, adapter, template, max_tokens, width, device)
    began = time.monotonic()
    with _no_is_an_answer():
        theorems = read_runs(runs)
        learnt, unseen = split_by_theorem(theorems, held_out, seed)
        card: dict[str, Any] = {"runs": [str(run) for run in runs], "theorems": len(theorems)}
        settings: dict[str, Any] = {"penalty": penalty, "seed": seed, "held_out": held_out}
        preset: str = chosen
        if language is None:
            model = fit(chosen, learnt, FitSettings(rank=rank, penalty=penalty, seed=seed))
            on_learnt, on_unseen = ranking(model, learnt), ranking(model, unseen)
            card |= _figures(on_learnt, on_unseen, settings | {"rank": rank}, len(model.ids), began)
            save_model(dataclasses.replace(model, card=card), out)
        else:
            from prover_models.lm.head import PRESETS, save_head
            from prover_models.lm.value_fit import HeadSettings, fit_head, rank_head

            preset = PRESETS[chosen]
            hidden = language
            head = fit_head(chosen, learnt, hidden, HeadSettings(width=width, penalty=penalty, seed=seed))
            on_learnt, on_unseen = rank_head(head, learnt, hidden), rank_head(head, unseen, hidden)
            weights = sum(array.size for array in head.tensors.values())
            card |= _figures(on_learnt, on_unseen, settings | {"width": width}, weights, began)
            save_head(dataclasses.replace(head, card=card), out)
    if json:
        print_json({"kind": kind, "features": features, "out": str(out), **card})
        return
    say(f"{kind} value model in {out}: {len(theorems)} proved theorems, {card['seconds']} s")
    say(f"  fitted to: {_words(on_learnt)}")
    say(f"  held out:  {_words(on_unseen)}")
    say(f"next: prover run ... --value {preset} --set value.path={out}")


@contextlib.contextmanager
def _no_is_an_answer() -> Iterator[None]:
    """Runs that hold nothing to learn from are no mistake: exit code 1, and nothing is written."""
    try:
        yield
    except NothingToLearnError as error:
        warn(f"no value model was made: {error}")
        raise typer.Exit(exits.NO) from error


def _figures(
    learnt: Ranking, unseen: Ranking, settings: dict[str, Any], weights: int, began: float
) -> dict[str, Any]:
    return {
        "fitted_to": learnt._asdict(),
        "held_out": unseen._asdict(),
        "settings": settings,
        "weights": weights,
        "seconds": round(time.monotonic() - began, 1),
    }


def _language_model(
    features: str,
    base: str | None,
    adapter: Path | None,
    template: str | None,
    max_tokens: int,
    width: int,
    device: str,
) -> HiddenStates | None:
    """The model that shows states to a head; ``None``: features are hashed ones.

    :raises ConfigError: an option is wrong, or something is missing; nothing is loaded yet.
    :raises ToolMissingError: a package is missing.
    """
    mistakes = []
    if features not in ("hashed", "lm"):
        mistakes.append(f"--features is {features!r}; one of hashed, lm")
    if features == "lm" and base is None and adapter is None:
        mistakes.append("--features lm needs a language model: --base FOLDER-OR-HUB-ID or --adapter FOLDER")
    if features == "hashed" and (base or adapter or template):
        mistakes.append("--base, --adapter and --template go with --features lm")
    if max_tokens < 16:
        mistakes.append(f"--max-tokens must be at least 16, not {max_tokens}")
    if width < 1:
        mistakes.append(f"--width must be at least 1, not {width}")
    if mistakes:
        raise ConfigError(mistakes)
    if features == "hashed":
        return None
    from prover_models.lm.hidden import HiddenStates
    from prover_models.lm.loading import find_source
    from prover_models.lm.options import WeightsOptions
    from prover_models.lm.templates import load_template

    options = WeightsOptions(base=base, adapter=adapter, device=device)
    trained = info.template if (info := find_source(options).info) is not None else None
    shown = load_template(template) if template else trained or load_template("goal-proofstep")
    return HiddenStates(options, shown, max_tokens=max_tokens)


def _words(found: Ranking) -> str:
    states = f"{found.positive} states on a proof's path, {found.negative} off it"
    if found.auc is None or found.auc_within is None:
        return f"{states}: too few to rank"
    return (
        f"{states}: AUC {found.auc:.3f}; within each of {found.theorems} theorems {found.auc_within:.3f} "
        "(0.5 is chance)"
    )


def _checked(kind: str, held_out: float, rank: int, penalty: float) -> Kind:
    mistakes = []
    if kind not in KINDS:
        mistakes.append(f"--kind is {kind!r}; one of {', '.join(KINDS)}")
    if not 0 <= held_out < 1:
        mistakes.append(f"--held-out must be at least 0 and below 1, not {held_out:g}")
    if rank < 0:
        mistakes.append(f"--rank must be at least 0, not {rank}")
    if penalty <= 0:
        mistakes.append(f"--penalty must be above 0, not {penalty:g}")
    found = next((name for name in KINDS if name == kind), None)
    if mistakes or found is None:
        raise ConfigError(mistakes)
    return found
