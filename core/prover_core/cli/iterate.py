"""``prover iterate``: expert iteration as one command that can be killed and given again."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from prover_core.cli.output import command_app, print_json, print_table, say, warn
from prover_core.config.request import Request, resolve_request
from prover_core.errors import ConfigError, UserError
from prover_core.iterate.config import IterateConfig, load_config, option_words, quick_config
from prover_core.iterate.drive import (
    Planned,
    agreed_config,
    carry_out,
    planned_stages,
    stages_done,
)
from prover_core.iterate.engine import environment_of_stages, shown_command
from prover_core.iterate.plan import Facts, Stage, plan_iteration
from prover_core.iterate.progress import IterationLine, Progress
from prover_core.plugins.manager import installed_plugins

app = command_app()


@app.command()
def iterate(
    config: Annotated[Path | None, typer.Argument(metavar="[FILE.yaml]", help="Says everything.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where everything goes.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="DIR", help="Go on with what is there, as it was begun."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan, with estimated hours; start nothing.")
    ] = False,
    accept_changes: Annotated[
        bool, typer.Option("--accept-changes", help="FILE differs from before: do again what that changes.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="No FILE: search, fit the value model, search guided, compare; minutes."
        ),
    ] = False,
    env: Annotated[str | None, typer.Option("--env", help="With --quick: prover.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="With --quick: policy.")] = None,
    data: Annotated[str | None, typer.Option("--data", help="With --quick: theorems.")] = None,
    sample: Annotated[
        int | None, typer.Option("--sample", min=1, help="With --quick: so many of them.")
    ] = None,
    budget: Annotated[str | None, typer.Option("--budget", help="With --quick. [default: 60t]")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="With --quick.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="With --quick: as `prover run`.")
    ] = None,
    grace: Annotated[
        float,
        typer.Option("--grace", min=0, help="Seconds that a stage gets to end after Ctrl-C or SIGTERM."),
    ] = 60.0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end.")] = False,
) -> None:
    """Train, search, keep what was proved, evaluate, compare with the iteration before; again.

    Each stage is a command of its own, with a log of its own, and is marked when it is done: given again
    after a crash or the end of a spot instance, this command goes on where it was. Nothing is deleted.

    \b
    Examples:
      prover iterate examples/iterate.yaml --out runs/expert --dry-run
      prover iterate examples/iterate.yaml --out runs/expert
      prover iterate --resume runs/expert
      prover iterate --quick --env coq --model scripted --data coq-stdlib:Bool --sample 30 --budget 100t \\
          --set 'policy.tactics=["intros []", intros, simpl, reflexivity, split, auto]' --out runs/quick
    """
    words = {"env": env, "model": model, "data": data, "sample": sample, "budget": budget, "workers": workers}
    quick_words = {name: value for name, value in words.items() if value is not None}
    _check_words(config, out, resume, quick, {**quick_words, **({"set": sets} if sets else {})})
    wanted = _wanted(config, quick, quick_words, sets or [])
    folder = resume or out
    if folder is None:
        raise ConfigError(["--out is missing: the folder that everything goes to"])
    chosen = agreed_config(folder, wanted, accept_changes=accept_changes or dry_run)
    with environment_of_stages():
        _check_settings(chosen, folder)
        if dry_run:
            _show_plan(planned_stages(chosen, folder), json)
            return
    tell = warn if json else say
    _say_where(chosen, folder, tell)
    last = Progress()

    def after(progress: Progress) -> None:
        nonlocal last
        last = progress
        if not json:
            _show_progress(progress)

    stopped = carry_out(wanted, folder, accept_changes=accept_changes, grace_s=grace, tell=tell, after=after)
    if stopped is not None:
        warn(f"\nstopped; what is done is kept. Go on with it:\n  prover iterate --resume {folder}")
        raise typer.Exit(128 + stopped)
    if json:
        print_json(last.model_dump(mode="json"))


def _check_words(
    config: Path | None, out: Path | None, resume: Path | None, quick: bool, quick_words: dict[str, Any]
) -> None:
    mistakes = []
    if resume is not None and (quick or out is not None):
        mistakes.append("--resume goes on with a folder as it was begun; leave out --quick and --out")
    if resume is None and quick == (config is not None):
        mistakes.append("name a file of settings, or --quick, or --resume DIR; one of them")
    if not quick and quick_words:
        flags = ", ".join(f"--{name}" for name in quick_words)
        mistakes.append(f"{flags}: only with --quick; else the file says it")
    if quick:
        lacking = [f"--{name}" for name in ("env", "model", "data") if name not in quick_words]
        if lacking:
            mistakes.append(f"--quick needs {', '.join(lacking)} too")
    if mistakes:
        raise ConfigError(mistakes)


def _wanted(config: Path | None, quick: bool, words: dict[str, Any], sets: list[str]) -> IterateConfig | None:
    if config is not None:
        return load_config(config)
    if not quick:
        return None
    told = dict(words)
    options: dict[str, dict[str, Any]] = {}
    mistakes = []
    for each in sets:
        key, equals, value = each.partition("=")
        role, dot, name = key.partition(".")
        if not (equals and dot):
            mistakes.append(f"--set {each!r} is not of the form env.KEY=VALUE")
            continue
        options.setdefault({"model": "policy"}.get(role, role), {})[name] = yaml.safe_load(value)
    if mistakes:
        raise ConfigError(mistakes)
    return quick_config(told | ({"options": options} if options else {}))


def _check_settings(config: IterateConfig, out: Path) -> None:
    """Every mistake in what searches, evaluations and trainings will be told, before the first begins."""
    manager = installed_plugins()
    mistakes: dict[str, None] = {}
    for iteration in range(min(config.iterations, 2)):
        for stage in plan_iteration(config, out, iteration, Facts(proofs=1)):
            try:
                if stage.kind in ("search", "evaluate"):
                    _resolve_run(stage, manager)
                elif stage.kind == "train":
                    _resolve_training(stage, manager)
                elif stage.words[0] not in manager.commands:
                    mistakes.setdefault(f"there is no command `prover {stage.words[0]}` here")
            except ConfigError as error:
                told = (each.removeprefix("flag --") for each in error.problems)  # it stands in a file
                mistakes.update(dict.fromkeys(f"{stage.name}: {each}" for each in told))
            except UserError as error:
                mistakes.setdefault(f"{stage.name}: {error}")
    if mistakes:
        raise ConfigError(list(mistakes))


def _resolve_run(stage: Stage, manager: Any) -> None:
    told = {name: value for name, value in stage.settings.items() if name != "options"}
    sets = option_words(stage.settings.get("options") or {})
    resolve_request(Request(flags=told, sets=sets), manager)


def _resolve_training(stage: Stage, manager: Any) -> None:
    from prover_core.cli.train import TrainRequest, resolve_training

    words = list(stage.words)
    pairs = list(itertools.pairwise(words))
    request = TrainRequest(
        preset=next((value for flag, value in pairs if flag == "--preset"), None),
        data=[value for flag, value in pairs if flag == "--data"],
        base=None,  # made by an earlier stage
        sets=[value for flag, value in pairs if flag == "--set"],
    )
    resolve_training(request, manager)


def _show_plan(planned: list[Planned], as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "stage": each.stage.key, "command": shown_command(each.stage.words), "done": each.done,
                    "hours": None if math.isnan(each.estimate.hours) else each.estimate.hours,
                    "basis": each.estimate.basis,
                }
                for each in planned
            ]
        )  # fmt: skip
        return
    rows = []
    for each in planned:
        known = "?" if math.isnan(each.estimate.hours) else f"{each.estimate.hours:.2f}"
        rows.append((each.stage.key, "done" if each.done else known, each.estimate.basis))
    print_table(("STAGE", "HOURS", "BASIS"), rows)
    left = [each.estimate.hours for each in planned if not each.done]
    unknown = sum(map(math.isnan, left))
    more = f", and {unknown} of which nobody knows yet" if unknown else ""
    hours = sum(each for each in left if not math.isnan(each))
    say(f"\n{len(left)} stages to do: about {hours:.2f} hours{more}; what is assumed, BASIS says")
    for each in planned:
        say(f"  {each.stage.key}: {shown_command(each.stage.words)}")


def _say_where(config: IterateConfig, folder: Path, tell: Any) -> None:
    done = stages_done(config, folder)
    if any(done):
        tell(f"{folder}: {sum(done)} of {len(done)} stages are done")


def _show_progress(progress: Progress) -> None:
    rows = [row for line in progress.iterations for row in _rows(line)]
    say()
    print_table(
        (
            "ITERATION",
            "SEARCHED",
            "PROVED",
            "PROOFS SO FAR",
            "VALUE AUC",
            "EVALUATED",
            "PASS@1",
            "CHANGE",
            "P",
        ),
        rows,
    )
    say()


def _rows(line: IterationLine) -> list[tuple[str, ...]]:
    auc = "" if line.value_auc is None else f"{line.value_auc:.3f}"
    head = (
        str(line.iteration),
        str(line.searched),
        str(line.proved),
        f"{line.found_proofs} ({line.found_theorems} theorems)",
        auc,
    )
    if not line.evaluated:
        return [(*head, "", "", "", "")]
    rows: list[tuple[str, ...]] = []
    for number, each in enumerate(line.evaluated):
        first = head if number == 0 else ("", "", "", "", "")
        pass_1 = "" if each.pass_1 is None else f"{each.pass_1:.3f}"
        change = "" if each.difference is None else f"{100 * each.difference:+.1f}"
        p = "" if each.p is None else f"{each.p:.3g}"
        rows.append((*first, f"{each.proved}/{each.theorems} in {each.budget}", pass_1, change, p))
    return rows
