"""git, kept on a short lead: no prompts, no hooks, no filters, one protocol, and an end in sight."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prover_core.errors import ChildTimeoutError, EnvironmentCrashedError, ProverError
from prover_core.process import ChildProcess

__all__ = ["BlobReader", "Git", "GitError", "Stopped"]

_SLICE_S = 0.3
"""How often a waiting thread looks whether it has been asked to stop."""
_MAX_OUTPUT = 64 << 20
_PASSED_ON = (
    "PATH", "LANG", "TMPDIR", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy",
    "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO",
)  # fmt: skip
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=false",  # a link that points out of the repository would be read by whatever reads it
    "core.autocrlf=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.attributesFile=/dev/null",
    "credential.helper=",
    "fetch.unpackLimit=1",  # one pack file, so that the limit on a file's size is one on the repository
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "log.showRoot=true",
    "advice.detachedHead=false",
    "init.defaultBranch=main",
)
_LIMIT_FILE_SIZE = 'ulimit -f "$0" || exit 126; exec "$@"'
_HALF_KIB = 512


class GitError(ProverError):
    """git failed; ``passing``: the same may well work later."""

    def __init__(self, message: str, *, passing: bool = False, too_large: bool = False) -> None:
        super().__init__(message)
        self.passing = passing
        self.too_large = too_large


class Stopped(ProverError):
    """The crawl was asked to stop."""


@dataclass(frozen=True, slots=True)
class Git:
    """git for one repository folder."""

    folder: Path
    stop: threading.Event
    timeout_s: float = 1800.0
    """For one command."""
    max_mb: float = 0
    """Largest file that it may write, MiB; 0: no limit."""
    protocols: str = "https"
    """Colon-separated, as in ``GIT_ALLOW_PROTOCOL``."""

    def run(self, *words: str, limit: int = _MAX_OUTPUT) -> bytes:
        """Output of a command, at most ``limit`` bytes.

        :raises GitError: it failed, said too much, or ran out of time.
        :raises Stopped: the crawl is to stop.
        """
        parts: list[bytes] = []
        size = 0
        for part in self.stream(*words):
            parts.append(part)
            size += len(part)
            if size > limit:
                msg = f"`git {words[0]}` says more than {limit:,} bytes"
                raise GitError(msg, too_large=True)
        return b"".join(parts)

    def stream(self, *words: str) -> Iterator[bytes]:
        """Output of a command, piece by piece.

        :raises GitError: it failed, or ran out of time.
        :raises Stopped: the crawl is to stop.
        """
        deadline = time.monotonic() + self.timeout_s
        with self.child(*words) as child:
            child.end_input()
            while data := self.read(child, deadline, words[0]):
                yield data
            while (code := child.wait(time.monotonic() + _SLICE_S)) is None:
                self._check(deadline, words[0])
            if code != 0:
                error = _error(words[0], code, child.stderr_tail())
                error.passing = error.passing and self.protocols != "file"  # disks do not come and go
                raise error

    def child(self, *words: str) -> ChildProcess:
        """The command, started; for the caller to talk to and to close."""
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        command = ["git", *settings, *words]
        if self.max_mb:
            blocks = str(int(self.max_mb * 1024 * 1024 / _HALF_KIB) + 1)
            command = ["/bin/sh", "-c", _LIMIT_FILE_SIZE, blocks, *command]
        return ChildProcess(command, name=f"git {words[0]}", cwd=self.folder, env=self._environ())

    def read(self, child: ChildProcess, deadline: float, what: str) -> bytes:
        """What it says next; empty at its end."""
        while True:
            try:
                return child.read_or_end(min(deadline, time.monotonic() + _SLICE_S))
            except ChildTimeoutError:
                self._check(deadline, what)

    def _check(self, deadline: float, what: str) -> None:
        if self.stop.is_set():
            raise Stopped
        if time.monotonic() >= deadline:
            msg = f"`git {what}` took more than {self.timeout_s:g} s"
            raise GitError(msg, passing=True)

    def _environ(self) -> Mapping[str, str]:
        """Nothing of the person's own configuration, and none of their credentials."""
        return {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_ALLOW_PROTOCOL": self.protocols,
            "GIT_ASKPASS": "true",
            "GIT_CEILING_DIRECTORIES": str(self.folder.parent),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }


class BlobReader:
    """Contents of blobs, by id, through one ``git cat-file --batch``."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._child = git.child("cat-file", "--batch")
        self._buffer = b""

    def read(self, blob: str, max_bytes: int) -> bytes | None:
        """``None``: there is no such blob, or it is longer than ``max_bytes``.

        :raises GitError: git is gone, or takes too long.
        :raises Stopped: the crawl is to stop.
        """
        if self._git.stop.is_set():
            raise Stopped
        deadline = time.monotonic() + self._git.timeout_s
        try:
            self._child.send(f"{blob}\n".encode())
        except EnvironmentCrashedError as error:
            raise GitError(str(error)) from error
        header = self._line(deadline).split()
        if len(header) != 3:
            return None
        size = int(header[2])
        content = self._take(size + 1, deadline, keep=size <= max_bytes)
        return content[:-1] if size <= max_bytes and header[1] == b"blob" else None

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._buffer:
            self._fill(deadline)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _take(self, size: int, deadline: float, *, keep: bool) -> bytes:
        parts: list[bytes] = []
        while size:
            if not self._buffer:
                self._fill(deadline)
            part, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(part)
            if keep:
                parts.append(part)
        return b"".join(parts)

    def _fill(self, deadline: float) -> None:
        data = self._git.read(self._child, deadline, "cat-file")
        if not data:
            code = self._child.returncode or 0
            raise _error(self._child.name.removeprefix("git "), code, self._child.stderr_tail())
        self._buffer += data

    def close(self) -> None:
        """End it."""
        with suppress(EnvironmentCrashedError):
            self._child.close()

    def __enter__(self) -> BlobReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_PASSING = (
    "429", "http 5", "error: 5", "could not resolve", "timed out", "connection", "early eof", "rpc failed",
    "unexpected disconnect", "hung up", "temporary failure", "too many requests", "tls",
)  # fmt: skip
_FINAL = ("not found", "authentication", "could not read username", "access denied", "does not appear to be")


def _error(what: str, code: int, stderr: str) -> GitError:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ERROR:"))]
    words = "; ".join(_last(marked or lines)) or f"it ended with code {code}"
    text = stderr.lower()
    too_large = "file size limit exceeded" in text or "file too large" in text or "sigxfsz" in text
    too_large = too_large or "signal 25" in text or code == -25
    passing = not any(sign in text for sign in _FINAL) and any(sign in text for sign in _PASSING)
    return GitError(f"`git {what}` failed: {words}", passing=passing and not too_large, too_large=too_large)


def _last(lines: Sequence[str]) -> Sequence[str]:
    return [line if len(line) <= 300 else f"{line[:297]}..." for line in lines[-3:]]
