"""What a child may use, and what it does use: address space, signals, process tree, resident memory."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["descendants", "limit_memory", "resident_mb", "unblock_signals"]

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1 << 20
_UNBLOCK = """\
import os, signal, sys
for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(ignored_by_python, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, ())
os.execv(sys.argv[1], sys.argv[1:])
"""


def limit_memory(command: Sequence[str], memory_mb: int) -> list[str]:
    """``command`` under an address-space limit of ``memory_mb`` MiB (0: no limit).

    A shell sets the limit and then becomes the command, so the process id stays the same. Setting it
    from Python between fork and exec would need ``preexec_fn``, which can deadlock in a program with
    threads; setting it from outside after the start would come too late for a program that reserves
    its heap at once. Each process of the tree gets the limit by itself.
    """
    if memory_mb <= 0:
        return list(command)
    return ["/bin/sh", "-c", 'ulimit -v "$0" || exit 126; exec "$@"', str(memory_mb * 1024), *command]


def unblock_signals(command: Sequence[str]) -> list[str]:
    """``command`` so that no signal is held back from it, whatever the calling thread holds back.

    A child inherits the mask of the thread that starts it. Ray's workers block SIGINT, with which time
    limits are kept: a prover with this mask never hears of them. Lifting the mask here for the moment
    of the start would let a Ctrl-C into a process that wants none, so the child lifts it, and then becomes
    the command (the process id stays the same). Where nothing is blocked, nothing is put in front.
    """
    if not signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _UNBLOCK, *command]


def descendants(pid: int) -> list[int]:
    """Children of ``pid``, their children, and so on; parents before children. Empty when it is gone.

    A process whose parent has died belongs to ``init`` and is not among them.
    """
    children = _children if _kernel_lists_children() else _family_tree()
    found: list[int] = []
    waiting = [pid]
    while waiting:
        born = children(waiting.pop())
        found += born
        waiting += born
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                text = Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii")
                found += map(int, text.split())
    return found


@functools.cache
def _kernel_lists_children() -> bool:
    """Not every kernel is built with it, and some containers' kernels are imitations."""
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()


def _family_tree() -> Callable[[int], list[int]]:
    """The same by looking at every process there is."""
    born: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                stat = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
                parent = int(stat.rpartition(")")[2].split()[1])
                born.setdefault(parent, []).append(int(entry))
    return lambda pid: born.get(pid, [])


def resident_mb(pids: Iterable[int]) -> float:
    """Resident memory of these processes together, in MiB; those that are gone count nothing."""
    pages = 0
    for pid in pids:
        with suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * _PAGE / _MIB
