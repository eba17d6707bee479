"""What a child may use, and what it does use: address-space limit, process tree, resident memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["descendants", "limit_memory", "resident_mb"]

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1 << 20


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


def descendants(pid: int) -> list[int]:
    """Children of ``pid``, their children, and so on; parents before children. Empty when it is gone.

    A process whose parent has died belongs to ``init`` and is not among them.
    """
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = _children(waiting.pop())
        found += children
        waiting += children
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                text = Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii")
                found += map(int, text.split())
    return found


def resident_mb(pids: Iterable[int]) -> float:
    """Resident memory of these processes together, in MiB; those that are gone count nothing."""
    pages = 0
    for pid in pids:
        with suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * _PAGE / _MIB
