"""A long-lived child process that is talked to through its pipes, and never waited for without end."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from prover_core.errors import ChildTimeoutError, EnvironmentCrashedError
from prover_core.process.group import ProcessGroup
from prover_core.process.limits import descendants, resident_mb
from prover_core.process.sandbox import Sandbox

__all__ = ["ChildProcess"]

_PIPE_BYTES = 1 << 20
_FIRST_READ_BYTES = 1 << 16
_READ_BYTES = 1 << 20
"""Asking for 1 MiB costs 20 microseconds of memory management however little is there, so reads grow
with what comes."""
_STDERR_BYTES = 1 << 16
_LAST_WORDS_S = 0.5
"""How long a child that has closed its pipes may take to exit before it is reported as still alive."""
_SLICE_MS = 50
"""Where the kernel has no process descriptors: how often to look whether the child still lives."""
_LONGEST_MS = 1 << 30
_DEAF = "takes no more input"
_SILENT = "stopped answering"


class ChildProcess:
    """One long-lived child in its own process group. For one thread at a time; it starts no thread.

    One loop over the child's three pipes serves them all, so neither a full pipe nor a flood of
    messages can block both sides. Nothing of it survives :meth:`close`, the end of the program, or,
    thanks to the guardian, a ``kill -9`` of the program. (Out of reach, except in a sandbox, is a
    grandchild that has left the process group and whose own parent has died before.)

    :raises ToolMissingError: there is no such program (or no bubblewrap, if ``sandbox`` is given).
    :raises EnvironmentCrashedError: it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        memory_mb: int = 0,
        stderr_tail_bytes: int = 65536,
        sandbox: Sandbox | None = None,
    ) -> None:
        """Start it. ``name`` stands in error messages; ``env`` replaces the environment; ``memory_mb``
        limits the address space (MiB, 0: unlimited)."""
        self.name = name
        self._group = ProcessGroup(command, name=name, cwd=cwd, env=env, memory_mb=memory_mb, sandbox=sandbox)
        self.pid = self._group.pid
        # Also runs at the end of the program, for a child that was never closed.
        self._finalizer = weakref.finalize(self, self._group.dispose)
        self._queue: deque[memoryview] = deque()
        self._tail = bytearray()
        self._tail_bytes = stderr_tail_bytes
        self._poll = select.poll()
        self._stdin, self._stdout, self._stderr = self._open_pipes()
        self._read_bytes = _FIRST_READ_BYTES
        self._writing = False
        self._closed = False

    def _open_pipes(self) -> tuple[int, int, int]:
        """The three descriptors (-1 once closed), non-blocking, as large as the system allows."""
        descriptors: list[int] = []
        for stream in (self._group.popen.stdin, self._group.popen.stdout, self._group.popen.stderr):
            if stream is None:
                message = f"{self.name} was started without pipes"
                raise EnvironmentCrashedError(message)
            descriptor = stream.fileno()
            os.set_blocking(descriptor, False)
            with suppress(OSError):  # the user's quota of pipe memory may be used up
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            descriptors.append(descriptor)
        self._poll.register(descriptors[1], select.POLLIN)
        self._poll.register(descriptors[2], select.POLLIN)
        if self._group.exit_fd >= 0:
            # The end of its output is not enough to go by: a grandchild may hold the pipe open.
            self._poll.register(self._group.exit_fd, select.POLLIN)
        return descriptors[0], descriptors[1], descriptors[2]

    @property
    def returncode(self) -> int | None:
        """``None`` while it runs; negative: killed by that signal."""
        return self._group.poll()

    @property
    def alive(self) -> bool:
        return not self._closed and self._group.poll() is None

    def send(self, data: bytes) -> None:
        """Queue ``data`` and write what the pipe takes now; the rest goes out during :meth:`read`.

        Never blocks.

        :raises EnvironmentCrashedError: the child is dead or does not listen any more.
        """
        if self._stdin < 0:
            raise self._crashed(_DEAF)
        rest = memoryview(data)
        if not self._queue:  # the usual case, with no detour by the queue
            try:
                rest = rest[os.write(self._stdin, rest) :]
            except BlockingIOError:
                pass
            except OSError:
                raise self._crashed(_DEAF) from None
        if rest:
            self._queue.append(rest)
            self._watch_stdin(True)
            self._flush()

    def end_input(self) -> None:
        """Close the child's standard input once everything queued has gone out (during :meth:`read`)."""
        if self._queue:
            self._queue.append(memoryview(b""))  # the mark: close when it comes first
        else:
            self._close_stdin()

    def read(self, deadline: float) -> bytes:
        """At least one byte of the child's output (up to 1 MiB), as soon as there is any.

        Queued input goes out, and standard error is drained, while waiting. ``deadline`` is a
        :func:`time.monotonic` value; with one in the past, what is there already is still returned.

        :raises ChildTimeoutError: nothing came by the deadline; the child may be alive and busy.
        :raises EnvironmentCrashedError: the child is gone and all its output has been read.
        """
        data = self.read_or_end(deadline)
        if not data:
            raise self._crashed(_SILENT)
        return data

    def read_or_end(self, deadline: float) -> bytes:
        """Like :meth:`read`, but ``b""`` when the child is gone or has closed its output."""
        while self._stdout >= 0:
            events = self._poll.poll(self._wait_ms(deadline))
            data, ended = self._serve(events)
            if not data and ended:  # what it wrote just before it ended may have come after the poll
                data = self._take_stdout()
                if not data:
                    return b""
            if data:
                return data
            if time.monotonic() >= deadline and self._stdout >= 0:
                message = f"{self.name} (process {self.pid}) has not answered in time"
                raise ChildTimeoutError(message)
        return b""

    def wait(self, deadline: float) -> int | None:
        """Wait for its end, throwing its output away; the return code, or ``None`` at the deadline."""
        while self._group.poll() is None:
            if time.monotonic() >= deadline:
                return None
            self._serve(self._poll.poll(self._wait_ms(deadline)))
        return self._group.poll()

    def _wait_ms(self, deadline: float) -> int:
        longest = _LONGEST_MS if self._group.exit_fd >= 0 else _SLICE_MS
        return int(min(max((deadline - time.monotonic()) * 1000 + 1, 0), longest))

    def _serve(self, events: list[tuple[int, int]]) -> tuple[bytes, bool]:
        """Do what the pipes are ready for; what came on standard output, and whether the child ended."""
        data, ended = b"", self._group.exit_fd < 0 and self._group.poll() is not None
        for descriptor, _ in events:
            if descriptor == self._stdout:
                data = self._take_stdout()
            elif descriptor == self._stderr:
                self._take_stderr()
            elif descriptor == self._stdin:
                self._flush()
            else:
                ended = True
        return data, ended

    def interrupt(self) -> None:
        """SIGINT to the child; in a sandbox, to all that runs inside. Nothing happens if it is dead."""
        self._group.interrupt()

    def stderr_tail(self) -> str:
        """The last of what it wrote to its standard error, what is there by now included."""
        while self._stderr >= 0 and self._take_stderr():
            pass
        return self._tail[-self._tail_bytes :].decode(errors="replace")

    def rss_mb(self) -> float:
        """Resident memory of the child and its descendants, in MiB; 0.0 when it is dead."""
        if not self.alive:
            return 0.0
        return resident_mb([self.pid, *descendants(self.pid)])

    def close(self, grace_s: float = 0.0) -> None:
        """Close its input, give it ``grace_s`` seconds to end by itself, kill the whole group, reap.

        Calling it twice is fine. The return code and the tail of standard error stay readable.
        """
        if self._closed:
            return
        self._closed = True
        self._group.remember_family()
        try:
            self._close_stdin()
            if grace_s > 0:
                self.wait(time.monotonic() + grace_s)
        finally:
            self._finalizer()
            self.stderr_tail()
            self._close_outputs()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_stdout(self) -> bytes:
        if self._stdout < 0:
            return b""
        try:
            data = os.read(self._stdout, self._read_bytes)
        except BlockingIOError:
            return b""
        if len(data) == self._read_bytes:
            self._read_bytes = min(4 * self._read_bytes, _READ_BYTES)
        elif len(data) < _FIRST_READ_BYTES:
            self._read_bytes = _FIRST_READ_BYTES
        if not data:
            self._poll.unregister(self._stdout)
            self._close_stream(self._group.popen.stdout)
            self._stdout = -1
        return data

    def _take_stderr(self) -> bool:
        """Whether anything was there."""
        try:
            data = os.read(self._stderr, _STDERR_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._poll.unregister(self._stderr)
            self._close_stream(self._group.popen.stderr)
            self._stderr = -1
            return False
        self._tail += data
        if len(self._tail) > 2 * self._tail_bytes + _STDERR_BYTES:
            del self._tail[: -self._tail_bytes or len(self._tail)]
        return True

    def _flush(self) -> None:
        """Write what the pipe takes of the queue."""
        queue = self._queue
        try:
            while queue:
                if not queue[0]:
                    self._close_stdin()
                    return
                written = os.write(self._stdin, queue[0])
                if written < len(queue[0]):
                    queue[0] = queue[0][written:]
                    return
                queue.popleft()
        except BlockingIOError:
            return
        except OSError:  # it does not listen any more; what it has said can still be read
            self._close_stdin()
            return
        self._watch_stdin(False)

    def _watch_stdin(self, wanted: bool) -> None:
        if wanted and not self._writing:
            self._poll.register(self._stdin, select.POLLOUT)
        elif self._writing and not wanted:
            self._poll.unregister(self._stdin)
        self._writing = wanted

    def _close_stdin(self) -> None:
        if self._stdin < 0:
            return
        self._queue.clear()
        self._watch_stdin(False)
        self._close_stream(self._group.popen.stdin)
        self._stdin = -1

    def _close_outputs(self) -> None:
        for stream in (self._group.popen.stdout, self._group.popen.stderr):
            self._close_stream(stream)
        self._stdout = self._stderr = -1

    @staticmethod
    def _close_stream(stream: object) -> None:
        close = getattr(stream, "close", None)
        if close is not None:
            with suppress(OSError):
                close()

    def _crashed(self, what: str) -> EnvironmentCrashedError:
        """The error for a child that is gone, with its return code and its last words."""
        if self._closed:
            return EnvironmentCrashedError(f"{self.name} has been closed")
        code = self.wait(time.monotonic() + _LAST_WORDS_S)
        if code is None:
            detail = f"{self.name} {what}, though its process is still there"
        elif code < 0:
            detail = f"{self.name} was killed by {_signal_name(-code)}"
        else:
            detail = f"{self.name} ended by itself"
        return EnvironmentCrashedError(detail, returncode=code, stderr_tail=self.stderr_tail())


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
