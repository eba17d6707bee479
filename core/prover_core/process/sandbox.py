"""Running a child without network, with a read-only system and a private ``/tmp``, by bubblewrap."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prover_core.errors import ToolMissingError

__all__ = ["INSTALL_BUBBLEWRAP", "Sandbox", "sandbox_available", "sandboxed"]

INSTALL_BUBBLEWRAP = "apt-get install bubblewrap   (or your distribution's package of that name)"
_TMP = Path("/tmp")
_PRIVATE = (_TMP, Path("/run"))
"""Made empty. In ``/run`` are the sockets of services (containers, desktops), which would be a way out."""
_SYSTEM_IN_RUN = Path("/run/current-system")
"""Where some distributions keep every program."""
_PROBE_TIMEOUT_S = 20.0

# No --die-with-parent: the kernel would kill the child as soon as the *thread* that started it ends.
# No --new-session: the child must stay in its process group, which is what gets killed.
_BASE = ("--unshare-net", "--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL", "--ro-bind", "/", "/")
_LEVELS = (
    ("--unshare-pid", *_BASE, "--dev", "/dev", "--proc", "/proc"),
    (*_BASE, "--dev", "/dev"),  # inside many containers a new /proc may not be mounted
)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a sandboxed child may still reach, beyond reading the system.

    Everything is read-only except ``writable`` and an empty ``/tmp`` of its own; ``/run`` is empty too, and
    there is no network.
    """

    writable: tuple[Path, ...] = ()
    """Folders (or files) it may write; they must exist."""
    readable_tmp: tuple[Path, ...] = ()
    """Files and folders under ``/tmp`` that it must still be able to read."""


@dataclass(frozen=True, slots=True)
class _Probe:
    flags: tuple[str, ...] = ()
    problem: str | None = None


@functools.cache
def _probe() -> _Probe:
    """Try it once, for real: a kernel or a container may forbid what the program can do."""
    program = shutil.which("bwrap")
    if program is None:
        return _Probe(problem=f"bubblewrap (bwrap) is not installed. To get it: {INSTALL_BUBBLEWRAP}")
    said = ""
    for flags in _LEVELS:
        try:
            done = subprocess.run(
                [program, *flags, *_private(), "/bin/sh", "-c", "exit 0"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PROBE_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
            continue
        if done.returncode == 0:
            return _Probe(flags=(program, *flags))
        said = done.stderr.decode(errors="replace").strip()
    return _Probe(
        problem=f"bubblewrap is installed and cannot make a sandbox here: {said}. Allow unprivileged user "
        "namespaces (sysctl kernel.unprivileged_userns_clone=1), or run without --sandbox"
    )


def _private() -> list[str]:
    folders = [word for path in _PRIVATE for word in ("--tmpfs", str(path))]
    return [*folders, "--ro-bind-try", str(_SYSTEM_IN_RUN), str(_SYSTEM_IN_RUN)]


def sandbox_available() -> str | None:
    """``None``: sandboxes work here (tried once, then remembered). Else why not, and what to do."""
    return _probe().problem


def sandboxed(command: Sequence[str], sandbox: Sandbox, cwd: Path | None) -> list[str]:
    """The command line that runs ``command`` inside the sandbox.

    The command's own program and ``cwd`` stay visible when they lie in a private folder.

    :raises ToolMissingError: bubblewrap is missing, or may not be used here.
    """
    probe = _probe()
    if probe.problem is not None:
        tool = "a working bubblewrap"
        raise ToolMissingError(
            tool,
            needed_for=f"running {command[0]} in a sandbox ({probe.problem})",
            install=INSTALL_BUBBLEWRAP,
        )
    folder = (cwd or Path.cwd()).resolve()
    writable = [path.resolve() for path in sandbox.writable]
    readable = [path.resolve() for path in sandbox.readable_tmp]
    program = Path(command[0])
    if program.is_absolute():
        readable += [program, program.resolve()]
    readable = [path for path in [*readable, folder] if _hidden(path)]
    line = [*probe.flags, *_private(), "--setenv", "TMPDIR", str(_TMP)]
    for path in readable:
        line += ["--ro-bind-try", str(path), str(path)]
    for path in writable:  # after the readable ones: a writable folder may lie within one of them
        line += ["--bind", str(path), str(path)]
    return [*line, "--chdir", str(folder), "--", *command]


def _hidden(path: Path) -> bool:
    """Whether it lies in a folder that is made private, and so must be brought back to be seen."""
    return any(path.is_relative_to(private) and path != private for private in _PRIVATE)
