"""A tiny process that outlives a killed harness, to end the children that it leaves behind.

``kill -9`` gives a program no chance to tidy up. So the first child that is started brings up one
``sh`` in a session of its own (Ctrl-C does not reach it), which reads ``add GROUP`` and ``del GROUP``
from a pipe. Only this process holds the pipe's other end: when it is gone, however it went, the shell
reads the end of the file, kills every group still on its list, and exits.

A group is taken off the list after it was killed and before its leader is reaped: until then its number
cannot be given to a stranger.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import threading
from contextlib import suppress

__all__ = ["guard", "guardian_pid", "release"]

_SCRIPT = """
trap '' HUP INT TERM QUIT
groups=' '
while read -r verb group; do
  case $verb in
    add) groups="$groups$group " ;;
    del) case $groups in *" $group "*) groups="${groups%%" $group "*} ${groups#*" $group "}" ;; esac ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
"""
_STOP_TIMEOUT_S = 5.0


class _Guardian:
    """One for each harness process, started with its first child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._shell: subprocess.Popen[bytes] | None = None

    def add(self, group: int) -> None:
        with self._lock:
            self._groups.add(group)
            if self._shell is None or not self._tell("add", group):
                self._start()

    def remove(self, group: int) -> None:
        with self._lock:
            self._groups.discard(group)
            if self._shell is not None:
                self._tell("del", group)

    @property
    def pid(self) -> int | None:
        return None if self._shell is None else self._shell.pid

    def stop(self) -> None:
        """Let go of the pipe: the shell kills what is left on its list and ends."""
        with self._lock:
            if self._shell is not None:
                self._let_go(self._shell)
                self._shell = None

    def forget_after_fork(self) -> None:
        """In a forked copy of the harness: the guardian belongs to the parent, and must see it end."""
        shell, self._shell = self._shell, None
        self._lock = threading.Lock()
        self._groups.clear()
        if shell is not None:
            _close_pipe(shell)
            shell.returncode = 0  # not ours to wait for

    def _start(self) -> None:
        if self._shell is not None:
            self._let_go(self._shell)
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            bufsize=0,
            start_new_session=True,
        )
        for group in self._groups:
            self._tell("add", group)

    def _tell(self, verb: str, group: int) -> bool:
        """Whether the shell took it; a shell that was killed is started again by the next ``add``."""
        if self._shell is None:
            return False
        try:
            os.write(_pipe_of(self._shell), f"{verb} {group}\n".encode())
        except OSError:
            return False
        return True

    @staticmethod
    def _let_go(shell: subprocess.Popen[bytes]) -> None:
        _close_pipe(shell)
        try:
            shell.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            shell.kill()
            shell.wait()


def _close_pipe(shell: subprocess.Popen[bytes]) -> None:
    if shell.stdin is not None:
        with suppress(OSError):
            shell.stdin.close()


def _pipe_of(shell: subprocess.Popen[bytes]) -> int:
    if shell.stdin is None:
        message = "the guardian was started without a pipe"
        raise OSError(message)
    return shell.stdin.fileno()


_guardian = _Guardian()
atexit.register(_guardian.stop)
os.register_at_fork(after_in_child=_guardian.forget_after_fork)


def guard(group: int) -> None:
    """Have the process group killed should this process die without ending it. Any thread may call."""
    _guardian.add(group)


def release(group: int) -> None:
    """The group is dead: forget it. To be called before its leader is reaped."""
    _guardian.remove(group)


def guardian_pid() -> int | None:
    """The guardian's process id, so that it can be told from a prover; ``None`` before the first child."""
    return _guardian.pid
