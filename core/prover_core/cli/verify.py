"""``prover verify``: checks proofs again, every claimed one of a run, or one from anywhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from prover_core.cli import exits
from prover_core.cli.files import environment_for, find_theorem, parse_target
from prover_core.cli.output import command_app, indent, print_json, say, warn
from prover_core.cli.running import Request, resolve_request, run_limits
from prover_core.config.build import build_environment
from prover_core.config.layers import Given
from prover_core.config.resolve import resolve_saved
from prover_core.errors import ConfigError, DataError
from prover_core.plugins.manager import installed_plugins
from prover_core.runner import Recheck, verify_run
from prover_core.store import RunStore, VerdictRecord
from prover_core.types import Proof, Verdict, VerdictStatus

app = command_app()

_Target = Annotated[
    str, typer.Argument(metavar="RUN|FILE:NAME", help="A run directory; or a theorem, with --proof.")
]


@app.command()
def verify(
    target: _Target,
    proof: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="File that holds the proof; -: standard input.")
    ] = None,
    env: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --proof: prover. [default: by the file's suffix]")
    ] = None,
    recheck: Annotated[
        str | None, typer.Option(metavar="none|kernel", help="Have a second kernel check too.")
    ] = None,
    sandbox: Annotated[
        bool | None, typer.Option("--sandbox/--no-sandbox", help="Run the prover without network.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Checks at the same time. [default: 1]")] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="With --proof: option of the prover."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the verdict(s) as one JSON document.")] = False,
) -> None:
    """Check proofs in fresh prover processes. Exit code 0 only if every one is proved.

    \b
    Examples:
      prover verify runs/20260102-030405-coq-tactics
      prover verify Facts.v:plus_swap --proof proof.txt --recheck kernel
      echo "Proof. lia. Qed." | prover verify Facts.v:plus_swap --proof - --json
    """
    flags = {"recheck": recheck, "sandbox": sandbox, "workers": workers}
    if Path(target).is_dir():
        wrong = [name for name, value in (("--proof", proof), ("--env", env), ("--set", sets)) if value]
        if wrong:
            raise ConfigError(
                [f"{target} is a run, which has its own settings; leave out {', '.join(wrong)}"]
            )
        code = _verify_run(Path(target), flags, json)
    elif proof is None:
        parse_target(target)  # a wrong path is the likelier mistake
        raise ConfigError([f"{target} is not a run directory; to check a proof of it, give --proof FILE"])
    else:
        code = _verify_proof(target, proof, flags | {"env": env}, sets or [], json)
    raise typer.Exit(code)


def _verify_run(path: Path, flags: dict[str, Any], as_json: bool) -> int:
    given = {name: value for name, value in flags.items() if value is not None}
    checks: list[Recheck] = []
    with RunStore.open(path) as store:
        resolved = resolve_saved(
            store.config | given, installed_plugins(), path / "config.yaml", roles=("env",)
        )
        with build_environment(resolved) as environment:
            for check in verify_run(
                store,
                environment,
                limits=run_limits(resolved),
                kernel_recheck=resolved.config.recheck == "kernel",
                workers=resolved.config.workers,
            ):
                checks.append(check)
                if not as_json:
                    _say_check(check)
    if as_json:
        print_json([{"theorem_id": c.record.theorem_id, **_verdict_data(c.verdict)} for c in checks])
    else:
        agreed = sum(check.agrees for check in checks)
        say(f"{agreed} of {len(checks)} proofs hold" if checks else f"{path} claims no proof")
    if all(check.agrees for check in checks):
        return exits.OK
    return exits.NO if any(_says_no(check.verdict) for check in checks) else exits.MACHINERY


def _verify_proof(target: str, proof: str, flags: dict[str, Any], sets: list[str], as_json: bool) -> int:
    manager = installed_plugins()
    wanted = parse_target(target)
    defaults = {
        "model": Given("none", "not used"),
        "data": Given(str(wanted.file), "the file given"),
    }
    if flags["env"] is None:
        defaults["env"] = Given(environment_for(wanted.file, manager), f"reads {wanted.file.suffix} files")
    resolved = resolve_request(Request(flags, sets), manager, defaults, ("env",))
    text = _read_proof(proof)
    with build_environment(resolved) as environment:
        verdict = environment.verify(
            find_theorem(wanted, environment),
            Proof(tactics=(), text=text),
            run_limits(resolved),
            kernel_recheck=resolved.config.recheck == "kernel",
        )
    if as_json:
        print_json(_verdict_data(verdict))
    else:
        _say_verdict(target, verdict)
    if verdict.proved:
        return exits.OK
    return exits.NO if _says_no(verdict) else exits.MACHINERY


def _read_proof(proof: str) -> str:
    try:
        text = sys.stdin.read() if proof == "-" else Path(proof).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        msg = f"the proof {proof} cannot be read: {reason}"
        raise DataError(msg) from error
    if not text.strip():
        msg = f"the proof {'on standard input' if proof == '-' else proof} is empty"
        raise DataError(msg)
    return text


def _says_no(verdict: Verdict) -> bool:
    """The check was made, and it is not a proof."""
    return verdict.status not in (
        VerdictStatus.PROVED,
        VerdictStatus.MACHINERY_FAILED,
        VerdictStatus.UNCHECKED,
    )


def _verdict_data(verdict: Verdict) -> dict[str, Any]:
    return VerdictRecord.of(verdict).model_dump(mode="json")


def _say_check(check: Recheck) -> None:
    mark = "ok  " if check.agrees else "NOT "
    say(f"{mark} {check.record.theorem_id}  {check.verdict.status.value}  {check.verdict.seconds:.1f} s")
    if not check.agrees and check.verdict.log:
        say(indent(check.verdict.log.rstrip(), 5))


def _say_verdict(target: str, verdict: Verdict) -> None:
    say(f"{target}: {verdict.status.value.replace('_', ' ')} ({verdict.checker}, {verdict.seconds:.1f} s)")
    if verdict.axioms:
        say(f"axioms: {', '.join(verdict.axioms)}")
    if verdict.forbidden:
        say(f"not allowed: {', '.join(verdict.forbidden)}")
    if verdict.kernel_rechecked is not None:
        say(f"second kernel: {'agrees' if verdict.kernel_rechecked else 'does not agree'}")
    if not verdict.proved and verdict.log:
        warn(verdict.log.rstrip())
