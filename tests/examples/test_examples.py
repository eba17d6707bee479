"""Every example: its file is a valid configuration, its script runs (tiny models, a few steps)."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from prover_core.cli.train import TrainRequest, resolve_training
from prover_core.iterate.config import load_config
from prover_core.plugins.manager import installed_plugins

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.sh"))
CONFIGS = [path for path in sorted(EXAMPLES.glob("*.yaml")) if path.stem != "iterate"]
PACKAGES = ("torch", "transformers", "peft", "accelerate", "jinja2")
SMALL = (
    "model.device=cpu", "prompt.max_prompt_tokens=96", "prompt.max_tokens=128", "lora.rank=2",
    "optim.max_steps=2", "optim.batch_size=2", "optim.accumulation=1", "eval.every=2",
)  # fmt: skip
OF_SFT = (
    "eval.exact_match=2",
    "eval.best=loss",
    "completion.every=null",
    "data.share=0.2",
    "data.by=theorem",
)


@pytest.fixture(scope="session")
def packages() -> None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"SKIPPED FOR WANT OF PACKAGES: {', '.join(missing)}: pip install 'polyprover[train]'")


@pytest.fixture(scope="session")
def folder(packages: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny models, proofs of two provers."""
    from models.lm.tiny import make_base
    from models.train.library import make_dataset

    folder = tmp_path_factory.mktemp("examples")
    make_base(folder / "gpt2", width=32)
    make_base(folder / "llama", "llama", width=64)
    make_dataset(folder / "coq")
    make_dataset(folder / "lean4", prover="lean4")
    return folder


@pytest.fixture(scope="session")
def adapter(folder: Path) -> Path:
    from models.lm.tiny import make_adapter

    return make_adapter(folder / "gpt2", folder / "adapter")


@pytest.fixture(scope="session")
def tried(folder: Path) -> Path:
    """A run of the real Coq."""
    from models.train.objectives.proving import run_coq

    (folder / "tried").mkdir()
    return run_coq(folder / "tried", 27)


def run(name: str, folder: Path, *sets: str, words: tuple[str, ...] = (), **variables: str | Path) -> str:
    """Run a script as a person would; returns what it printed."""
    given = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "POLYPROVER_CACHE": str(folder / "c"),
    }
    given["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given |= {key: str(value) for key, value in variables.items()}
    flags = [word for told in sets for word in ("--set", told)]
    command = ["bash", str(EXAMPLES / f"{name}.sh"), *flags, *words]
    done = subprocess.run(
        command, cwd=folder, env=given, capture_output=True, text=True, timeout=850, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def summary(out: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((out / "training_summary.json").read_text("utf-8"))
    assert found["finished"] and found["steps"] == 2
    return found


# --- in every test run


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configs_are_valid(path: Path) -> None:
    resolved = resolve_training(TrainRequest(config=path), installed_plugins())
    told = yaml.safe_load(path.read_text("utf-8"))
    given = [key for key, _, origin in resolved.options.items() if origin.startswith(str(path))]
    assert len(given) == sum(len(value) for key, value in told.items() if key != "preset") > 0


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_can_be_read_and_name_what_is_there(path: Path) -> None:
    assert path.stat().st_mode & stat.S_IXUSR
    subprocess.run(["bash", "-n", str(path)], check=True, timeout=10)
    text = path.read_text("utf-8")
    for name in re.findall(r"\$here/([\w.-]+)", text):
        assert (EXAMPLES / name).is_file()
    commands = {word for word in re.findall(r"^(?:\[.*\|\| )?prover (\w+)", text, re.MULTILINE)}
    known = {entry.name for entry in installed_plugins().commands}
    assert commands <= known
    assert f"`{path.name}`" in (EXAMPLES / "README.md").read_text("utf-8")


def test_every_config_has_a_script_and_every_script_a_test() -> None:
    here = Path(__file__).read_text("utf-8")
    for path in (*CONFIGS, *SCRIPTS):
        assert (EXAMPLES / f"{path.stem}.sh").is_file()
        assert f'"{path.stem}"' in here


def test_iterate_is_valid() -> None:
    found = load_config(EXAMPLES / "iterate.yaml")
    assert found.iterations == 3 and found.train is not None


# --- each script; minutes in all


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["gpt2-lora", "curriculum"])
def test_supervised(name: str, folder: Path) -> None:
    out = folder / f"out-{name}"
    run(name, folder, *SMALL, *OF_SFT, f"model.base={folder / 'gpt2'}", DATA=folder / "coq", OUT=out)
    assert summary(out)["trainer"] == "lm-sft" and (out / "loss_curve.svg").is_file()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_four_bit(folder: Path) -> None:
    pytest.importorskip("bitsandbytes")
    out, base = folder / "out-qlora", folder / "llama"
    run("deepseek-qlora", folder, *SMALL, *OF_SFT, f"model.base={base}", DATA=folder / "coq", OUT=out)
    summary(out)
    told = run("export", folder, words=("--json",), ADAPTER=out, OUT=folder / "merged-qlora")
    check = json.loads(told[: told.rindex("}") + 1])["verification"]
    assert check["same"] and check["greedy_equal"] == check["prompts"] == 6


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_mixture(folder: Path) -> None:
    told = yaml.safe_load((EXAMPLES / "mixture.yaml").read_text("utf-8"))
    for part, name in zip(told["data"]["train"], ("coq", "lean4"), strict=True):
        part["path"] = str(folder / name)
    (folder / "mixture.yaml").write_text(yaml.safe_dump(told))
    out = folder / "out-mixture"
    sets = (*SMALL, *OF_SFT, f"model.base={folder / 'gpt2'}", "data.leakage=off")
    run("mixture", folder, *sets, CONFIG=folder / "mixture.yaml", OUT=out)
    assert summary(out)["trainer"] == "lm-sft"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["auxiliary", "lm-value", "dpo", "grpo"])
def test_learning_from_runs(name: str, folder: Path, adapter: Path, tried: Path) -> None:
    if name in ("dpo", "grpo"):
        pytest.importorskip("trl")
    out, base = folder / f"out-{name}", f"model.base={folder / 'gpt2'}"
    if name == "auxiliary":
        run(name, folder, *SMALL, *OF_SFT, base, DATA=folder / "coq", RUN=tried, OUT=out)
        assert (out / "verification_head.json").is_file()
    elif name == "lm-value":
        run(name, folder, *SMALL, base, RUN=tried, OUT=out)
    elif name == "dpo":
        run(name, folder, *SMALL, ADAPTER=adapter, RUN=tried, OUT=out)
    else:
        more = ("grpo.generations=2", "grpo.max_new_tokens=8", f"grpo.set=[env.bin={coq()}]")
        run(name, folder, *SMALL, *more, ADAPTER=adapter, DATA=tried, OUT=out)
    summary(out)


def coq() -> Path:
    from toolchains import any_coq

    return any_coq().bin


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sweep(folder: Path) -> None:
    sets = (*(word for word in SMALL if "rank" not in word), *OF_SFT, f"model.base={folder / 'gpt2'}")
    told = run(
        "sweep", folder, *sets, DATA=folder / "coq", OUT=folder / "sweep", RANKS="2,4", RATES="1e-3"
    )  # fmt: skip
    assert told.count("| 1e-3 |") == 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_distributed(folder: Path) -> None:
    out = folder / "out-distributed"
    run("distributed", folder, *SMALL, *OF_SFT, f"model.base={folder / 'gpt2'}", DATA=folder / "coq", OUT=out)
    assert summary(out)["processes"] == 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_export(folder: Path, adapter: Path) -> None:
    told = run(
        "export", folder, words=("--data", str(folder / "coq")), ADAPTER=adapter, OUT=folder / "merged"
    )
    assert "6 of 6 greedy texts are equal" in told and (folder / "merged" / "README.md").is_file()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_iterate(folder: Path) -> None:
    """The example's own configuration, iteration after iteration, with a tiny model and four lemmas."""
    lemmas = folder / "lemmas"
    lemmas.mkdir()
    for name in ("Searched", "Held"):
        (lemmas / f"{name}.v").write_text("".join(f"Lemma {name}{i} : {i} = {i}. auto. Qed.\n" for i in "12"))
    told = yaml.safe_load((EXAMPLES / "iterate.yaml").read_text("utf-8"))
    told["run"]["options"] = {"policy": {"device": "cpu", "max_prompt_tokens": 96}}
    told["search"] |= {"data": f"coq-files:{lemmas / 'Searched.v'}", "budget": "4t"}
    told["evaluate"] |= {"data": f"coq-files:{lemmas / 'Held.v'}", "budgets": "4t"}
    told["train"]["data"] = [str(folder / "coq")]
    told["train"]["options"] = options = {"model": {"base": str(folder / "gpt2")}}
    for word in (*SMALL, *OF_SFT):
        place, value = word.split("=")
        section, name = place.split(".")
        options.setdefault(section, {})[name] = yaml.safe_load(value)
    (folder / "iterate.yaml").write_text(yaml.safe_dump(told))
    out = folder / "iterations"
    given: dict[str, str | Path] = {"CONFIG": folder / "iterate.yaml", "OUT": out, "PROVER_COQ_BIN": coq()}
    plan = run("iterate", folder, words=("--dry-run", "--json"), **given)
    assert not out.exists()
    stages = [each["stage"] for each in json.loads(plan)]
    run("iterate", folder, **given)
    progress = json.loads((out / "iterations.json").read_text("utf-8"))["iterations"]
    assert len(progress) == told["iterations"] == 3 and progress[0]["searched"] == 4
    done = {path.name.removesuffix(".done.json") for path in (out / "state").glob("*.done.json")}
    # a model that has hardly been trained proves nothing, so that there is nothing to fit values to
    assert done == set(stages) - {"01-value", "02-value"}
    for i in range(3):
        adapter = out / f"iteration-{i:02d}" / "adapter"
        summary(adapter)
        rates = yaml.safe_load((adapter / "train_config.yaml").read_text("utf-8"))["optim"]
        assert rates["lr"] == 2e-4 / 2**i and rates["epochs"] == (1 if i else 3)
        assert (out / "logs" / f"{i:02d}-train.log").stat().st_size > 0
