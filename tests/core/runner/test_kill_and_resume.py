"""Kill it anywhere: what was finished is on disk, and resuming gives what an undisturbed run gives."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prover_core.store import RunStore

PROGRAM = Path(__file__).parent / "programs" / "run_fake.py"


@pytest.fixture(autouse=True)
def _signals_as_they_come() -> Iterator[None]:
    """Children get SIGHUP as usual, also where the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def start(path: Path, *options: str) -> subprocess.Popen[str]:
    """The program, with its first theorem begun."""
    child = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(path), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line == "ready\n" or line.startswith("summary"):
            return child
    raise AssertionError(child.communicate())


def finish(child: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err


def results(path: Path) -> dict[tuple[str, int], tuple[object, ...]]:
    """What a run found, without what may differ: times, uids, workers."""
    return {
        r.key: (r.status, r.proof, r.proof_text, r.tries, r.model_calls, r.nodes, r.duplicates, r.detail)
        for r in RunStore.open(path).records()
    }


def trajectory(path: Path) -> list[tuple[object, ...]]:
    rows = RunStore.open(path).trajectory_rows()
    return sorted((r.theorem_id, r.attempt, r.node, r.tactic, r.outcome, r.label, r.state) for r in rows)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "run"
    code, _, err = finish(start(path, "workers=3"))
    assert code == 0, err
    return path


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_and_resumed_it_finds_the_same(undisturbed: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "run"
    kills = 0
    for _ in range(30):
        child = start(path, "workers=3", "latency_ms=0.6")
        before = results(path)
        time.sleep(chance.uniform(0.0, 0.5))
        if child.poll() is not None:
            finish(child)
            break
        child.kill()
        finish(child)
        kills += 1
        after = results(path)
        assert before.items() <= after.items()  # nothing found is lost
        if len(after) >= 30 or kills == 4:
            break
    assert kills
    code, _, err = finish(start(path, "workers=3"))
    assert code == 0, err
    assert results(path) == results(undisturbed)
    assert trajectory(path) == trajectory(undisturbed)
    lines = (path / "results.jsonl").read_text().splitlines()
    assert len(lines) == len(results(path))  # nothing was done twice
    assert {p.suffix for p in (path / "trajectories").iterdir()} == {".parquet"}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_finishes_what_is_in_flight(tmp_path: Path, number: signal.Signals, code: int) -> None:
    path = tmp_path / "run"
    child = start(path, "workers=2", "latency_ms=3")
    time.sleep(0.3)
    child.send_signal(number)
    returned, out, err = finish(child)
    assert returned == code
    assert f"stopping ({number.name}): what is in flight has 10 s to end" in err
    assert f"stopped ({number.name}) after" in err
    summary = json.loads(out.partition("summary ")[2].splitlines()[0])
    assert 0 < summary["attempts"] < 36 and summary["not_attempted"] == 36 - summary["attempts"]
    events = [json.loads(line)["event"] for line in (path / "log.jsonl").read_text().splitlines()]
    assert "stopping" in events and "abandoned" not in events
    assert list((path / "trajectories").glob("*.journal")) == []
    assert len(results(path)) == summary["attempts"]
    assert finish(start(path))[0] == 0
    assert len(results(path)) == 36


def test_what_does_not_end_in_its_grace_time_is_not_recorded(tmp_path: Path, undisturbed: Path) -> None:
    path = tmp_path / "run"
    child = start(path, "workers=2", "latency_ms=150", "grace_s=0.1")
    time.sleep(0.5)
    began = time.monotonic()
    child.terminate()
    returned, _, _ = finish(child)
    assert returned == 143 and time.monotonic() - began < 5
    assert '"abandoned"' in (path / "log.jsonl").read_text()
    found = results(path)
    assert len(found) < 10 and found.items() <= results(undisturbed).items()
    assert finish(start(path, "workers=2"))[0] == 0
    assert results(path) == results(undisturbed)


def test_a_second_ctrl_c_stops_at_once_and_a_third_is_the_systems(tmp_path: Path) -> None:
    child = start(tmp_path / "run", "workers=2", "latency_ms=50", "grace_s=100", "tries=100000")
    child.send_signal(signal.SIGINT)
    while '"stopping"' not in (tmp_path / "run" / "log.jsonl").read_text():
        time.sleep(0.05)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    returned, _, err = finish(child)
    assert returned == 130 and time.monotonic() - began < 5
    assert "has 100 s to end" in err and "what is in flight is given up" in err


@pytest.mark.parametrize("workers", [1, 3])
def test_a_model_that_never_answers_does_not_keep_the_run(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "run"
    child = start(path, f"workers={workers}", "hang=1", "grace_s=0.2")
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    returned, out, _ = finish(child)
    assert returned == 130 and time.monotonic() - began < 12
    assert "problem: still busy when the run ended, and left behind:" in out
    assert results(path) == {}


def test_two_runs_in_one_directory_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    first = start(path, "latency_ms=5")
    second = subprocess.run(
        [sys.executable, str(PROGRAM), str(path)], capture_output=True, text=True, timeout=60
    )
    assert second.returncode == 2
    assert f"is being written by process {first.pid} on" in second.stderr
    first.kill()
    finish(first)
    assert finish(start(path))[0] == 0  # the lock died with its process


def test_a_torn_line_is_repaired_and_told(tmp_path: Path, undisturbed: Path) -> None:
    path = tmp_path / "run"
    child = start(path, "latency_ms=2")
    while len(results(path)) < 3:
        time.sleep(0.01)
    child.kill()
    finish(child)
    file = path / "results.jsonl"
    os.truncate(file, file.stat().st_size - 20)
    child = subprocess.run(
        [sys.executable, str(PROGRAM), str(path), "workers=3"], capture_output=True, text=True, timeout=60
    )
    assert child.returncode == 0 and "repair: the last line of" in child.stdout
    assert results(path) == results(undisturbed)
