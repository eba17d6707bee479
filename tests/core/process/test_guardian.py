"""Nothing survives the harness, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from prover_core.process import ChildProcess, guardian_pid

HARNESS = Path(__file__).parents[2] / "fakes" / "harness.py"
IsGone = Callable[[int], bool]


@dataclass
class Harness:
    process: subprocess.Popen[str]
    said: list[str]
    pids: list[int]
    guardian: int


@pytest.fixture
def run_harness() -> Iterator[Callable[[str], Harness]]:
    started: list[subprocess.Popen[str]] = []

    def run(how: str) -> Harness:
        process = subprocess.Popen(
            [sys.executable, str(HARNESS), how],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        said: list[str] = []
        for line in process.stdout or ():
            said.append(line.strip())
            if line.startswith("pids"):
                break
        words = said[-1].split()
        return Harness(process, said[:-1], [int(word) for word in words[1:5]], int(words[6]))

    yield run
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_kill_9_of_the_harness(run_harness: Callable[[str], Harness], is_gone: IsGone) -> None:
    harness = run_harness("wait")
    assert all(map(psutil.pid_exists, harness.pids))
    harness.process.kill()
    for pid in [*harness.pids, harness.guardian]:
        assert is_gone(pid)


def test_kill_9_after_one_was_closed(run_harness: Callable[[str], Harness], is_gone: IsGone) -> None:
    harness = run_harness("close-one")
    assert is_gone(harness.pids[0])
    assert is_gone(harness.pids[1])
    assert psutil.pid_exists(harness.pids[2])
    harness.process.kill()
    for pid in harness.pids:
        assert is_gone(pid)


def test_ctrl_c_spares_the_guardian(run_harness: Callable[[str], Harness], is_gone: IsGone) -> None:
    harness = run_harness("wait")
    assert os.getpgid(harness.guardian) != os.getpgid(harness.process.pid)
    os.killpg(harness.process.pid, signal.SIGINT)
    for pid in [*harness.pids, harness.guardian]:
        assert is_gone(pid)


@pytest.mark.parametrize("how", ["leak", "raise"])
def test_end_of_the_program(how: str, run_harness: Callable[[str], Harness], is_gone: IsGone) -> None:
    harness = run_harness(how)
    assert harness.process.wait(10) == (0 if how == "leak" else 1)
    for pid in [*harness.pids, harness.guardian]:
        assert is_gone(pid)


def test_a_forked_copy_of_the_harness_takes_nothing_along(
    run_harness: Callable[[str], Harness], is_gone: IsGone
) -> None:
    harness = run_harness("fork")
    assert harness.said == ["still there"]
    assert all(map(psutil.pid_exists, harness.pids))
    harness.process.kill()
    for pid in harness.pids:
        assert is_gone(pid)


def test_a_killed_guardian_is_replaced() -> None:
    with ChildProcess(["/bin/cat"], name="cat"):
        first = guardian_pid()
        assert first is not None
        os.kill(first, signal.SIGKILL)
        psutil.Process(first).wait(5)
        with ChildProcess(["/bin/cat"], name="cat"):
            second = guardian_pid()
            assert second is not None
            assert second != first
            assert psutil.Process(second).status() != psutil.STATUS_ZOMBIE
