"""Whole runs under trouble, on the real prover: what a person must be able to trust.

Each test runs the installed ``prover`` in a process of its own, as a person would.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from toolchains import any_coq

PROVER = Path(sys.executable).with_name("prover")

THEOREMS = """\
Require Import Arith Bool List Lia.
Import ListNotations.

Lemma add_zero : forall n : nat, n + 0 = n. Proof. intros; lia. Qed.
Lemma add_comm' : forall n m : nat, n + m = m + n. Proof. intros; lia. Qed.
Lemma orb_comm' : forall a b : bool, a || b = b || a. Proof. intros [] []; reflexivity. Qed.
Lemma andb_true : forall a : bool, a && true = a. Proof. intros []; reflexivity. Qed.
Lemma app_nil : forall (A : Type) (l : list A), l ++ [] = l. Proof. induction l; simpl; congruence. Qed.
Lemma false_thing : forall n : nat, n = S n. Proof. Admitted.
Lemma swap : forall P Q : Prop, P /\\ Q -> Q /\\ P. Proof. tauto. Qed.
Lemma length_nil : forall A : Type, length (@nil A) = 0. Proof. reflexivity. Qed.
Lemma le_trans' : forall a b c : nat, a <= b -> b <= c -> a <= c. Proof. intros; lia. Qed.
Lemma or_swap : forall P Q : Prop, P \\/ Q -> Q \\/ P. Proof. tauto. Qed.
Lemma other_false : forall b : bool, b = negb b. Proof. Admitted.
Lemma mul_one : forall n : nat, n * 1 = n. Proof. intros; lia. Qed.
"""


@pytest.fixture
def theorems(tmp_path: Path) -> Path:
    path = tmp_path / "Some.v"
    path.write_text(THEOREMS)
    return path


def command(data: Path, out: Path, *extra: str) -> list[str]:
    coq = any_coq()
    return [
        str(PROVER), "run", "--env", "coq", "--model", "tactics", "--data", f"coq-files:{data}",
        "--out", str(out), "--workers", "2", "--set", f"env.bin={coq.bin}",
        "--set", "data.skip_admitted=false", "--seed", "1", *extra,
    ]  # fmt: skip


def run(args: list[str], timeout: float = 400, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(args, capture_output=True, text=True, timeout=timeout, check=False, **kwargs)


def results(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def statuses(out: Path) -> dict[str, str]:
    return {r["name"]: r["status"] for r in results(out)}


def outcomes(out: Path) -> dict[str, str]:
    """Statuses, with the two honest ways of not proving taken as one: which of them it is depends on how
    many lemmas the prover could list in its time limit, and so on how busy the machine was."""
    return {
        name: "not proved" if status in {"failed", "out_of_budget"} else status
        for name, status in statuses(out).items()
    }


def provers_below(pid: int) -> list[psutil.Process]:
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    found = []
    for child in children:
        try:
            if "-main-channel" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def assert_no_orphans(marker: str) -> None:
    """No process is left whose command line or working folder names ``marker``."""
    deadline = time.monotonic() + 5
    left: list[str] = []
    while time.monotonic() < deadline:
        left = []
        for process in psutil.process_iter(["cmdline"]):
            if marker in " ".join(process.info["cmdline"] or []) and process.pid != os.getpid():
                left.append(f"{process.pid} {process.info['cmdline']}")
        if not left:
            return
        time.sleep(0.1)
    pytest.fail(f"left over: {left}")


pytestmark = pytest.mark.timeout(600)  # whole runs of a real prover, on machines of any speed


@pytest.mark.timeout(900)
def test_provers_killed_a_hundred_times_lose_nothing(theorems: Path, tmp_path: Path) -> None:
    """kill -9 on a random prover, 100 times in one run, then a resume in peace."""
    calm = tmp_path / "calm"
    assert run(command(theorems, calm, "--budget", "400t")).returncode == 0

    out = tmp_path / "stormy"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    arguments = command(theorems, out, "--budget", "400t")
    resume = [str(PROVER), "run", "--resume", str(out), "--retry", "crashed,unchecked"]
    rng = random.Random(7)
    kills = restarts = 0
    while kills < 100:
        with subprocess.Popen(
            arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            kills += storm(process, rng, 100 - kills)
            _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert sorted(statuses(out)) == sorted(statuses(calm)), "every theorem has a record"
        restarts += sum(r["restarts"] for r in results(out))
        for name, status in statuses(out).items():
            # A dead prover says nothing: what is proved is provable, and nothing true is called failed.
            allowed = {outcomes(calm)[name], "crashed", "unchecked"}
            assert outcomes(out)[name] in allowed, (name, status)
        arguments = resume
    assert restarts > 0, "no session ever had to start its prover again: the kills came at no bad time"
    done = run(resume, env=environment)
    assert done.returncode == 0, done.stderr
    assert outcomes(out) == outcomes(calm)
    assert_no_orphans(str(tmp_path))


def storm(process: subprocess.Popen[str], rng: random.Random, most: int) -> int:
    """Kill provers below ``process`` at random times until it ends; how many."""
    kills = 0
    while kills < most and process.poll() is None:
        victims = provers_below(process.pid)
        if victims:
            try:
                rng.choice(victims).kill()
                kills += 1
            except psutil.NoSuchProcess:
                pass
        time.sleep(rng.uniform(0.05, 0.6))
    return kills


def test_a_killed_run_resumes_to_the_same_results(theorems: Path, tmp_path: Path) -> None:
    calm = tmp_path / "calm"
    assert run(command(theorems, calm, "--budget", "150t")).returncode == 0

    out = tmp_path / "killed"
    rng = random.Random(3)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    arguments = command(theorems, out, "--budget", "150t")
    for _ in range(3):
        with subprocess.Popen(
            arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        ) as process:
            deadline = time.monotonic() + 60
            while not (out / "results.jsonl").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(rng.uniform(0.1, 1.0))
            process.send_signal(signal.SIGKILL)
        assert_no_orphans(str(tmp_path))
        arguments = [str(PROVER), "run", "--resume", str(out)]
    done = run(arguments, env=environment)
    assert done.returncode == 0, done.stderr
    assert outcomes(out) == outcomes(calm)
    names = [r["name"] for r in results(out)]
    assert len(names) == len(set(names)), "nothing was done twice"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_run_says_how_to_go_on(sign: signal.Signals, theorems: Path, tmp_path: Path) -> None:
    out = tmp_path / "interrupted"
    process = subprocess.Popen(
        command(theorems, out, "--budget", "30s", "--only", "*false*"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not provers_below(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(sign)
    text, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert f"--resume {out}" in " ".join(text.split())
    assert_no_orphans(str(tmp_path))


def test_unreadable_and_broken_files_do_not_stop_the_others(theorems: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Good.v").write_text("Lemma t : True. Proof. exact I. Qed.\n")
    (folder / "Broken.v").write_text("Definition x : nat := true.\nLemma u : True. Proof. exact I. Qed.\n")
    (folder / "Latin.v").write_bytes(b"(* caf\xe9 *)\nLemma v : True. Proof. exact I. Qed.\n")
    out = tmp_path / "out"
    done = run(command(folder, out, "--budget", "50t"))
    if done.returncode == 0:
        assert statuses(out)["t"] == "proved"
        assert statuses(out)["u"] == "unavailable"
        assert "Latin.v" in done.stdout + done.stderr
    else:
        # A source that cannot be read at all may stop the run before it starts, if it says which and why.
        assert "Latin.v" in done.stderr and "UTF-8" in done.stderr
        (folder / "Latin.v").unlink()
        assert run(command(folder, tmp_path / "again", "--budget", "50t")).returncode == 0
        assert statuses(tmp_path / "again") == {"t": "proved", "u": "unavailable"}


def test_a_full_disk_stops_the_run_and_keeps_what_was_written(theorems: Path, tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands in for the full disk: writes past 6 KiB of any file fail."""
    out = tmp_path / "full"
    limited = ["/bin/sh", "-c", 'trap "" XFSZ; ulimit -f 12; exec "$@"', "sh"]
    done = run([*limited, *command(theorems, out, "--budget", "60t", "--no-trajectories")])
    assert done.returncode not in (0, 1), "a run that could not record must not look complete"
    assert "--resume" in done.stderr + done.stdout
    kept = statuses(out)
    assert kept, "what was written before the disk was full is still there"
    # The provers' own files could not be written either: such checks are `unchecked`, never a verdict.
    assert set(kept.values()) <= {"proved", "unchecked", "crashed", "out_of_budget", "failed"}
    resumed = run([str(PROVER), "run", "--resume", str(out), "--retry", "unchecked,crashed"])
    assert resumed.returncode == 0, resumed.stderr
    calm = tmp_path / "calm"
    assert run(command(theorems, calm, "--budget", "60t")).returncode == 0
    assert outcomes(out) == outcomes(calm)
