"""Helpers for the tests of child processes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from prover_core.process import ChildProcess, Sandbox

FAKES = Path(__file__).parents[2] / "fakes"


def gone(pid: int, within_s: float = 3.0) -> bool:
    """Whether the process has ended (a zombie that its parent has not noticed has)."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def is_gone() -> Callable[[int], bool]:
    return gone


@pytest.fixture
def fake_command() -> Callable[[str], list[str]]:
    """The command line of a misbehaving child."""
    return lambda behaviour: [sys.executable, "-S", str(FAKES / "misbehaving.py"), behaviour]


@pytest.fixture
def start(fake_command: Callable[[str], list[str]]) -> Iterator[Callable[..., ChildProcess]]:
    """Starts misbehaving children; whatever a test leaves is closed, and must then be gone."""
    started: list[ChildProcess] = []

    def make(behaviour: str, *, memory_mb: int = 0, sandbox: Sandbox | None = None) -> ChildProcess:
        child = ChildProcess(fake_command(behaviour), name=behaviour, memory_mb=memory_mb, sandbox=sandbox)
        started.append(child)
        return child

    yield make
    for child in started:
        child.close()
        assert gone(child.pid), f"{child.name} survived close()"
