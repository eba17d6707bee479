"""Does the stages of a plan, each once: what is done is marked with the hashes of what it rests on and left.

``state/KEY.begun.json`` is written before a stage starts, ``state/KEY.done.json`` after it ended well. A
rerun skips a stage whose mark agrees with its command, its inputs and its result; goes on with one that was
broken off under the same command and inputs; and sets the results of any other aside (``superseded/``):
nothing is deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from prover_core.config.run_config import RunConfig
from prover_core.data.files import disk_error, write_whole
from prover_core.errors import DataError, MachineryError, UserError
from prover_core.iterate.content import MISSING, content_hash
from prover_core.iterate.plan import Stage
from prover_core.process.guardian import guard, release
from prover_core.process.limits import unblock_signals
from prover_core.store.records import utc_now

__all__ = ["Done", "Engine", "StageStopped", "environment_of_stages", "shown_command"]

_TAIL_LINES: Final = 15
_POLL_S: Final = 0.05
_PLACE: Final = "OUT"
_MAIN: Final = "import sys; from prover_core.cli.main import main; sys.exit(main())"
_NO: Final = 1
_USAGE: Final = 2


class Done(BaseModel):
    """The mark of a stage that ended well."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: int = 1
    stage: str
    command: tuple[str, ...]
    digest: str
    """Of command, settings and inputs."""
    asked: str = ""
    """Of command and settings alone."""
    place: str = ""
    """Where its result lay when it began; what a broken-off one has saved names files there."""
    inputs: dict[str, str] = {}
    output: str = ""
    """Hash of what it left; ``missing``: there was nothing to make."""
    began: str = ""
    seconds: float = 0.0
    """Wall time, broken-off attempts included."""


class StageStopped(Exception):
    """A signal came; the stage was told, and has ended. Not an error."""

    def __init__(self, stage: Stage, number: int) -> None:
        super().__init__(f"{stage.key} was stopped by signal {number}")
        self.stage = stage
        self.number = number


@dataclass(slots=True)
class _Stop:
    number: int = 0
    at: float = 0.0
    times: int = 0


class Engine:
    """Runs stages below one folder. One at a time: the caller holds the folder's lock."""

    def __init__(self, out: Path, *, grace_s: float, tell: Callable[[str], None]) -> None:
        """``grace_s``: seconds that a stage gets to end by itself after a signal."""
        self._out = out
        self._grace_s = grace_s
        self._tell = tell
        self._stop = _Stop()

    def request_stop(self, number: int) -> None:
        """Have the stage that runs end, by the same signal; none is begun any more.

        The second time the stage is told again (a run then ends at once), the third time it is killed.
        """
        if not self._stop.number:
            self._stop = _Stop(number, time.monotonic())
        self._stop.times += 1

    def done(self, stage: Stage) -> Done | None:
        """The stage's mark, if command, inputs and result are still what it says.

        :raises DataError: an input cannot be read.
        """
        mark = self._read(stage, "done")
        if mark is None or mark.digest != self._asked(stage).digest or mark.output != content_hash(stage.out):
            return None
        return mark

    def left_nothing(self, stage: Stage) -> bool:
        """It is done, and there was nothing to make."""
        mark = self.done(stage)
        return mark is not None and mark.output == MISSING

    def carry_out(self, stage: Stage) -> Done:
        """Do it, or go on with it, unless it is done.

        :raises StageStopped: a signal came first.
        :raises UserError: the command says that something must be put right.
        :raises MachineryError: the command failed in any other way.
        """
        known = self.done(stage)
        if known is not None:
            self._tell(f"{stage.key}: done before ({known.seconds:.0f} s)")
            return known
        mark = self._asked(stage)
        begun = self._read(stage, "begun")
        self._need_inputs(stage, mark, begun)
        if begun is not None and self._goes_on(stage, mark, begun):
            words, mark = stage.resume, mark.model_copy(update={"seconds": begun.seconds})
        else:
            words = stage.words
            self._set_aside(stage)
        if stage.config is not None:
            write_whole(stage.config, yaml.safe_dump(dict(stage.settings), sort_keys=False).encode())
        self._write(stage, "begun", mark)
        how = "going on" if words == stage.resume else "begins"
        self._tell(f"{stage.key}: {how}: {shown_command(words)}")
        seconds = mark.seconds + self._run(stage, words, mark)
        mark = mark.model_copy(update={"output": content_hash(stage.out), "seconds": round(seconds, 1)})
        if mark.output == MISSING and not stage.optional:
            message = f"{stage.key} ended without leaving {stage.out}; its log: {self._log(stage)}"
            raise MachineryError(message)
        self._write(stage, "done", mark)
        nothing = f", there was nothing to make; why: {self._log(stage)}" if mark.output == MISSING else ""
        self._tell(f"{stage.key}: done in {seconds:.0f} s{nothing}")
        return mark

    def _need_inputs(self, stage: Stage, mark: Done, begun: Done | None) -> None:
        """Before anything is set aside: a stage that cannot be done again had better stay as it is."""
        gone = [path for path, told in mark.inputs.items() if told == MISSING]
        if begun is not None and begun.asked == mark.asked:
            gone += [path for path in begun.inputs if not self._there(path).exists()]
        if gone:
            message = (
                f"{stage.key} rests on {', '.join(dict.fromkeys(gone))}, and there is no such file or folder "
                f"here ({Path.cwd()}). Put it back, or give the command in the folder where it was begun: "
                "nothing has been changed"
            )
            raise DataError(message)

    def _goes_on(self, stage: Stage, mark: Done, begun: Done) -> bool:
        """What was broken off was asked for in the same way, and what it has saved names what is there."""
        if begun.digest != mark.digest or not stage.resume:
            return False
        inside = any(path.is_relative_to(self._out) for path in stage.inputs)
        return (stage.out / stage.resume_mark).is_file() and (begun.place == mark.place or not inside)

    def _run(self, stage: Stage, words: Sequence[str], mark: Done) -> float:
        self._unless_stopped(stage)
        try:
            seconds, code = self._start(stage, words)
        except OSError as error:  # of its files: the program is Python itself
            raise disk_error(self._log(stage), error) from error
        if code != 0 and not (stage.optional and code == _NO):
            self._write(stage, "begun", mark.model_copy(update={"seconds": mark.seconds + seconds}))
            self._unless_stopped(stage)
            raise _failure(stage, words, code, self._log(stage))
        return seconds

    def _start(self, stage: Stage, words: Sequence[str]) -> tuple[float, int]:
        """Seconds and exit code of the command."""
        log = self._log(stage)
        log.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with contextlib.ExitStack() as files:
            told = files.enter_context(log.open("ab"))
            told.write(f"--- {utc_now()} {shown_command(words)}\n".encode())
            told.flush()
            result: Any = told
            part = None
            if stage.stdout is not None:
                stage.stdout.parent.mkdir(parents=True, exist_ok=True)
                part = stage.stdout.with_name(f".{stage.stdout.name}.tmp")
                result = files.enter_context(part.open("wb"))
            command = [sys.executable, "-P", "-c", _MAIN, *words]  # -P: no module from where we happen to be
            process = subprocess.Popen(
                unblock_signals(command), stdin=subprocess.DEVNULL, stdout=result, stderr=told,
                env=_environment(), start_new_session=True,
            )  # fmt: skip
            code = self._wait(process)
        if code == 0 and part is not None and stage.stdout is not None:
            os.replace(part, stage.stdout)
        return time.monotonic() - began, code

    def _unless_stopped(self, stage: Stage) -> None:
        if self._stop.number:
            raise StageStopped(stage, self._stop.number)

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        """Its exit code. It is in a group of its own, so that only this process is told by a terminal."""
        guard(process.pid)
        told = 0
        try:
            while True:
                try:
                    return process.wait(_POLL_S)
                except subprocess.TimeoutExpired:
                    pass
                if told < min(self._stop.times, 2):
                    told += 1
                    process.send_signal(self._stop.number)
                if told and (self._stop.times > 2 or time.monotonic() > self._stop.at + self._grace_s):
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            release(process.pid)

    def _asked(self, stage: Stage) -> Done:
        """The mark that the stage would have if it began now."""
        inputs = {self._portable(str(path)): content_hash(path) for path in stage.inputs}
        words = tuple(self._portable(word) for word in stage.words)
        asked = json.dumps([words, self._portable(stage.settings)], default=str)
        return Done(
            stage=stage.key, command=words, inputs=inputs, began=utc_now(), asked=_hash(asked),
            digest=_hash(json.dumps([asked, sorted(inputs.items())])), place=str(stage.out.absolute()),
        )  # fmt: skip

    def _portable(self, value: Any) -> Any:
        """``value``, where every path in our folder, which may be moved, begins with a word for it."""
        if isinstance(value, Mapping):
            return {key: self._portable(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._portable(each) for each in value]
        root = str(self._out) + os.sep
        if isinstance(value, str) and value.startswith(root):
            return _PLACE + os.sep + value[len(root) :]
        return value

    def _there(self, path: str) -> Path:
        """What :meth:`_portable` has made of a path, turned back."""
        inside = path.startswith(_PLACE + os.sep)
        return self._out / path.removeprefix(_PLACE + os.sep) if inside else Path(path)

    def _set_aside(self, stage: Stage) -> None:
        """What lies where the stage's result goes: of a broken-off or an outdated one."""
        self._state(stage, "done").unlink(missing_ok=True)
        if not (stage.out.exists() or stage.out.is_symlink()):
            return
        folder = self._out / "superseded"
        place = next(
            place for n in itertools.count() if not os.path.lexists(place := folder / f"{stage.key}.{n}")
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            os.replace(stage.out, place)
        except OSError as error:
            raise disk_error(stage.out, error) from error
        self._tell(f"{stage.key}: what was there is now {place}")

    def _log(self, stage: Stage) -> Path:
        return self._out / "logs" / f"{stage.key}.log"

    def _state(self, stage: Stage, what: str) -> Path:
        return self._out / "state" / f"{stage.key}.{what}.json"

    def _read(self, stage: Stage, what: str) -> Done | None:
        try:
            return Done.model_validate_json(self._state(stage, what).read_bytes())
        except (OSError, ValidationError):
            return None  # none, or damaged: the stage is looked at as if it had not been done

    def _write(self, stage: Stage, what: str, mark: Done) -> None:
        write_whole(self._state(stage, what), mark.model_dump_json(indent=1).encode() + b"\n")


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def shown_command(words: Sequence[str]) -> str:
    """As one would type it."""
    import shlex

    return "prover " + shlex.join(words)


@contextlib.contextmanager
def environment_of_stages() -> Iterator[None]:
    """Settings are read as stages read them, while it is entered."""
    before = dict(os.environ)
    for name in before.keys() - _environment().keys():
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


def _environment() -> dict[str, str]:
    """This process's, without settings: the plan says all, and a variable would win over its files."""
    settings = {f"PROVER_{name.upper()}" for name in RunConfig.model_fields} | {"PROVER_SET", "PROVER_PRESET"}
    kept: Mapping[str, str] = os.environ
    return {n: v for n, v in kept.items() if n not in settings and not n.startswith("PROVER_TRAIN_")}


def _failure(stage: Stage, words: Sequence[str], code: int, log: Path) -> Exception:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    tail = "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:])
    ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    message = (
        f"{stage.key} {ended}: {shown_command(words)}\n{tail}\nits log: {log}\n"
        "put it right and give the same command again: what is done is kept"
    )
    return UserError(message) if code == _USAGE else MachineryError(message)
