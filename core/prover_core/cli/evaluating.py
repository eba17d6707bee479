"""What ``prover eval`` does: a plan out of flags, carried out, and the result as tables."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prover_core.cli import exits
from prover_core.cli.eval_text import result_lines
from prover_core.cli.output import say, warn
from prover_core.cli.running import retry_statuses
from prover_core.config.request import Request
from prover_core.display import make_display
from prover_core.errors import ConfigError
from prover_core.evaluation.evaluate import Evaluation, Evaluator, open_evaluation
from prover_core.evaluation.plan import MAY_CHANGE, EvaluationPlan, EvaluationRequest, make_plan
from prover_core.evaluation.results import RESULT_FILE
from prover_core.plugins.manager import PluginManager, installed_plugins

__all__ = ["EvalOptions", "evaluate"]


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """What the command line says."""

    run: Request
    data: Sequence[str]
    budgets: str | None
    unit: str
    attempts: int | None
    k: str | None
    separate: bool
    by: str | None
    published: Path | None
    out: Path | None
    resume: bool
    retry: str
    name: str
    iteration: int | None
    split: str
    json: bool


def evaluate(options: EvalOptions) -> int:
    """Carry it out, print the result; returns the exit code.

    :raises UserError: the request, the data or the directory cannot be used.
    :raises MachineryError: nothing works any more.
    """
    manager = installed_plugins()
    problems = _own_problems(options)
    bare = options.resume and not _says_what(options)
    plan = None if bare and not problems else _plan(options, manager, problems)
    folder = options.out if options.out is not None else _default_out(options)
    plan = open_evaluation(folder, plan, resume=options.resume)
    changes = {name: v for name, v in options.run.flags.items() if name in MAY_CHANGE and v is not None}
    evaluator = Evaluator(
        plan,
        folder,
        manager,
        changes=changes,
        retry=retry_statuses(options.retry),
        display=lambda: make_display("auto"),
        tell=warn,
    )
    return _report(evaluator.run(), folder, options)


def _report(evaluation: Evaluation, folder: Path, options: EvalOptions) -> int:
    shown = _shown(folder)
    if evaluation.result is None:
        warn(f"\nstopped ({evaluation.reason}); what is done is kept. Go on with it:")
        warn(f"  prover eval --out {shown} --resume")
        return exits.INTERRUPTED if evaluation.exit_code is None else evaluation.exit_code
    if options.json:
        say(evaluation.result.model_dump_json(indent=1))
        return exits.OK
    say()
    for line in result_lines(evaluation.result):
        say(line)
    say(f"\nresult: {folder / RESULT_FILE}")
    say("next:")
    if any(budget.excluded for budget in evaluation.result.budgets):
        say(f"  prover eval --out {shown} --resume --retry crashed,unchecked,unavailable")
    say(f"  prover compare {shown} OTHER    # paired, on the theorems that both have")
    run = _shown(folder / evaluation.result.run_dirs[-1])
    say(f"  prover summary {run}    # every proof found")
    return exits.OK


def _own_problems(options: EvalOptions) -> list[str]:
    problems = []
    if options.by not in (None, "project"):
        problems.append(f"--by {options.by}: the only table there is is `--by project`")
    if options.published is not None and options.by is None:
        problems.append("--published needs --by project: the figures stand beside the projects")
    if options.retry and not options.resume:
        problems.append("--retry needs --resume: it makes attempts of an earlier evaluation again")
    if options.resume and options.out is None:
        problems.append("--resume needs --out DIR: which evaluation is to go on?")
    return problems


def _says_what(options: EvalOptions) -> bool:
    """Whether the flags say what to evaluate, and not only how to go on."""
    flags = {name for name, value in options.run.flags.items() if value is not None and value != []}
    others = (options.data, options.budgets, options.attempts, options.k, options.by, options.published)
    named = (options.name, options.split, options.iteration)
    own = any(value not in (None, "", []) for value in (*others, *named)) or options.separate
    return own or bool(flags - MAY_CHANGE) or bool(options.run.sets or options.run.config)


def _plan(options: EvalOptions, manager: PluginManager, problems: list[str]) -> EvaluationPlan:
    """The plan; its mistakes together with ``problems``.

    :raises ConfigError: every mistake.
    """
    ks: list[int] = []
    for word in filter(None, (part.strip() for part in (options.k or "").split(","))):
        if word.isdigit():
            ks.append(int(word))
        else:
            problems.append(f"--k {word!r}: whole numbers, separated by commas: --k 1,2,4")
    request = EvaluationRequest(
        run=options.run,
        data=options.data,
        budgets="100" if options.budgets is None else options.budgets,
        unit=options.unit,
        attempts=1 if options.attempts is None else options.attempts,
        ks=ks,
        separate=options.separate,
        by_project=options.by == "project",
        name=options.name,
        iteration=options.iteration,
        split=options.split,
        published=options.published,
    )
    try:
        plan, notes = make_plan(request, manager)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from error
    if problems:
        raise ConfigError(problems)
    for note in notes:
        warn(note)
    return plan


def _default_out(options: EvalOptions) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    words = [str(options.run.flags.get(name) or "") for name in ("env", "model")]
    name = "-".join([stamp, *filter(None, words)])
    path, number = Path("evals") / name, 2
    while path.exists():
        path, number = Path("evals") / f"{name}-{number}", number + 1
    return path


def _shown(path: Path) -> str:
    """``path`` as it is shortest from here, and as a shell takes it."""
    with contextlib.suppress(ValueError):
        return shlex.quote(str(path.absolute().relative_to(Path.cwd())))
    return shlex.quote(str(path.absolute()))
