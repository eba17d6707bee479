"""Running one command to its end, within a time limit."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prover_core.errors import ChildTimeoutError, EnvironmentCrashedError
from prover_core.process.child import ChildProcess
from prover_core.process.sandbox import Sandbox

__all__ = ["MAX_OUTPUT_BYTES", "CommandResult", "run_command"]

MAX_OUTPUT_BYTES = 16 << 20
"""Most that is kept of each output: of standard output the beginning, of standard error the end."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command said, and how it ended."""

    returncode: int
    """Negative: killed by that signal (-9 where it was killed for the time limit)."""
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False
    """It was killed at the time limit; ``returncode`` says nothing then."""


def run_command(
    command: Sequence[str],
    *,
    name: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    memory_mb: int = 0,
    timeout_s: float,
    sandbox: Sandbox | None = None,
    input: bytes = b"",
) -> CommandResult:
    """Run ``command``, feed it ``input``, and collect what it says.

    It is over when the command itself has ended; what it leaves running in its process group is killed.
    A time-out is a result, not an error.

    :raises ToolMissingError: there is no such program (or no bubblewrap, if ``sandbox`` is given).
    :raises EnvironmentCrashedError: it cannot be started.
    """
    start = time.monotonic()
    deadline = start + timeout_s
    output: list[bytes] = []
    kept = 0
    timed_out = False
    with ChildProcess(
        command,
        name=name,
        cwd=cwd,
        env=env,
        memory_mb=memory_mb,
        stderr_tail_bytes=MAX_OUTPUT_BYTES,
        sandbox=sandbox,
    ) as child:
        try:
            with suppress(EnvironmentCrashedError):  # it may end without having read its input
                child.send(input)
            child.end_input()
            while data := child.read_or_end(deadline):
                if kept < MAX_OUTPUT_BYTES:
                    output.append(data)
                    kept += len(data)
                if time.monotonic() >= deadline:  # it talks without end
                    timed_out = True
                    break
        except ChildTimeoutError:
            timed_out = True
        if not timed_out and child.wait(deadline) is None:
            timed_out = True
    code = child.returncode
    return CommandResult(
        returncode=-9 if code is None else code,
        stdout=b"".join(output)[:MAX_OUTPUT_BYTES].decode(errors="replace"),
        stderr=child.stderr_tail(),
        seconds=time.monotonic() - start,
        timed_out=timed_out,
    )
