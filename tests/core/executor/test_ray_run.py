"""``prover run --executor ray``: the same as local, also when nodes vanish. Real Ray, real processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from toolchains import any_coq

pytest.importorskip("ray", reason="ray is not installed: --executor ray was NOT tested")

from prover_core.cli import exits
from prover_core.store import RunStore

PROVER = Path(sys.executable).with_name("prover")
TWO_NODES = Path(__file__).parent / "programs" / "two_nodes.py"
FAKE = ["--env", "fake", "--model", "scripted", "--data", "fake", "--budget", "200t"]


def found(path: Path) -> dict[Any, Any]:
    """What a run found, without what may differ: times, workers."""
    with RunStore.open(path) as store:
        return {r.key: (r.status, r.proof, r.proof_text, r.tries, r.nodes) for r in store.records()}


def steps(path: Path) -> list[tuple[Any, ...]]:
    with RunStore.open(path) as store:
        rows = store.trajectory_rows()
        return sorted((r.theorem_id, r.attempt, r.node, r.tactic, r.outcome, r.label) for r in rows)


def log(path: Path, event: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in (path / "log.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] == event]


def prover(*words: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, **(environ or {})}
    return subprocess.run(
        [str(PROVER), "run", *words], capture_output=True, text=True, timeout=170, check=False, env=environ
    )


def test_on_this_machine_it_finds_what_local_workers_find(tmp_path: Path) -> None:
    local, ray = tmp_path / "local", tmp_path / "ray"
    assert prover(*FAKE, "--out", str(local)).returncode == 0
    words = ["--executor", "ray", "--workers", "2", "--policy-actors", "1"]
    done = prover(*FAKE, *words, "--out", str(ray))
    assert done.returncode == 0, done.stderr
    assert "ended after" in done.stderr or "ended after" in done.stdout
    assert found(ray) == found(local) and len(found(ray)) == 36
    assert steps(ray) == steps(local)
    assert {line["worker"] for line in log(ray, "worker_ready")} == {0, 1}
    assert log(ray, "worker_lost") == []


def test_flags_of_ray_need_ray_and_an_address_that_answers(tmp_path: Path) -> None:
    done = prover(*FAKE, "--policy-gpus", "0.5", "--out", str(tmp_path / "a"))
    assert done.returncode == exits.USAGE and "add --executor ray" in done.stderr


@pytest.mark.slow
def test_what_a_cluster_has_not_is_said_before_anything_starts(tmp_path: Path) -> None:
    words = ["--executor", "ray", "--policy-gpus", "0.5", "--out", str(tmp_path / "a")]
    done = prover(*FAKE, *words)
    assert done.returncode == exits.USAGE
    assert "--policy-actors 1 with --policy-gpus 0.5 need 0.5 GPUs, and Ray has 0" in done.stderr
    words = ["--executor", "ray", "--set", "env.installed=false", "--out", str(tmp_path / "b")]
    done = prover(*FAKE, *words)
    assert done.returncode == exits.USAGE and "To get it:" in done.stderr
    words = ["--executor", "ray", "--set", "policy.file=/nowhere.yaml", "--policy-actors", "1"]
    done = prover(*FAKE, *words, "--out", str(tmp_path / "c"))
    assert done.returncode == exits.USAGE
    assert done.stderr.splitlines()[-1].startswith("Error: the scripted policy cannot read /nowhere.yaml")


class TwoNodes:
    """A cluster in a process of its own; the tests' only way to take a node away."""

    def __init__(self, cpus: int) -> None:
        # whoever does not know the token gets no answer, on whatever address Ray listens
        self.environ = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex}
        self._child = subprocess.Popen(
            [sys.executable, str(TWO_NODES), str(cpus)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **self.environ},
        )
        self.address = self._answer().removeprefix("ADDRESS ").strip()

    def tell(self, word: str) -> str:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{word}\n")
        self._child.stdin.flush()
        return self._answer().strip()

    def close(self) -> None:
        self._child.communicate(timeout=60)

    def _answer(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline()


@pytest.fixture
def two_nodes() -> Iterator[TwoNodes]:
    cluster = TwoNodes(2)
    yield cluster
    cluster.close()


def start(cluster: TwoNodes, out: Path, *words: str) -> subprocess.Popen[str]:
    ray = ["--executor", "ray", "--ray-address", cluster.address, "--out", str(out)]
    return subprocess.Popen(
        [str(PROVER), "run", *words, *ray],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **cluster.environ},
    )


def wait_for(out: Path, attempts: int, child: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not (out / "results.jsonl").exists() or len(found(out)) < attempts:
        assert time.monotonic() < deadline and child.poll() is None, child.communicate()
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_node_killed_in_the_middle_loses_nothing(two_nodes: TwoNodes, tmp_path: Path) -> None:
    words = [*FAKE, "--set", "env.latency_ms=3", "--set", "data.copies=3"]
    local, ray = tmp_path / "local", tmp_path / "ray"
    assert prover(*FAKE, "--set", "data.copies=3", "--out", str(local)).returncode == 0
    child = start(two_nodes, ray, *words, "--workers", "4")
    wait_for(ray, 15, child)
    nodes = {line["node"] for line in log(ray, "worker_ready")}
    assert len(nodes) == 2  # both nodes had work
    assert two_nodes.tell("kill") == "killed"
    out, _ = child.communicate(timeout=170)
    assert child.returncode == 0, out
    assert len(log(ray, "worker_lost")) >= 2
    assert found(ray) == found(local) and len(found(ray)) == 108
    assert steps(ray) == steps(local)
    assert len((ray / "results.jsonl").read_text().splitlines()) == 108  # none twice


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_node_that_joins_gets_work_and_the_driver_can_be_stopped_and_resumed(
    two_nodes: TwoNodes, tmp_path: Path
) -> None:
    words = [*FAKE, "--set", "env.latency_ms=4", "--set", "data.copies=3", "--grace", "2"]
    local, ray = tmp_path / "local", tmp_path / "ray"
    assert prover(*FAKE, "--set", "data.copies=3", "--out", str(local)).returncode == 0
    assert two_nodes.tell("kill") == "killed"
    child = start(two_nodes, ray, *words, "--workers", "4")
    wait_for(ray, 5, child)
    assert two_nodes.tell("add") == "added"
    deadline = time.monotonic() + 60
    while len({line["node"] for line in log(ray, "worker_ready")}) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len({line["node"] for line in log(ray, "worker_ready")}) == 2
    child.send_signal(signal.SIGTERM)
    began = time.monotonic()
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 143, out
    assert time.monotonic() - began < 2 + 15
    before = found(ray)
    assert 5 <= len(before) < 108 and f"prover run --resume {ray}" in out
    again = prover("--resume", str(ray), environ=two_nodes.environ)
    assert again.returncode == 0, again.stderr
    assert found(ray) == found(local) and before.items() <= found(ray).items()
    assert steps(ray) == steps(local)


def raylets_of(pid: int) -> list[int]:
    """Ray's own processes on this machine, which a driver has started; they start the workers."""
    children = (int(entry) for entry in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in children if b"raylet/raylet" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_when_ray_itself_dies_the_run_ends_and_says_so_and_nothing_stays_behind(tmp_path: Path) -> None:
    words = [*FAKE, "--set", "env.latency_ms=20", "--executor", "ray", "--workers", "2"]
    out, ours = tmp_path / "run", f"prover-test-{uuid.uuid4().hex}"
    child = subprocess.Popen(
        [str(PROVER), "run", *words, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PROVER_TEST_MARK": ours},
    )
    wait_for(out, 2, child)
    [raylet] = raylets_of(child.pid)
    os.kill(raylet, signal.SIGKILL)
    told, _ = child.communicate(timeout=120)
    assert child.returncode == exits.MACHINERY, told
    assert "Ray has ended on this machine" in told and f"prover run --resume {out}" in told
    assert log(out, "run_ended")[0]["stopped"] and len(found(out)) >= 2
    deadline = time.monotonic() + 30
    while (left := processes_with(ours)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left == []


def processes_with(mark: str) -> list[str]:
    """Command lines of the processes in whose environment the mark is."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_text())
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_on_coq_a_tactic_that_runs_out_of_time_is_just_that(tmp_path: Path) -> None:
    any_coq()
    words = ["--env", "coq", "--model", "scripted", "--data", "coq-stdlib:Bool", "--limit", "2"]
    words += ["--set", 'policy.tactics=["do 1000000000 idtac.", "do 1000000000 (try fail).", "idtac."]']
    words += ["--set", "search.tactic_timeout_s=0.3", "--budget", "12t", "--workers", "2"]
    local, ray = tmp_path / "local", tmp_path / "ray"
    for out, executor in ((local, "local"), (ray, "ray")):
        done = prover(*words, "--executor", executor, "--out", str(out))
        assert done.returncode == 0, done.stderr
    assert found(ray) == found(local) and steps(ray) == steps(local)
    assert sum(outcome == "timed_out" for *_, outcome, _ in steps(ray)) >= 4
    with RunStore.open(ray) as store:
        for record in store.records():
            assert record.timed_out == record.interrupts >= 2
            assert record.restarts == record.retries == record.machinery == 0


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_on_coq_two_nodes_find_what_local_workers_find(two_nodes: TwoNodes, tmp_path: Path) -> None:
    any_coq()
    words = ["--env", "coq", "--model", "tactics", "--data", "coq-stdlib:Bool,Lists", "--sample", "12"]
    words += ["--budget", "60t", "--seed", "3"]
    local, ray = tmp_path / "local", tmp_path / "ray"
    done = prover(*words, "--workers", "2", "--out", str(local))
    assert done.returncode == 0, done.stderr
    child = start(two_nodes, ray, *words, "--workers", "3")
    out, _ = child.communicate(timeout=300)
    assert child.returncode == 0, out
    assert found(ray) == found(local) and len(found(ray)) == 12
    assert sum(status == "proved" for status, *_ in found(ray).values()) >= 3
