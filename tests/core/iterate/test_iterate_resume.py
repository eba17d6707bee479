"""``prover iterate`` from the shell: killed, stopped and given again, it ends where it would have ended."""

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

import pytest

from prover_core.cli.main import main
from prover_core.data.dataset import Dataset
from prover_core.store import RunStore

_MAIN = "import sys; from prover_core.cli.main import main; sys.exit(main())"
_TEXT = """\
iterations: 2
run: {env: fake, model: scripted, budget: 25t, options: {env: {latency_ms: 2}}}
search: {data: fake}
noise: {noise: 0.3}
evaluate: {data: fake, budgets: "5,25"}
"""


def _start(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _MAIN, "iterate", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def _to_the_end(*words: str) -> str:
    process = _start(*words)
    told, _ = process.communicate(timeout=150)
    assert process.returncode == 0, told.decode()
    return told.decode()


def _found(out: Path) -> dict[str, Any]:
    """All that does not depend on the clock."""
    told: dict[str, Any] = {}
    for run in sorted(out.glob("iteration-*/search*")):
        with RunStore.open(run) as store:
            rows = sorted((r.theorem_id, r.status.value, r.proof, r.tries) for r in store.records())
        told[f"{run.parent.name}/{run.name}"] = rows
    for found in sorted(out.glob("iteration-*/found")):
        with Dataset.open(found) as dataset:
            told[f"{found.parent.name}/found"] = [(p.id, p.proof_text) for p in dataset.proofs()]
    for result in sorted(out.glob("iteration-*/eval/result.json")):
        budgets = json.loads(result.read_text())["budgets"]
        told[f"{result.parent.parent.name}/eval"] = [
            (b["budget"], [(t["id"], t["statuses"]) for t in b["theorems"]]) for b in budgets
        ]
    compared = json.loads((out / "iteration-01" / "compare.json").read_text())
    told["compare"] = [pair for b in compared["subsets"][0]["budgets"] for pair in b["pairs"]]
    lines = json.loads((out / "iterations.json").read_text())["iterations"]
    told["lines"] = [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
    return told


def _disturbed(out: Path, config: Path, signals: list[int], seed: int) -> int:
    """Give the command again after each signal, sent at a random moment; returns how many were delivered
    before it came to its end."""
    chance = random.Random(seed)
    sent = 0
    for number in signals:
        words = (
            ("--resume", str(out)) if (out / "iterate.yaml").is_file() else (str(config), "--out", str(out))
        )
        process = _start(*words)
        deadline = time.monotonic() + chance.uniform(1.0, 6.0)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        over = process.poll() is not None
        if not over:
            os.kill(process.pid, number)
            sent += 1
        told, _ = process.communicate(timeout=90)
        if over:
            assert process.returncode == 0, told.decode()
            break
        expected = {0, -number, 128 + number}  # -number: it came before the command could take it
        assert process.returncode in expected, told.decode()
        if process.returncode == 128 + number:
            assert f"prover iterate --resume {out}" in told.decode()
    return sent


def _undisturbed(tmp_path: Path, text: str = _TEXT) -> tuple[Path, dict[str, Any]]:
    config = tmp_path / "iterate.yaml"
    config.write_text(text)
    out = tmp_path / "calm"
    told = _to_the_end(str(config), "--out", str(out))
    assert "01-compare: done in" in told and "PASS@1" in told
    found = _found(out)
    assert found["lines"][1]["guided"] and 0 <= found["lines"][1]["value_auc"] <= 1
    return config, found


def test_killed_and_stopped_it_ends_where_it_would_have_ended(tmp_path: Path) -> None:
    config, expected = _undisturbed(tmp_path)
    out = tmp_path / "torn"
    assert _disturbed(out, config, [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL], seed=3) >= 2
    _to_the_end("--resume", str(out))
    assert _found(out) == expected
    again = _to_the_end("--resume", str(out))
    assert "begins" not in again and "going on" not in again


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_random_moments(tmp_path: Path) -> None:
    """Ten that find it running, over as many iterations as that takes."""
    config, expected = _undisturbed(tmp_path)
    signals: list[int] = [signal.SIGKILL, signal.SIGTERM] * 5
    sent = folders = 0
    while sent < len(signals):
        out = tmp_path / f"torn{folders}"
        delivered = _disturbed(out, config, signals[sent:], seed=folders)
        assert delivered, "it ended before the first signal"
        sent, folders = sent + delivered, folders + 1
        _to_the_end("--resume", str(out))
        assert _found(out) == expected
    print(f"{sent} signals while it ran, {folders} iterations, each as the undisturbed one")


def test_mistakes_are_told_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "iterate.yaml"
    config.write_text(_TEXT.replace("25t", "25x").replace("scripted", "scriptde"))
    out = tmp_path / "out"
    assert main(["iterate", str(config), "--out", str(out)]) == 2
    told = capsys.readouterr().err
    assert "scriptde" in told and "25x" in told and "search" in told and "flag" not in told
    assert not out.exists()
    assert main(["iterate", "--quick", "--out", str(out)]) == 2
    assert "--env, --model, --data" in capsys.readouterr().err
    assert main(["iterate", str(config), "--quick", "--resume", str(out), "--workers", "2"]) == 2
    told = capsys.readouterr().err
    assert "--workers: only with --quick" not in told and "leave out --quick" in told


def test_a_dry_run_starts_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "iterate.yaml"
    config.write_text(_TEXT)
    out = tmp_path / "out"
    assert main(["iterate", str(config), "--out", str(out), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "HOURS" in told and "36 theorems" in told and "prover run --config" in told
    assert not out.exists()
    assert main(["iterate", str(config), "--out", str(out), "--dry-run", "--json"]) == 0
    stages = json.loads(capsys.readouterr().out)
    assert [each["stage"] for each in stages][:2] == ["00-search", "00-search-noise"]
    assert all(each["hours"] > 0 and each["basis"] for each in stages)


def test_another_configuration_is_refused_until_it_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["iterate", "--quick", "--env", "fake", "--model", "scripted", "--data", "fake", "--sample", "3"]
    out = tmp_path / "out"
    assert main([*words, "--out", str(out)]) == 0
    capsys.readouterr()
    assert main([*words, "--budget", "7t", "--out", str(out)]) == 2
    assert "--accept-changes" in capsys.readouterr().err
    assert main([*words, "--budget", "7t", "--out", str(out), "--accept-changes"]) == 0
    told = capsys.readouterr().out
    assert "what was there is now" in told
    assert (out / "superseded" / "00-search.0" / "results.jsonl").is_file()


def _given(tmp_path: Path, text: str, *words: str) -> Path:
    """Carry it out; returns its folder."""
    config, out = tmp_path / "iterate.yaml", tmp_path / "out"
    config.write_text(text)
    assert main(["iterate", str(config), "--out", str(out), *words]) == 0
    return out


def test_where_no_value_model_can_be_fitted_the_search_goes_on_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Proofs of one tactic have no states on their way to learn from."""
    text = "iterations: 2\nnoise: null\nrun: {env: fake, model: scripted, budget: 25t}\n"
    out = _given(tmp_path, text + "search: {data: fake, only: [true_intro]}\n")
    told = capsys.readouterr().out
    assert "01-value: done" in told and "there was nothing to make" in told and "01-compare: done" in told
    lines = json.loads((out / "iterations.json").read_text())["iterations"]
    assert [line["guided"] for line in lines] == [False, False] and lines[1]["proved"] == 1
    assert "value" not in (out / "iteration-01" / "config" / "search.yaml").read_text()
    assert main(["iterate", "--resume", str(out)]) == 0
    told = capsys.readouterr().out
    assert "6 of 6 stages are done" in told and "begins" not in told


def test_what_an_earlier_configuration_left_does_not_count(tmp_path: Path) -> None:
    text = "iterations: 1\nrun: {env: fake, model: scripted, budget: 9t}\nsearch: {data: fake, limit: 4}\n"
    out = _given(tmp_path, text + "noise: {noise: 0.3}\nevaluate: {data: fake, budgets: 5t}\n")
    (line,) = json.loads((out / "iterations.json").read_text())["iterations"]
    assert line["searched"] == 8 and line["evaluated"]
    _given(tmp_path, text + "noise: null\n", "--accept-changes")
    (line,) = json.loads((out / "iterations.json").read_text())["iterations"]
    assert line["searched"] == 4 and not line["evaluated"]


def test_sigterm_is_heard_by_one_that_was_started_with_it_blocked(tmp_path: Path) -> None:
    """As programs that block signals in all their threads start it."""
    config, out = tmp_path / "iterate.yaml", tmp_path / "out"
    config.write_text(_TEXT.replace("latency_ms: 2", "latency_ms: 500"))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        process = _start(str(config), "--out", str(out), "--grace", "20")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    deadline = time.monotonic() + 60
    results = out / "iteration-00" / "search" / "results.jsonl"
    while not results.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    process.terminate()
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 143, told.decode()
    assert "SIGTERM" in (out / "iteration-00" / "search" / "log.jsonl").read_text()
