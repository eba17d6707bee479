"""An evaluation that is killed, again and again, ends as if it had not been; two cannot write at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from toolchains import any_coq

from prover_core.evaluation import IterationResult

SEED = int(os.environ.get("PROVER_TEST_SEED", "20261121"))


def lines(out: Path) -> int:
    return sum(len(file.read_bytes().splitlines()) for file in out.glob("runs/*/*/results.jsonl"))


def start(program: Path, words: list[str], out: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as sink:
        return subprocess.Popen(
            [str(program), *words, "--out", str(out), "--resume"], stdout=sink, stderr=subprocess.STDOUT
        )


def end(process: subprocess.Popen[bytes], how: signal.Signals) -> int:
    process.send_signal(how)
    return process.wait(timeout=60)


def wait_for(out: Path, wanted: int, process: subprocess.Popen[bytes], extra_s: float) -> None:
    """Until so many attempts are recorded, and then a moment."""
    until = time.monotonic() + 60
    while lines(out) < wanted and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(extra_s)


def disturb(program: Path, words: list[str], out: Path, total: int, kills: int) -> list[int]:
    """Start it, end it at a random moment by SIGKILL or SIGTERM, again and again; then let it end.

    Gives how many attempts were recorded at each kill.
    """
    draw = random.Random(SEED)
    log = out.with_suffix(".log")
    seen: list[int] = []
    for kill in range(kills):
        process = start(program, words, out, log)
        if kill == 0:  # anywhere while it starts
            time.sleep(draw.uniform(0.05, 1.0))
        else:
            ahead = max(1, (total - lines(out)) // (kills - kill + 1))
            wait_for(out, lines(out) + draw.randint(1, ahead), process, draw.uniform(0, 0.03))
        how = signal.SIGKILL if kill % 2 == 0 else signal.SIGTERM
        code = end(process, how)
        assert code in (-how, 143, 0), log.read_text()
        seen.append(lines(out))
    process = start(program, words, out, log)
    assert process.wait(timeout=400) == 0, log.read_text()
    return seen


@pytest.mark.timeout(600)
def test_killed_at_ten_moments_it_ends_as_if_undisturbed(program: Path, tmp_path: Path) -> None:
    words = ["eval", "--env", "fake", "--model", "scripted", "--data", "fake", "--budgets", "10,25,2c"]
    words += ["--attempts", "3", "--temperature", "1.5", "--seed", "3", "--workers", "2", "--grace", "0.05"]
    words += ["--set", "env.latency_ms=1", "--set", "search.siblings=4"]
    undisturbed = start(program, words, tmp_path / "whole", tmp_path / "whole.log")
    assert undisturbed.wait(timeout=120) == 0, (tmp_path / "whole.log").read_text()
    total = lines(tmp_path / "whole")
    assert total == 36 * 3 * 2  # 10t is read from 25t; 2c is run
    seen = disturb(program, words, tmp_path / "killed", total, kills=10)
    assert sum(0 < count < total for count in seen) >= 7, seen  # the kills hit it at work
    whole, killed = IterationResult.load(tmp_path / "whole"), IterationResult.load(tmp_path / "killed")
    assert killed.comparable() == whole.comparable()
    assert lines(tmp_path / "killed") == total  # and nothing was made twice
    again = start(program, ["eval"], tmp_path / "killed", tmp_path / "again.log")
    assert again.wait(timeout=60) == 0  # once more, with no word of what: nothing is left to do
    assert IterationResult.load(tmp_path / "killed").comparable() == whole.comparable()


def test_two_processes_cannot_write_to_one_evaluation(call: Any, program: Path, tmp_path: Path) -> None:
    words = ["eval", "--env", "fake", "--model", "scripted", "--data", "fake", "--budgets", "50"]
    words += ["--set", "env.latency_ms=20"]
    first = start(program, words, tmp_path / "e", tmp_path / "log")
    try:
        wait_for(tmp_path / "e", 1, first, 0)
        before = {p: p.read_bytes() for p in (tmp_path / "e").glob("*.json")}
        second = call(*words, "--out", str(tmp_path / "e"), "--resume")
        assert second.code == 2
        assert f"is being written by process {first.pid} on" in second.err
        assert {p: p.read_bytes() for p in (tmp_path / "e").glob("*.json")} == before
        third = call(*words, "--out", str(tmp_path / "e"))
        assert third.code == 2 and "--resume" in third.err
    finally:
        first.kill()
        first.wait(timeout=30)


def test_theorems_that_changed_meanwhile_are_not_taken_for_those_that_were_tried(
    call: Any, here: Path
) -> None:
    words = [
        "eval",
        "--env",
        "fake",
        "--model",
        "scripted",
        "--data",
        "fake",
        "--limit",
        "3",
        "--budgets",
        "9",
    ]
    assert call(*words, "--out", "e").code == 0
    found = (here / "e/result.json").read_bytes()
    (run,) = here.glob("e/runs/*/*")
    for file, old, new in (  # as if it had been begun when the second theorem was another one
        ("results.jsonl", '"theorem identity : a -> a."', '"theorem identity : b -> b."'),
        ("provenance.json", '"data_hash": "', '"data_hash": "0'),
    ):
        assert old in (run / file).read_text()
        (run / file).write_text((run / file).read_text().replace(old, new))
    answer = call("eval", "--out", "e", "--resume")
    assert answer.code == 2 and "3 then, 3 now; fake:identity, for one, is another" in answer.err, answer.err
    assert (here / "e/result.json").read_bytes() == found


def test_a_run_without_its_results_is_not_thrown_away(call: Any, here: Path) -> None:
    words = [
        "eval",
        "--env",
        "fake",
        "--model",
        "scripted",
        "--data",
        "fake",
        "--limit",
        "3",
        "--budgets",
        "9",
    ]
    assert call(*words, "--out", "e").code == 0
    whole = IterationResult.load(here / "e")
    (run,) = here.glob("e/runs/*/*")
    (run / "results.jsonl").rename(here / "kept.jsonl")
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    answer = call("eval", "--out", "e", "--resume")
    assert answer.code == 2 and "has no results.jsonl, and holds log.jsonl" in answer.err
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before
    for file in before:  # as a kill leaves it that hits the making of the directory
        if file.name not in ("config.yaml", "lock"):
            file.unlink()
    (run / "log.jsonl").touch()
    assert call("eval", "--out", "e", "--resume").code == 0
    assert IterationResult.load(here / "e").comparable() == whole.comparable()


def test_names_that_are_no_utf_8(call: Any, here: Path) -> None:
    coq = any_coq()
    (here / "odd").mkdir()
    (here / "odd" / os.fsdecode(b"\xff.v")).write_text("Lemma a : True.\nProof. exact I. Qed.\n")
    words = ["eval", "--env", "coq", "--model", "tactics", "--set", f"env.bin={coq.bin}", "--budgets", "2"]
    assert call(*words, "--data", "coq-files:odd", "--by", "project", "--out", "e").code == 0
    (theorem,) = IterationResult.load(here / "e").budgets[0].theorems
    assert theorem.id == "\\udcff.v:a"  # in letters, in the records as in the result
    again = call("eval", "--out", "e", "--resume", "--json")
    assert again.code == 0 and "0 to attempt (1 done before)" in again.err
    refused = call(*words, "--data", "coq-files:" + os.fsdecode(b"odd/\xff.v"), "--out", "f")
    assert refused.code == 2 and "this is not UTF-8" in refused.err


def test_another_version_meanwhile_is_noted(call: Any, here: Path) -> None:
    words = [
        "eval",
        "--env",
        "fake",
        "--model",
        "scripted",
        "--data",
        "fake",
        "--limit",
        "3",
        "--budgets",
        "9",
    ]
    assert call(*words, "--out", "e").code == 0
    file = next(here.glob("e/runs/*/*/provenance.json"))
    file.write_text(file.read_text().replace('"version": "1"', '"version": "0.9"'))
    assert call("eval", "--out", "e", "--resume").code == 0
    (note,) = IterationResult.load(here / "e").notes
    assert note.startswith("gone on with under other conditions: toolchain: was")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_on_a_real_coq_it_ends_as_if_undisturbed(program: Path, tmp_path: Path) -> None:
    coq = any_coq()
    words = ["eval", "--env", "coq", "--model", "tactics", "--data", "coq-stdlib:Bool", "--limit", "14"]
    words += ["--budgets", "5,15", "--attempts", "2", "--temperature", "1.0", "--grace", "0.1"]
    words += ["--set", f"env.bin={coq.bin}"]
    undisturbed = start(program, words, tmp_path / "whole", tmp_path / "whole.log")
    assert undisturbed.wait(timeout=400) == 0, (tmp_path / "whole.log").read_text()
    total = lines(tmp_path / "whole")
    seen = disturb(program, words, tmp_path / "killed", total, kills=4)
    assert sum(0 < count < total for count in seen) >= 2, seen
    whole, killed = IterationResult.load(tmp_path / "whole"), IterationResult.load(tmp_path / "killed")
    assert killed.comparable() == whole.comparable()
