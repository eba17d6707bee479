"""Expert iteration as a whole: a model is trained, proves theorems, learns from that, is guided by values.

A tiny GPT-2, the real Coq, and theorems so easy that the model learns to prove them within a minute.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from models.lm.tiny import make_base
from toolchains import any_coq

from prover_core.cli.main import main
from prover_core.store import RunStore

_MAIN = "import sys; from prover_core.cli.main import main; sys.exit(main())"
_LEMMAS = (
    "Lemma t{i} : {i} + 3 = {sum}. Proof. reflexivity. Qed.",
    "Lemma t{i} : forall a b : Prop, a /\\ b /\\ {i} = {i} -> b /\\ a. Proof. intros. tauto. Qed.",
    "Lemma t{i} : forall n m : nat, n = m -> n + {i} = m + {i}. "
    "Proof. intros n m H. {detour}reflexivity. Qed.",
    "Lemma t{i} : forall n m p q : nat, n = m -> p = q -> n + p + {i} = m + q + {i}. "
    "Proof. intros n m p q H K. {both}reflexivity. Qed.",
)
_WAYS = (
    {"detour": "rewrite H. ", "both": "rewrite H. rewrite K. "},
    {"detour": "symmetry. rewrite H. ", "both": "rewrite K. rewrite H. "},
)
"""Half of a family's proofs go one way, half the other: a search leaves states off the path of its proof."""


def write_lemmas(folder: Path, numbers: range) -> Path:
    """A file of theorems of four families, each with proofs of its own kinds."""
    folder.mkdir()
    told = (_LEMMAS[i % 4].format(i=i, sum=i + 3, **_WAYS[i // 4 % 2]) for i in numbers)
    (folder / f"{folder.name.capitalize()}.v").write_text("\n".join(told) + "\n", "utf-8")
    return folder


def configuration(place: Path, base: Path) -> dict[str, Any]:
    """As ``examples/iterate.yaml`` has it, with a tiny model, few theorems and rates to suit them."""
    return {
        "iterations": 2,
        "run": {
            "env": "coq", "model": "gpt2-lora", "workers": 1, "suggestions": 8,
            "options": {"policy": {"device": "cpu", "max_prompt_tokens": 96}},
        },
        "search": {"data": f"coq-files:{place / 'searched'}", "budget": "40t"},
        "noise": {"temperature": 1.2, "noise": 0.25},
        "train": {
            "preset": "gpt2-lora",
            "data": [str(place / "data")],
            "lr": 1e-2,
            "options": {
                "model": {"base": str(base), "device": "cpu"},
                "prompt": {"max_prompt_tokens": 96, "max_tokens": 128},
                "lora": {"rank": 8},
                "optim": {"batch_size": 2, "accumulation": 1},
                "eval": {"every": 0.5, "exact_match": 8, "best": "loss"},
                "completion": {"every": None},
            },
        },
        "export": {"verify": True},
        "value": {"kind": "ebm"},
        "evaluate": {"data": f"coq-files:{place / 'held'}", "budgets": "40t"},
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_is_found_is_learnt_and_guides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVER_COQ_BIN", str(any_coq().bin))
    known = write_lemmas(tmp_path / "known", range(120))
    write_lemmas(tmp_path / "searched", range(120, 144))
    write_lemmas(tmp_path / "held", range(144, 152))
    assert main(["extract", "coq", str(known), "--out", str(tmp_path / "data"), "--quiet"]) == 0
    config, out = tmp_path / "iterate.yaml", tmp_path / "out"
    config.write_text(yaml.safe_dump(configuration(tmp_path, make_base(tmp_path / "gpt2", width=32))))
    told = iterate(str(config), "--out", str(out))
    print(told[told.index("ITERATION") :])
    first, second = json.loads((out / "iterations.json").read_text())["iterations"]
    assert first["found_theorems"] >= 12 and not first["guided"]

    # what was found is among what the second training learns from, at half the rate, from the first's adapter
    trained = [summary(out / f"iteration-0{i}" / "adapter") for i in range(2)]
    assert trained[1]["data"]["proofs"]["train"] > trained[0]["data"]["proofs"]["train"]
    assert trained[1]["continued_from"] == str(out / "iteration-00" / "adapter")
    assert trained[1]["before"]["loss"] < trained[0]["before"]["loss"] / 4
    rates = [settings(out / f"iteration-0{i}" / "adapter")["optim"]["lr"] for i in range(2)]
    epochs = [settings(out / f"iteration-0{i}" / "adapter")["optim"]["epochs"] for i in range(2)]
    assert rates == [1e-2, 5e-3] and epochs == [3, 1]

    # the value model was asked in the second search, and what was learnt is still there
    fitted = json.loads((out / "iteration-01" / "value" / "value.json").read_text("utf-8"))
    print("value model:", fitted["fitted_to"])
    assert second["guided"] and fitted["fitted_to"]["theorems"] >= 1
    asked = [seconds_of_values(out / f"iteration-0{i}" / "search") for i in range(2)]
    assert asked[0] == 0 < asked[1]
    assert second["proved"] >= 12 and second["evaluated"][0]["proved"] >= 4

    assert "begins" not in iterate("--resume", str(out))


def iterate(*words: str) -> str:
    """Give the command; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", _MAIN, "iterate", *words], capture_output=True, text=True, timeout=1500,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def summary(adapter: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((adapter / "training_summary.json").read_text("utf-8"))
    return found


def settings(adapter: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((adapter / "train_config.yaml").read_text("utf-8"))
    return found


def seconds_of_values(run: Path) -> float:
    with RunStore.open(run) as store:
        return sum(record.seconds_value for record in store.records())
