"""The live display: at any width and height, and a terminal that is as it was afterwards."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from prover_core.contracts.events import (
    RunEnded,
    RunStarted,
    RunStopping,
    TheoremDone,
    TheoremStarted,
    WorkerProgress,
)
from prover_core.display.live import LiveDisplay
from prover_core.types import Theorem

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def theorem(n: int) -> Theorem:
    return Theorem(f"Numbers/Integer/Abstract/ZDivFloor.v:Z.very_long_name_{n}", f"n{n}", "coq", "s")


def screen(width: int, height: int, workers: int = 4, proofs: int = 8, stopping: bool = False) -> list[str]:
    """What the display shows in the middle of a run."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, highlight=False)
    display = LiveDisplay(console.file, console)
    state = display._state
    state.take(
        RunStarted(Path("runs/20260102-030405-coq-tactics"), 360, 40, workers, "coq", "tactics", "best-first")
    )
    for n in range(proofs):
        state.take(TheoremDone(0, theorem(n), "proved", ("intros.", "[bold]auto.", "∀\n"), 12, 1.5))
    state.take(TheoremDone(0, theorem(50), "crashed", (), 12, 1.5))
    for n in range(workers - 1):
        state.take(TheoremStarted(n, theorem(100 + n)))
        state.take(WorkerProgress(n, theorem(100 + n), "searching", 340, 5, 2.0))
    if stopping:
        state.take(RunStopping("SIGINT", 10.0))
    with console.capture() as capture:
        console.print(display.render())
    return [line.rstrip() for line in ESCAPES.sub("", capture.get()).splitlines()]


def test_what_it_shows() -> None:
    lines = screen(120, 40)
    text = "\n".join(lines)
    assert lines[0].startswith("coq · tactics · best-first") and lines[0].endswith(
        "runs/20260102-030405-coq-tactics"
    )
    assert "49/400 12%" in lines[1]
    assert "proved 8 (100%)" in lines[2] and "crashed 1" in lines[2] and "failed 0" in lines[2]
    assert "rejected" not in lines[2]
    assert re.search(r"1  Numbers/\S+very_long_name_100 +searching +340 +5", text)
    assert re.search(r"4  idle", text)
    assert "intros. [bold]auto. ∀" in text  # no markup is read into a proof


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("height", [8, 12, 24, 50])
@pytest.mark.parametrize("workers", [1, 4, 64])
@pytest.mark.parametrize("stopping", [False, True])
def test_it_fits_the_terminal(width: int, height: int, workers: int, stopping: bool) -> None:
    lines = screen(width, height, workers, stopping=stopping)
    assert max(map(len, lines)) <= width
    if height >= 12 and width >= 60:
        assert len(lines) <= height
    if stopping and width >= 40:  # what is cut off at the bottom of a small terminal is never this
        assert any("stopping (SIGINT)" in line for line in lines[:height])


def test_a_long_id_keeps_its_end_and_more_workers_are_counted() -> None:
    text = "\n".join(screen(80, 24, workers=64))
    assert re.search(r"…\S*very_long_name_10\d searching", text)
    hidden = int(re.search(r"and (\d+) more workers", text)[1])
    assert hidden + len(re.findall(r"searching|idle", text)) == 64


def test_before_the_first_event_there_is_nothing() -> None:
    display = LiveDisplay(io.StringIO())
    display.close()
    display.close()
    with display:
        pass


PROGRAM = """
import sys, time
from pathlib import Path
from prover_core.contracts.events import *
from prover_core.display import make_display
from prover_core.types import Theorem
with make_display("auto", sys.stderr) as display:
    display.on_event(RunStarted(Path("runs/x"), 3, 0, 2, "coq", "tactics", "best-first"))
    display.on_event(TheoremStarted(0, Theorem("a.v:b", "b", "coq", "s")))
    time.sleep(0.6)
    display.message("a word of warning")
    if sys.argv[1] == "raise":
        raise RuntimeError("broken")
    if sys.argv[1] == "interrupt":
        import signal; signal.raise_signal(signal.SIGINT)
    display.on_event(RunEnded(Path("runs/x"), {"proved": 1}, 2.0, False))
print("after")
"""


def in_terminal(how: str, **environment: str) -> str:
    """What a program that shows a run writes to its terminal."""
    leader, follower = pty.openpty()
    variables = {k: v for k, v in os.environ.items() if k != "CI"} | {"TERM": "xterm", **environment}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how], stdout=follower, stderr=follower, stdin=follower, env=variables
    )
    os.close(follower)
    written = b""
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        written += data
    os.close(leader)
    child.wait(timeout=30)
    return written.decode()


@pytest.mark.parametrize("how", ["end", "raise", "interrupt"])
def test_the_terminal_is_as_it_was(how: str) -> None:
    written = in_terminal(how)
    assert written.count(HIDE) == written.count(SHOW) == 1
    before, _, after = written.rpartition(SHOW)
    assert HIDE in before and "coq · tactics" in before and "a word of warning" in before
    if how == "end":
        assert "ended after 2.0s: 1 proved\r\nafter\r\n" in after
    else:
        assert ("RuntimeError: broken" if how == "raise" else "KeyboardInterrupt") in after


def test_it_refreshes_a_few_times_a_second() -> None:
    frames = in_terminal("end").count("coq · tactics")
    assert 2 <= frames <= 10


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"CI": "true"}, {"TERM": ""}])
def test_simple_terminals_get_plain_lines(environment: dict[str, str]) -> None:
    written = in_terminal("end", **environment)
    assert "\x1b" not in written and "runs/x: 3 to attempt, 2 workers" in written


def test_events_cost_next_to_nothing() -> None:
    display = LiveDisplay(io.StringIO())
    display._state.take(RunStarted(Path("x"), 10**6, 0, 4, "coq", "tactics", "s"))
    event = WorkerProgress(0, theorem(1), "searching", 1, 1, 1.0)
    began = time.perf_counter()
    for _ in range(10_000):
        display.on_event(event)
    assert (time.perf_counter() - began) / 10_000 < 100e-6


def test_the_end_is_told_once() -> None:
    stream = io.StringIO()
    display = LiveDisplay(stream)
    with display:
        display.on_event(RunStarted(Path("runs/x"), 3, 0, 2, "coq", "tactics", "s"))
        display.on_event(RunEnded(Path("runs/x"), {"proved": 1, "failed": 2}, 2.0, False))
    assert ESCAPES.sub("", stream.getvalue()).count("ended after 2.0s: 1 proved, 2 failed") == 1
