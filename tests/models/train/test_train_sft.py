"""Fine-tuning as a whole, on tiny models: what is learnt, measured, logged and left behind."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from models.train.library import config

from prover_core.contracts import TrainingData
from prover_core.errors import ConfigError
from prover_models.lm.adapter import read_adapter_info
from prover_models.lm.loading import load
from prover_models.lm.options import WeightsOptions
from prover_models.train.config import TrainConfig
from prover_models.train.sft import LmSft


def fit(told: TrainConfig, data: Path, out: Path, **more: Any) -> dict[str, Any]:
    """Train; returns the summary."""
    artifact = LmSft(told).fit(TrainingData(train=(data,)), out, **more)
    summary: dict[str, Any] = json.loads((out / "training_summary.json").read_text("utf-8"))
    assert artifact.path == out and artifact.finished == summary["finished"]
    assert dict(artifact.metrics) == summary["metrics"]
    return summary


def log(out: Path) -> list[dict[str, float]]:
    """The entries of a training log."""
    return [json.loads(line) for line in (out / "training_log.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def trained(gpt2: Path, proofs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run long enough for the few tactics of the tiny library."""
    out = tmp_path_factory.mktemp("trained") / "out"
    told = config(
        gpt2, optim={"max_steps": 60, "lr": 1e-2}, lora={"rank": 8}, eval={"every": 20, "exact_match": 64}
    )
    fit(told, proofs, out)
    return out


def test_it_learns(trained: Path) -> None:
    summary = json.loads((trained / "training_summary.json").read_text("utf-8"))
    before, after = summary["before"], summary["metrics"]
    assert after["loss"] < before["loss"] / 2 and after["exact_match"] > before["exact_match"] + 0.3
    assert after["perplexity"] == pytest.approx(math.exp(after["loss"]))
    assert [entry["step"] for entry in summary["measured"]] == [0, 20, 40, 60]
    assert summary["best_step"] == min(summary["measured"], key=lambda entry: entry["loss"])["step"]
    assert summary["parameters"]["trained"] < summary["parameters"]["all"]
    losses = [entry["loss"] for entry in log(trained) if "loss" in entry]
    assert len(losses) == 6 and losses[-1] < losses[0] / 2


def test_it_leaves_an_adapter_that_a_policy_takes(trained: Path, gpt2: Path) -> None:
    info = read_adapter_info(trained)
    assert info.base == str(gpt2) and info.template is not None and info.template.name == "goal-proofstep"
    loaded = load(WeightsOptions(adapter=trained, device="cpu"))
    assert len(loaded.tokenizer) == info.vocabulary > 367
    names = {path.name for path in trained.iterdir()}
    assert {"adapter_model.safetensors", "tokenizer.json", "prover_lm.json", "checkpoints"} <= names
    assert not names & {"optimizer.pt", "trainer_state.json", "README.md"}


def test_the_result_is_the_best_checkpoint(gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    """A learning rate that is far too high after the first steps makes an early checkpoint the best one."""
    told = config(
        gpt2,
        optim={"max_steps": 12, "lr": 0.5, "schedule": "constant", "warmup": 9, "clip": 0.0},
        eval={"every": 3, "exact_match": 0},
        save={"keep": 1},
    )
    summary = fit(told, proofs, tmp_path / "out")
    losses = {int(entry["step"]): entry["loss"] for entry in summary["measured"]}
    best = summary["best_step"]
    assert losses[best] == min(loss for step, loss in losses.items() if step) and best < 12
    kept = sorted(path.name for path in (tmp_path / "out" / "checkpoints").iterdir())
    assert kept == sorted([f"checkpoint-{best}", "checkpoint-12"])
    weights = (tmp_path / "out" / "adapter_model.safetensors").read_bytes()
    assert (
        weights
        == (
            tmp_path / "out" / "checkpoints" / f"checkpoint-{best}" / "adapter_model.safetensors"
        ).read_bytes()
    )


def test_the_same_seed_gives_the_same_curve_and_another_another(
    gpt2: Path, proofs: Path, tmp_path: Path
) -> None:
    told = {"lora": {"rank": 4, "dropout": 0.1}, "monitor": {"every": 1, "to": ()}}
    curves = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        fit(config(gpt2, **told, optim={"seed": seed, "max_steps": 4}), proofs, tmp_path / name)
        curves.append([entry["loss"] for entry in log(tmp_path / name) if "loss" in entry])
    assert curves[0] == curves[1] != curves[2] and len(curves[0]) == 4


def test_packed_and_padded_training_see_the_same_loss(gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    """Before the first step, over all validation data."""
    before = []
    for packed in (True, False):
        told = config(gpt2, packing={"enabled": packed}, optim={"max_steps": 1}, eval={"every": 1})
        before.append(fit(told, proofs, tmp_path / str(packed))["before"])
    assert before[0]["loss"] == pytest.approx(before[1]["loss"], abs=1e-5)
    assert before[0]["exact_match"] == before[1]["exact_match"]


def test_accumulated_batches_are_one_large_batch(gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    """The loss is a mean over tokens, whatever batch they are in."""
    curves = []
    for size, accumulation in ((4, 1), (1, 4)):
        optim = {"batch_size": size, "accumulation": accumulation, "max_steps": 3}
        model = {"base": str(gpt2), "dropout": 0.0}
        told = config(gpt2, model=model, optim=optim, monitor={"every": 1, "to": ()}, eval={"exact_match": 0})
        fit(told, proofs, tmp_path / f"{size}")
        curves.append([entry["loss"] for entry in log(tmp_path / f"{size}") if "loss" in entry])
    assert curves[0] == pytest.approx(curves[1], abs=1e-4)


def test_four_bit_weights_take_an_adapter(llama: Path, proofs: Path, tmp_path: Path) -> None:
    told = config(
        llama, model={"base": str(llama), "quantize": "4bit"}, optim={"max_steps": 8, "checkpointing": True}
    )
    summary = fit(told, proofs, tmp_path / "out")
    assert summary["metrics"]["loss"] < summary["before"]["loss"]
    loaded = load(WeightsOptions(adapter=tmp_path / "out", quantize="4bit", device="cpu"))
    kinds = {type(module).__name__ for module in loaded.model.modules()}
    assert "Linear4bit" in kinds


def test_training_goes_on_from_an_adapter(trained: Path, gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    told = config(gpt2, model={"adapter": str(trained), "base": None}, optim={"max_steps": 2, "lr": 1e-4})
    summary = fit(told, proofs, tmp_path / "more")
    first = json.loads((trained / "training_summary.json").read_text("utf-8"))
    assert summary["before"]["loss"] == pytest.approx(first["metrics"]["loss"], abs=1e-5)
    assert summary["continued_from"] == str(trained) and summary["base"] == str(gpt2)


def test_what_went_on_from_an_adapter_is_saved_whole(
    trained: Path, gpt2: Path, proofs: Path, tmp_path: Path
) -> None:
    """The embeddings too, at both ends of the model: a third training begins where the second ended."""
    model = {"adapter": str(trained), "base": str(gpt2), "device": "cpu"}
    second = fit(config(gpt2, model=model, optim={"max_steps": 4}), proofs, tmp_path / "second")
    model["adapter"] = str(tmp_path / "second")
    third = fit(config(gpt2, model=model, optim={"max_steps": 1}), proofs, tmp_path / "third")
    assert third["before"]["loss"] == pytest.approx(second["metrics"]["loss"], abs=1e-4)
    saved = load(WeightsOptions(adapter=tmp_path / "second", device="cpu")).model
    assert saved.get_input_embeddings().weight.equal(saved.get_output_embeddings().weight)


def test_full_training_from_random_weights(gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    told = config(gpt2, model={"method": "full", "scratch": True}, optim={"max_steps": 6})
    summary = fit(told, proofs, tmp_path / "out")
    assert summary["parameters"]["trained"] == summary["parameters"]["all"]
    assert summary["metrics"]["loss"] < summary["before"]["loss"]
    loaded = load(WeightsOptions(base=str(tmp_path / "out"), device="cpu"))
    assert loaded.model.get_input_embeddings().weight.shape[0] == len(loaded.tokenizer)


def test_early_stopping(gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    """Nothing gets better at a learning rate of next to nothing, or worse at one that is far too high."""
    told = config(
        gpt2,
        optim={"max_steps": 40, "lr": 1.0, "schedule": "constant", "warmup": 0, "clip": 0.0},
        eval={"every": 2, "patience": 2, "exact_match": 0},
    )
    summary = fit(told, proofs, tmp_path / "out")
    measured = summary["measured"]
    assert summary["steps"] < 40 and summary["finished"]
    best = min(measured[1:], key=lambda entry: entry["loss"])["step"]
    assert measured[-1]["step"] == summary["steps"] == best + 4


def test_a_prompt_that_is_trained_too(gpt2: Path, proofs: Path, tmp_path: Path) -> None:
    """All tokens count but the first of each example, so the loss is another one."""
    one, other = (
        fit(
            config(gpt2, loss={"completion_only": only}, optim={"max_steps": 1}), proofs, tmp_path / str(only)
        )
        for only in (True, False)
    )
    assert one["before"]["loss"] != pytest.approx(other["before"]["loss"], abs=1e-2)


class _Penalty:
    """An auxiliary loss with one number of its own, which it pulls to 3."""

    name, weight, wants_hidden_states = "penalty", 0.5, True

    def prepare(self, context: Any) -> Sequence[Any]:
        import torch

        self.number = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[Any] = []
        assert len(context.examples) and context.encoder.template.name == "goal-proofstep"
        return [self.number]

    def loss(self, model: Any, outputs: Any, batch: Mapping[str, Any], step: int) -> Any:
        shapes = outputs.hidden_states[-1].shape, batch["input_ids"].shape, batch["segments"].shape
        self.seen.append(shapes)
        return (self.number - 3.0) ** 2

    def evaluate(self) -> Mapping[str, float]:
        return {"number": float(self.number.detach())}

    def state(self) -> Mapping[str, Any]:
        return {"number": self.number.detach().clone()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.number.data.copy_(state["number"])

    def save(self, folder: Path) -> None:
        (folder / "penalty.txt").write_text(str(float(self.number.detach())), "utf-8")


def test_an_auxiliary_loss_is_trained_logged_and_saved(
    gpt2: Path, proofs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prover_models.train import objectives

    penalty = _Penalty()
    monkeypatch.setattr(objectives, "losses", lambda config: [penalty])
    told = config(
        gpt2, optim={"max_steps": 6, "lr": 0.1}, monitor={"every": 2, "to": ()}, eval={"best": "last"}
    )
    summary = fit(told, proofs, tmp_path / "out")
    assert 0.05 < summary["metrics"]["penalty_number"] <= 0.7
    entries = [entry for entry in log(tmp_path / "out") if "loss" in entry]
    for entry in entries:
        assert entry["loss"] == pytest.approx(entry["loss_main"] + 0.5 * entry["loss_penalty"], abs=1e-5)
    assert entries[-1]["loss_penalty"] < entries[0]["loss_penalty"]
    assert all(hidden[:2] == ids and told[1] == 5 for hidden, ids, told in penalty.seen)
    left = float((tmp_path / "out" / "penalty.txt").read_text("utf-8"))
    assert left == pytest.approx(summary["metrics"]["penalty_number"])


class _Backwards:
    """An order of examples: ten of them a round, from the end."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, float]] = []

    def prepare(self, context: Any) -> None:
        self.size = len(context.examples)

    def round(self, number: int, done: float) -> Sequence[int]:
        self.asked.append((number, done))
        return [self.size - 1 - (number * 10 + i) % self.size for i in range(10)]

    def state(self) -> Mapping[str, Any]:
        return {"asked": len(self.asked)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        assert state["asked"]


def test_an_order_of_examples_decides_the_rounds(
    gpt2: Path, proofs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prover_models.train import curriculum

    order = _Backwards()
    monkeypatch.setattr(curriculum, "example_order", lambda config: order)
    told = config(
        gpt2, optim={"max_steps": 6}, packing={"enabled": False}, eval={"every": 3, "exact_match": 0}
    )
    fit(told, proofs, tmp_path / "out")
    assert [number for number, _ in order.asked] == [0, 1]
    assert order.asked[0][1] == 0.0 and order.asked[1][1] == pytest.approx(5 / 6)


def test_what_cannot_be_is_told_before_anything_is_loaded(
    gpt2: Path, trained: Path, proofs: Path, tmp_path: Path
) -> None:
    def refused(told: TrainConfig, data: tuple[Path, ...] = (proofs,)) -> str:
        with pytest.raises(ConfigError) as e:
            LmSft(told).fit(TrainingData(train=data), tmp_path / "x")
        return str(e.value)

    assert "takes 512 tokens" in refused(config(gpt2, prompt={"max_tokens": 1024}))
    assert "no example is held out" in refused(config(gpt2, data={"share": 0}))
    assert "there is nothing to learn from" in refused(config(gpt2), ())
    assert "no_such" in refused(config(gpt2, lora={"targets": ("no_such",)}))
    assert "needs a GPU" in refused(config(gpt2, optim={"precision": "fp16"}))
    asked = config(gpt2, model={"adapter": str(trained)}, prompt={"template": "next-tactic"})
    assert "was trained with prompt template 'goal-proofstep'" in refused(asked)


def test_an_adapter_of_another_base_or_tokenizer_is_refused(
    gpt2: Path, llama: Path, trained: Path, proofs: Path, tmp_path: Path
) -> None:
    import shutil

    told = config(gpt2, model={"base": str(llama), "adapter": str(trained)})
    with pytest.raises(ConfigError, match=r"was trained on another base .*model_type gpt2 against llama"):
        LmSft(told).fit(TrainingData(train=(proofs,)), tmp_path / "x")
    changed = tmp_path / "changed"
    shutil.copytree(trained, changed, ignore=shutil.ignore_patterns("checkpoints"))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(gpt2 / name, changed / name)
    with pytest.raises(ConfigError, match="was trained with another tokenizer"):
        LmSft(config(gpt2, model={"adapter": str(changed)})).fit(
            TrainingData(train=(proofs,)), tmp_path / "x"
        )
    assert not (tmp_path / "x").exists()
