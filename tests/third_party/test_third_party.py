"""A stranger's package, pip-installed beside Polyprover and used like any of its own plugins.

Four packages lie beside this file: ``polyprover-toy`` is complete and good; the other three each make one
mistake, and must be reported, skipped, and cost nothing else.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROVER = Path(sys.executable).with_name("prover")
BROKEN = ("polyprover-broken-import", "polyprover-misspelt-hook", "polyprover-taken-name")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Install packages into a folder of their own, by pip, as a person would."""

    def into(*packages: str) -> Path:
        target = tmp_path_factory.mktemp("site")
        # the build backend of this environment, if it is there: then no network is needed
        offline = ["--no-build-isolation", "--no-index"] if importlib.util.find_spec("hatchling") else []
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *offline]
        command += ["--disable-pip-version-check", "--target", str(target)]
        subprocess.run([*command, *(str(HERE / name) for name in packages)], check=True, timeout=150)
        return target

    return into


@pytest.fixture(scope="session")
def toy(install: Callable[..., Path]) -> Path:
    return install("polyprover-toy")


@pytest.fixture(scope="session")
def toy_and_broken(install: Callable[..., Path]) -> Path:
    return install("polyprover-toy", *BROKEN)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """``run(site, "run", ...)``: the real ``prover`` with that folder of packages."""

    def call(site: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONPATH": str(site), "COLUMNS": "120", **environ}
        return subprocess.run(
            [str(PROVER), *words],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call


def test_a_whole_run_with_a_strangers_prover_model_and_data(run: Run, toy: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    words = ["--env", "toy", "--model", "toy", "--data", "toy", "--workers", "2", "--out", "r"]
    done = run(toy, "run", *words, TOY_EVENTS=str(events))
    assert done.returncode == 0, done.stderr
    assert "5 theorems\n  proved              5" in done.stdout
    records = [json.loads(line) for line in (tmp_path / "r/results.jsonl").read_text().splitlines()]
    assert {(r["prover"], r["status"]) for r in records} == {("toy", "proved")}
    assert all(r["verdict"]["checker"] == "toy 1.2.3" for r in records)
    provenance = json.loads((tmp_path / "r/provenance.json").read_text())
    assert provenance["plugins"]["polyprover-toy"] == "1.2.3" and provenance["toolchain"]["prover"] == "toy"
    told = [json.loads(line) for line in events.read_text().splitlines()]
    assert [e["event"] for e in told] == ["start", *["done"] * 5, "end"] and told[-1]["counts"] == {
        "proved": 5
    }
    assert run(toy, "verify", "r").returncode == 0
    assert "reach 6\n      double\n" in run(toy, "summary", "r").stdout


def test_presets_options_and_arguments_of_a_stranger(run: Run, toy: Path, tmp_path: Path) -> None:
    done = run(toy, "run", "--preset", "toy-run", "--seed", "5", "--out", "r", "--set", "env.start=2")
    assert done.returncode == 0, done.stderr
    shown = run(toy, "run", "--preset", "toy-run", "--seed", "5", "--show-config", "--json")
    config = json.loads(shown.stdout)
    assert config["policy.first"] == {"value": "inc", "origin": "preset toy-slow"}
    assert config["policy.seed"] == {"value": 5, "origin": "flag --seed (of the run)"}
    assert config["data"] == {"value": "toy:12", "origin": "preset toy-run"}
    wrong = run(toy, "run", "--preset", "toy-run", "--set", "policy.frist=inc", "--data", "toy:x")
    assert wrong.returncode == 2
    assert "policy 'toy' has no option 'frist'; did you mean policy.first?" in wrong.stderr


def test_what_a_prover_cannot_do_is_said_before_the_run(run: Run, toy: Path, tmp_path: Path) -> None:
    done = run(toy, "run", "--preset", "toy-run", "--sandbox", "--recheck", "kernel", "--out", "r")
    assert done.returncode == 2 and not (tmp_path / "r").exists()
    assert "environment 'toy' cannot run its prover in a sandbox" in done.stderr
    assert "environment 'toy' has no second kernel" in done.stderr


def test_files_of_a_strangers_prover(run: Run, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "numbers.toy").write_text("reach 9\nreach 10\n")
    done = run(toy, "prove", "numbers.toy:reach_10", "--model", "toy")
    assert done.returncode == 0 and done.stdout.startswith("reach 10\n"), done.stderr
    (tmp_path / "proof").write_text("double double inc double")
    assert run(toy, "verify", "numbers.toy:reach_10", "--proof", "proof").returncode == 0
    assert run(toy, "verify", "numbers.toy:reach_9", "--proof", "proof").returncode == 1


def test_a_strangers_command(run: Run, toy: Path) -> None:
    assert "  toy-steps  Print the shortest toy proof.\n" in run(toy, "--help").stdout
    assert run(toy, "toy-steps", "13").stdout == "double inc double double inc\n"
    done = run(toy, "toy-steps", "0")
    assert (
        done.returncode == 2
        and "Error: 0 cannot be reached" in done.stderr
        and "Traceback" not in done.stderr
    )
    assert "Usage: prover toy-steps" in run(toy, "toy-steps", "--help").stdout


def test_a_strangers_plugin_is_listed_like_our_own(run: Run, toy: Path) -> None:
    data = json.loads(run(toy, "plugins", "list", "--json", "--strict").stdout)
    found = next(p for p in data["plugins"] if p["name"] == "toy")
    assert found["distribution"] == "polyprover-toy" and found["version"] == "1.2.3"
    assert found["provides"] == {
        "environments": ["toy"],
        "data sources": ["toy"],
        "policies": ["toy"],
        "commands": ["toy-steps"],
        "presets": ["toy-run", "toy-slow"],
    }
    shown = run(toy, "plugins", "show", "toy").stdout
    assert re.search(r"policy.first +'double' or 'inc' +double +The step that is tried first.", shown)


def test_broken_packages_are_reported_and_skipped(run: Run, toy_and_broken: Path, tmp_path: Path) -> None:
    done = run(toy_and_broken, "run", "--env", "toy", "--model", "toy", "--data", "toy", "--out", "r")
    assert done.returncode == 0, done.stderr
    assert "proved              5" in done.stdout
    for reason in (
        "plugin 'broken-import' (polyprover-broken-import): cannot be imported from "
        "polyprover_broken_import.plugin: ModuleNotFoundError: No module named 'a_module_that_nobody_has'",
        "plugin 'misspelt-hook' (polyprover-misspelt-hook): there is no hook prover_register_enviroments "
        "(did you mean prover_register_environments?)",
        "plugin 'taken-name' (polyprover-taken-name): environment 'coq' is left out: plugin 'coq' (polyp",
    ):
        assert f"warning: left out: {reason}" in done.stderr
    listed = run(toy_and_broken, "plugins", "list", "--json")
    data = json.loads(listed.stdout)
    assert [p["name"] for p in data["problems"]] == ["broken-import", "misspelt-hook", "taken-name"]
    names = [p["name"] for p in data["plugins"]]
    assert "toy" in names and "taken-name" in names and "misspelt-hook" not in names
    assert run(toy_and_broken, "plugins", "list", "--strict").returncode == 1
    shown = run(toy_and_broken, "plugins", "show", "coq").stdout
    assert "prover_coq.environment:CoqEnvironment" in shown


def test_a_stranger_runs_the_contract_kit(toy: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        command,
        cwd=HERE / "polyprover-toy",
        env={**os.environ, "PYTHONPATH": str(toy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None and int(passed[1]) > 40, done.stdout


def test_an_observer_that_raises_does_not_end_the_run(run: Run, toy: Path, tmp_path: Path) -> None:
    words = ["--env", "toy", "--model", "toy", "--data", "toy", "--out", "r"]
    done = run(toy, "run", *words, TOY_EVENTS=str(tmp_path / "e"), TOY_OBSERVER_RAISES="1")
    assert done.returncode == 0
    assert "prover_on_run_end raised RuntimeError: the toy observer was told to fail" in done.stderr


def test_a_stranger_can_be_switched_off(run: Run, toy: Path) -> None:
    words = ["--env", "toy", "--model", "toy", "--data", "toy"]
    done = run(toy, "run", *words, PROVER_DISABLED_PLUGINS="toy")
    assert done.returncode == 2
    assert "there is no environment 'toy'" in done.stderr
    assert "plugins disabled by PROVER_DISABLED_PLUGINS: toy" in done.stderr
