"""The whole of an expert iteration: one folder, one writer, stage after stage."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from prover_core.data.files import disk_error, write_whole
from prover_core.errors import ConfigError, DataError
from prover_core.iterate.config import IterateConfig, config_text, load_config
from prover_core.iterate.engine import Done, Engine, StageStopped
from prover_core.iterate.estimate import Estimate, Estimator
from prover_core.iterate.plan import Facts, Stage, plan_iteration
from prover_core.iterate.progress import Carried, Progress, facts_before, read_progress
from prover_core.store.lock import RunLock

__all__ = [
    "CONFIG_FILE",
    "PROGRESS_FILE",
    "Planned",
    "agreed_config",
    "carry_out",
    "planned_stages",
    "stages_done",
]

CONFIG_FILE = "iterate.yaml"
PROGRESS_FILE = "iterations.json"
LOCK_FILE = "lock"
_EXPECTED = Facts(proofs=1)
"""What a plan for iterations to come supposes: that something was proved."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A stage of the plan."""

    stage: Stage
    done: bool
    estimate: Estimate


def agreed_config(out: Path, config: IterateConfig | None, *, accept_changes: bool = False) -> IterateConfig:
    """The configuration that the iteration in ``out`` has, or begins with; nothing is written.

    :param config: ``None``: what is there goes on.
    :param accept_changes: another configuration than the one that it was begun with is no mistake: what it
        changes is done again.
    :raises ConfigError: there is nothing to go on with, or the configuration is another one.
    :raises DataError: the folder holds something else.
    """
    saved = out / CONFIG_FILE
    if not saved.is_file():
        if config is None:
            raise ConfigError([f"{out} holds no expert iteration to go on with; name its file of settings"])
        _need_empty(out)
        return config
    before = load_config(saved)
    if config is None or config == before:
        return before
    if not accept_changes:
        old, new = before.model_dump(mode="json"), config.model_dump(mode="json")
        changed = [f"{key} was {old[key]!r}, and is {new[key]!r} now" for key in old if old[key] != new[key]]
        advice = (
            "--accept-changes does again what they change and sets the old results aside; or choose another "
            "--out"
        )
        raise ConfigError([*changed, advice])
    return config


def _need_empty(out: Path) -> None:
    try:
        others = [entry.name for entry in out.iterdir() if entry.name != LOCK_FILE]
    except FileNotFoundError:
        return
    except OSError as error:
        raise disk_error(out, error) from error
    if others:
        message = f"{out} is not empty and holds no expert iteration; choose another --out"
        raise DataError(message)


def planned_stages(config: IterateConfig, out: Path) -> list[Planned]:
    """Every stage of every iteration, with what it is likely to take; nothing is started or written."""
    stages, marks = _stages(config, out)
    estimator = Estimator({key: mark for key, mark in marks.items() if mark is not None})
    return [Planned(stage, marks[stage.key] is not None, estimator.estimate(stage)) for stage in stages]


def stages_done(config: IterateConfig, out: Path) -> list[bool]:
    """For each stage of the plan, whether it is done."""
    stages, marks = _stages(config, out)
    return [marks[stage.key] is not None for stage in stages]


def carry_out(
    config: IterateConfig | None,
    out: Path,
    *,
    accept_changes: bool = False,
    grace_s: float,
    tell: Callable[[str], None],
    after: Callable[[Progress], None],
) -> int | None:
    """Do what is not done yet; returns the number of the signal that stopped it, ``None`` at the end.

    :param config: as :func:`agreed_config` takes it; saved once nobody else can be writing.
    :param after: is given what was found after each iteration.
    :raises UserError: a stage says what must be put right; or another process writes to the folder.
    :raises MachineryError: a stage failed in another way.
    """
    agreed_config(out, config, accept_changes=accept_changes)  # before a lock is left in a folder of others
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(out, error) from error
    lock = RunLock(out / LOCK_FILE)
    try:
        if lock.warning:
            tell(lock.warning)
        agreed = agreed_config(out, config, accept_changes=accept_changes)
        if config is not None:
            write_whole(out / CONFIG_FILE, config_text(agreed).encode())
        engine = Engine(out, grace_s=grace_s, tell=tell)
        with _told_of_signals(engine):
            return _iterations(agreed, out, engine, after)
    finally:
        lock.close()


def _iterations(
    config: IterateConfig, out: Path, engine: Engine, after: Callable[[Progress], None]
) -> int | None:
    carried: dict[int, Carried] = {}
    for iteration in range(config.iterations):
        carried[iteration] = here = Carried()
        try:
            for stage in _each_stage(config, out, iteration, facts_before(out, iteration), engine):
                here.add(stage, engine.carry_out(stage).seconds)
        except StageStopped as stopped:
            return stopped.number
        progress = read_progress(carried)
        write_whole(out / PROGRESS_FILE, progress.model_dump_json(indent=1).encode() + b"\n")
        after(progress)
    return None


def _each_stage(
    config: IterateConfig, out: Path, iteration: int, facts: Facts, engine: Engine
) -> Iterator[Stage]:
    """The stages of an iteration; where one leaves nothing, those after it are planned without it."""
    for number, stage in enumerate(plan_iteration(config, out, iteration, facts)):
        yield stage
        if stage.optional and engine.left_nothing(stage):
            without = plan_iteration(config, out, iteration, replace(facts, value=False))
            yield from without[number + 1 :]
            return


def _stages(config: IterateConfig, out: Path) -> tuple[list[Stage], dict[str, Done | None]]:
    engine = Engine(out, grace_s=0, tell=lambda line: None)
    stages = [
        stage
        for number in range(config.iterations)
        for stage in _each_stage(config, out, number, _facts(out, number), engine)
    ]
    return stages, {stage.key: engine.done(stage) for stage in stages}


def _facts(out: Path, iteration: int) -> Facts:
    try:
        return facts_before(out, iteration)
    except DataError:
        return _EXPECTED  # not there yet


@contextlib.contextmanager
def _told_of_signals(engine: Engine) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP end the stage that runs, by its own rules; none of them is held back.

    A process that was started by one that blocks signals has them blocked too. A SIGHUP that is ignored
    (``nohup``) stays ignored; one that is not reaches the stage as SIGTERM, which every stage knows.
    """
    old: dict[signal.Signals, Any] = {}

    def handle(number: int, _frame: FrameType | None) -> None:
        engine.request_stop(signal.SIGTERM if number == signal.SIGHUP else number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            old[number] = signal.signal(number, handle)
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, old)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in old.items():
            signal.signal(number, handler)
