"""One process group: started, watched, interrupted, and ended with everything that belongs to it."""

from __future__ import annotations

import logging
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from prover_core.errors import EnvironmentCrashedError, ToolMissingError
from prover_core.process.guardian import guard, release
from prover_core.process.limits import descendants, limit_memory, unblock_signals
from prover_core.process.sandbox import Sandbox, sandboxed

__all__ = ["ProcessGroup"]

_log = logging.getLogger(__name__)
_REAP_TIMEOUT_S = 10.0
_FAMILY_GONE_TIMEOUT_S = 0.5
_STATUS_LOST = 255


class ProcessGroup:
    """A child that leads its own group (and session), so that all of it can be killed at one stroke.

    The leader is reaped only by :meth:`dispose`. Until then its number, which is the group's, cannot be
    given to a stranger, however long it has been dead, so killing the group is always safe.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        cwd: Path | None,
        env: Mapping[str, str] | None,
        memory_mb: int,
        sandbox: Sandbox | None,
    ) -> None:
        line = [_find(command[0], name, cwd, env), *command[1:]]
        self.sandboxed = sandbox is not None
        if sandbox is not None:
            line = sandboxed(line, sandbox, cwd)
        line = unblock_signals(limit_memory(line, memory_mb))
        if cwd is not None and not cwd.is_dir():
            message = f"{name} cannot be started in {cwd}: there is no such folder"
            raise EnvironmentCrashedError(message)
        self._owner = os.getpid()
        self._returncode: int | None = None
        self._disposed = False
        self._family: dict[int, str] = {}
        try:
            self.popen = subprocess.Popen(
                line,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=cwd,
                env=None if env is None else dict(env),
                start_new_session=True,
            )
        except PermissionError as error:
            raise _missing(command[0], name) from error
        except OSError as error:
            message = f"{name} cannot be started: {error}"
            raise EnvironmentCrashedError(message) from error
        self.pid = self.popen.pid
        self.exit_fd = _exit_descriptor(self.pid)
        """Becomes readable when the leader ends; -1 where the kernel has no such thing, or after the end."""
        try:
            guard(self.pid)
        except OSError as error:
            self.dispose()
            message = f"{name} cannot be watched over, so it was not started: {error}"
            raise EnvironmentCrashedError(message) from error

    def poll(self) -> int | None:
        """Return code of the leader (negative: that signal), ``None`` while it runs. Does not reap."""
        if self._returncode is None and not self._disposed:
            try:
                info = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:  # the program that we are part of ignores SIGCHLD
                self._returncode = _STATUS_LOST
            else:
                if info is not None:
                    exited = info.si_code == os.CLD_EXITED
                    self._returncode = info.si_status if exited else -info.si_status
        return self._returncode

    def interrupt(self) -> None:
        """SIGINT to the leader; in a sandbox, where the leader is bubblewrap, to all that runs inside."""
        if self._disposed or self.poll() is not None:
            return
        for pid in descendants(self.pid) if self.sandboxed else [self.pid]:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGINT)

    def remember_family(self) -> None:
        """Note the descendants that there are: once their parent has died, nothing leads to them."""
        if not self._disposed:
            for pid in descendants(self.pid):
                self._family[pid] = _born(pid)

    def dispose(self) -> None:
        """SIGKILL to the whole group, and to known descendants that left it; then reap. Idempotent.

        In a forked copy of the harness this does nothing: the processes are the parent's.
        """
        if self._disposed or os.getpid() != self._owner:
            return
        self.remember_family()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        family = [pid for pid, born in self._family.items() if born and _born(pid) == born]
        for pid in family:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        release(self.pid)
        self._reap()
        self._disposed = True
        if self.exit_fd >= 0:
            os.close(self.exit_fd)
            self.exit_fd = -1
        _wait_until_gone(family)

    def _reap(self) -> None:
        deadline = time.monotonic() + _REAP_TIMEOUT_S
        while self.poll() is None and time.monotonic() < deadline:
            if self.exit_fd >= 0:
                select.select([self.exit_fd], [], [], 0.05)
            else:
                time.sleep(0.002)
        if self.poll() is None:
            _log.warning("process %d does not die after SIGKILL (blocked in the kernel?)", self.pid)
        else:
            with suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        self.popen.returncode = self._returncode if self._returncode is not None else -signal.SIGKILL


def _wait_until_gone(pids: Sequence[int]) -> None:
    """Killed processes take a moment to go; whoever called :meth:`dispose` wants to see none of them."""
    deadline = time.monotonic() + _FAMILY_GONE_TIMEOUT_S
    while any(map(_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.002)


def _running(pid: int) -> bool:
    """Whether it is there and more than a zombie that its parent has not noticed yet."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def _born(pid: int) -> str:
    """When the process was started, which tells it from a later one of the same number; "" when gone."""
    fields = _stat(pid)
    return fields[19] if fields else ""


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; empty when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()


def _exit_descriptor(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def _find(program: str, name: str, cwd: Path | None, env: Mapping[str, str] | None) -> str:
    """Absolute path of the program, looked for on the child's own PATH."""
    if os.sep in program:
        path = Path(cwd or Path.cwd(), program)
        found = str(path) if os.access(path, os.X_OK) and path.is_file() else None
    else:
        found = shutil.which(program, path=None if env is None else env.get("PATH"))
    if found is None:
        raise _missing(program, name)
    return os.path.abspath(found)


def _missing(program: str, name: str) -> ToolMissingError:
    return ToolMissingError(
        program,
        needed_for=name,
        install="install the package it comes with, or add the folder it is in to PATH",
    )
