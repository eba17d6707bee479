"""``prover run`` on the fakes: what it prints, leaves, and answers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from prover_core.cli import exits
from prover_core.config.run_config import RunConfig

PROVER = Path(sys.executable).with_name("prover")
FAKE = ["run", "--env", "fake", "--model", "scripted", "--data", "fake"]


def results(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def test_a_run_ends_with_its_numbers_its_directory_and_what_to_do_next(real_prover: Any, here: Path) -> None:
    answer = real_prover(*FAKE)
    assert answer.code == 0
    (out,) = (here / "runs").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}-fake-scripted", out.name)
    assert len(results(out)) == 36
    assert "36 theorems\n  proved             30  found and checked independently\n" in answer.out
    assert f"run directory: runs/{out.name}\n" in answer.out
    assert f"prover summary runs/{out.name}" in answer.out and f"prover verify runs/{out.name}" in answer.out
    assert list((out / "trajectories").glob("*.parquet"))


def test_json_gives_events_alone_on_standard_output(real_prover: Any, here: Path) -> None:
    answer = real_prover(*FAKE, "--json", "--limit", "3", "--out", "r")
    events = [json.loads(line) for line in answer.out.splitlines()]
    assert events[0]["event"] == "run_started" and events[-1]["event"] == "run_ended"
    assert "run directory: r" in answer.err


def test_the_configuration_is_kept_with_its_origins(prover: Any, here: Path) -> None:
    (here / "c.yaml").write_text("workers: 2\noptions: {search: {max_depth: 9}}\n")
    assert prover(*FAKE, "--config", "c.yaml", "--set", "env.latency_ms=0", "--out", "r").code == 0
    saved = yaml.safe_load(Path("r/config.yaml").read_text())
    assert saved["workers"] == 2 and saved["options"]["search"]["max_depth"] == 9
    assert saved["origins"]["workers"] == "c.yaml, line 1"
    assert saved["origins"]["env.latency_ms"] == "flag --set"
    assert saved["cwd"] == str(here)


def test_show_config_runs_nothing(prover: Any, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVER_WORKERS", "3")
    answer = prover(*FAKE, "--show-config")
    assert answer.code == 0 and list(here.iterdir()) == []
    lines = [re.split(r"\s{2,}", line) for line in answer.out.splitlines()]
    assert lines[0] == ["SETTING", "VALUE", "FROM"]
    assert ["workers", "3", "variable PROVER_WORKERS"] in lines and ["budget", "20s", "default"] in lines
    data = json.loads(prover(*FAKE, "--show-config", "--json").out)
    assert data["workers"] == {"value": 3, "origin": "variable PROVER_WORKERS"}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--only", "and_*", "--only", "*_swap"], ["and_swap", "or_swap", "iff_swap"]),
        (["--only", "*swap*", "--skip", "swap_*", "--limit", "2"], ["and_swap", "or_swap"]),
    ],
)
def test_only_skip_and_limit(prover: Any, words: list[str], names: list[str]) -> None:
    assert prover(*FAKE, *words, "--out", "r").code == 0
    found = [record["name"] for record in results(Path("r"))]
    assert set(names) <= set(found) and len(found) == (2 if "--limit" in words else len(found))


def test_a_sample_is_the_same_for_the_same_seed(prover: Any) -> None:
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert prover(*FAKE, "--sample", "5", "--seed", seed, "--out", out).code == 0
    a, b, c = ([record["name"] for record in results(Path(out))] for out in "abc")
    assert a == b and len(a) == 5 and a != c


def test_whatever_was_proved_the_exit_code_is_0(prover: Any) -> None:
    answer = prover(*FAKE, "--only", "falsum", "--out", "r")
    assert answer.code == 0 and "proved              0" in answer.out


def test_every_mistake_of_the_command_line_in_one_message(prover: Any, here: Path) -> None:
    answer = prover(
        "run", "--env", "fak", "--model", "scripted", "--data", "fke", "--budget", "20", "--workers", "0"
    )
    assert answer.code == exits.USAGE and list(here.iterdir()) == []
    for part in ("Did you mean 'fake'?", "no data source 'fke'", "flag --budget", "flag --workers: workers"):
        assert part in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "nothing*"], "none of the 36 theorems of fake is left after --only 'nothing*'"),
        (
            ["--set", "env.latency=3"],
            "environment 'fake' has no option 'latency'; did you mean env.latency_ms?",
        ),
        (["--model", "tactic"], "presets spelt alike: tactics"),
        (["--preset", "tactics"], "it is a preset of kind 'policy', not 'run'"),
        (["--preset", "nothing"], "there is no preset 'nothing'"),
        (["--data", "no/such/folder"], "there is no file or folder 'no/such/folder'"),
        (["--data", "fake:nothing_like_it"], "no built-in theorem matches"),
        (["--config", "none.yaml"], "config file none.yaml cannot be read"),
        (["--workers", "2", "--set", "workers=3"], "workers is given by a flag and by --set"),
        (["--set", "env.installed=false"], "To get it:"),
        (["--retry", "crashed"], "--retry needs --resume DIR"),
    ],
)
def test_a_mistake_gets_a_message_that_helps(prover: Any, here: Path, words: list[str], message: str) -> None:
    names = {word for word in words if word.startswith("--")}
    base = [
        word for pair in zip(FAKE[1::2], FAKE[2::2], strict=True) if pair[0] not in names for word in pair
    ]
    answer = prover("run", *base, *words)
    assert answer.code == exits.USAGE
    assert message in answer.err and "Traceback" not in answer.err
    assert not (here / "runs").exists()


def test_theorems_of_another_prover_are_refused(prover: Any, here: Path) -> None:
    (here / "F.v").write_text("Lemma a : True.\nProof. exact I. Qed.\n")
    words = ["--env", "fake", "--model", "scripted", "--data", "F.v"]
    answer = prover("run", *words)
    assert answer.code == exits.USAGE
    assert "--data F.v: read as coq-files:F.v" in answer.err


def test_a_run_directory_that_is_in_use_is_not_overwritten(prover: Any) -> None:
    assert prover(*FAKE, "--limit", "1", "--out", "r").code == 0
    answer = prover(*FAKE, "--limit", "1", "--out", "r")
    assert answer.code == exits.USAGE and "r" in answer.err and len(results(Path("r"))) == 1


def test_a_preset_of_a_whole_run(prover: Any) -> None:
    answer = prover("run", "--preset", "fake-demo", "--only", "and_*", "--out", "r")
    assert answer.code == 0 and len(results(Path("r"))) == 7
    saved = yaml.safe_load(Path("r/config.yaml").read_text())
    assert saved["origins"]["env"] == "preset fake-demo" and saved["budget"] == "2000t"


def test_resume_takes_the_runs_own_settings(prover: Any) -> None:
    assert prover(*FAKE, "--limit", "3", "--out", "r").code == 0
    answer = prover("run", "--resume", "r", "--limit", "9", "--set", "env.open_ms=1")
    assert answer.code == exits.USAGE and "leave out --limit, --set" in answer.err
    assert "did you mean crashed?" in prover("run", "--resume", "r", "--retry", "crash").err
    assert prover("run", "--resume", "nowhere").code == exits.USAGE
    shown = json.loads(prover("run", "--resume", "r", "--workers", "2", "--show-config", "--json").out)
    assert shown["workers"] == {"value": 2, "origin": "flag --workers"}
    assert shown["limit"] == {"value": 3, "origin": "flag --limit"}
    answer = prover("run", "--resume", "r", "--workers", "2")
    assert answer.code == 0 and "3 theorems" in answer.out and len(results(Path("r"))) == 3


def test_retry_makes_crashed_attempts_again(prover: Any) -> None:
    words = ["--limit", "4", "--set", "env.crash_on_open=constant", "--crash-retries", "0"]
    assert prover(*FAKE, *words, "--out", "r").code == 0
    assert [record["status"] for record in results(Path("r"))].count("crashed") == 1
    config = Path("r/config.yaml")
    config.write_text(config.read_text().replace("crash_on_open: constant", "crash_on_open: ''"))
    answer = prover("run", "--resume", "r", "--retry", "crashed,unchecked")
    assert answer.code == 0 and "crashed" not in answer.out
    assert json.loads(prover("summary", "r", "--json").out)["proved"] == 4


SLOW = ["--set", "data.copies=5", "--set", "env.latency_ms=5", "--set", "data.provable_only=true"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_how_to_go_on_and_a_resume_does_the_rest(
    real_prover: Any, here: Path, number: signal.Signals
) -> None:
    words = [str(PROVER), *FAKE, *SLOW, "--grace", "0.3", "--out", "r"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "100"}
    ) as child:
        deadline = time.monotonic() + 60
        while not (Path("r/results.jsonl").exists() and len(results(Path("r"))) > 3):
            assert time.monotonic() < deadline and child.poll() is None
            time.sleep(0.05)
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 128 + number, err
    assert "prover run --resume r" in out and "left to do" in out
    before = results(Path("r"))
    # what is left is quick: the latency is the prover's, and changes nothing that is found
    config = Path("r/config.yaml")
    config.write_text(config.read_text().replace("latency_ms: 5.0", "latency_ms: 0.0"))
    answer = real_prover("run", "--resume", "r")
    assert answer.code == 0, answer.err
    after = results(Path("r"))
    assert after[: len(before)] == before
    ids = [record["theorem_id"] for record in after]
    assert len(ids) == len(set(ids)) and "left to do" not in answer.out


def test_every_setting_is_a_flag(prover: Any) -> None:
    page = prover("run", "--help").out
    for name in RunConfig.model_fields:
        assert f"--{name.replace('_', '-')}" in page
