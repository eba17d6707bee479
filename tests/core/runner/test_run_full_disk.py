"""A disk that fills up in the middle of a run."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from prover_core.contracts.events import Event, RunEnded, RunObserver, TheoremDone
from prover_core.errors import RunStoreError
from prover_core.store import RunStore

PROGRAM = Path(__file__).parent / "programs" / "run_fake.py"


class LimitsFiles(RunObserver):
    """After some theorems, lets no file of this process grow beyond what the results have now."""

    def __init__(self, results: Path, after: int) -> None:
        self.results, self.left = results, after

    def on_event(self, event: Event) -> None:
        if isinstance(event, TheoremDone):
            self.left -= 1
            if self.left == 0:
                _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
                size = self.results.stat().st_size + 300
                resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


@pytest.mark.parametrize("workers", [1, 3])
def test_the_run_ends_cleanly_says_what_to_do_and_goes_on_later(lab, workers: int) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(RunStoreError) as caught:
            lab.run(observers=[LimitsFiles(lab.path / "results.jsonl", 6)], workers=workers)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    message = str(caught.value)
    assert "File too large" in message and "Free some space" in message
    assert f"prover run --resume {lab.path}" in message
    kept = lab.records()
    assert f"{len(kept)} attempts are recorded and safe" in message and len(kept) >= 6
    assert (lab.path / "results.jsonl").read_bytes().endswith(b"\n")
    ended = lab.recorder.events[-1]
    assert isinstance(ended, RunEnded) and ended.stopped
    done = [event.theorem.name for event in lab.recorder.events if isinstance(event, TheoremDone)]
    assert sorted(done) == sorted(kept)  # nobody was told of what is not on disk
    summary = lab.run(workers=workers)
    assert summary.attempts == 36 and summary.not_attempted == 0
    assert {name: lab.records()[name] for name in kept} == kept
    rows = list(RunStore.open(lab.path).trajectory_rows())
    assert len(rows) == summary.tries
    assert threading.active_count() < 10


def test_a_small_file_system_that_fills_up(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    command = [sys.executable, str(PROGRAM), str(disk / "run"), "copies=10", "tries=40", "workers=2"]
    try:
        full = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert full.returncode == 2
        assert "No space left on device" in full.stderr and "prover run --resume" in full.stderr
        kept = [r.theorem_id for r in RunStore.open(disk / "run").records()]
        assert len(kept) > 10
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        again = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert again.returncode == 0, again.stderr
        records = [r.theorem_id for r in RunStore.open(disk / "run").records()]
        assert records[: len(kept)] == kept and len(records) == len(set(records)) == 360
    finally:
        subprocess.run(["umount", str(disk)], check=True)
