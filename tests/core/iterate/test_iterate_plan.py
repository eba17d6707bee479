"""The YAML file of an expert iteration, and the stages that it stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from prover_core.errors import ConfigError
from prover_core.iterate.config import IterateConfig, config_text, load_config, quick_config, run_settings
from prover_core.iterate.plan import Facts, Stage, plan_iteration

_TEXT = """\
iterations: 3
seed: 5
run: {env: fake, model: scripted, options: {policy: {a: 1}}}
search: {data: fake, budget: 20t}
train: {preset: gpt2-lora, data: [data/x], options: {prompt: {max_tokens: 64}}}
export: {verify: true}
evaluate: {data: fake, budgets: "5,10", attempts: 2}
"""


def _load(tmp_path: Path, text: str = _TEXT) -> IterateConfig:
    path = tmp_path / "iterate.yaml"
    path.write_text(text)
    return load_config(path)


def _plan(config: IterateConfig, iteration: int, proofs: int = 3) -> dict[str, Stage]:
    facts = Facts(proofs=proofs if iteration else 0)
    return {stage.name: stage for stage in plan_iteration(config, Path("out"), iteration, facts)}


def _sets(stage: Stage) -> dict[str, str]:
    words = stage.words
    told = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    return dict(each.split("=", 1) for each in told)


def _data(stage: Stage) -> list[str]:
    return [stage.words[i + 1] for i, word in enumerate(stage.words) if word == "--data"]


def test_the_stages_stand_in_the_order_of_expert_iteration(tmp_path: Path) -> None:
    config = _load(tmp_path)
    first = ["train", "export", "search", "search-noise", "harvest", "evaluate"]
    assert list(_plan(config, 0)) == first
    later = ["train", "export", "value", "search", "harvest", "evaluate", "compare"]
    assert list(_plan(config, 1)) == later


def test_the_learning_rate_halves_and_epochs_go_from_three_to_one(tmp_path: Path) -> None:
    config = _load(tmp_path)
    rates = [float(_sets(_plan(config, i)["train"])["optim.lr"]) for i in range(3)]
    assert rates == [2e-4, 1e-4, 5e-5]
    assert [_sets(_plan(config, i)["train"])["optim.epochs"] for i in range(3)] == ["3", "1", "1"]
    assert _sets(_plan(config, 0)["train"])["prompt.max_tokens"] == "64"


def test_what_was_found_is_added_and_the_adapter_before_is_gone_on_from(tmp_path: Path) -> None:
    config = _load(tmp_path)
    first, second = _plan(config, 0)["train"], _plan(config, 1)["train"]
    assert _data(first) == ["data/x"] and "--base" not in first.words
    assert _data(second) == ["data/x", "out/iteration-00/found"]
    assert second.words[second.words.index("--base") + 1] == "out/iteration-00/adapter"
    assert Path("out/iteration-00/found") in second.inputs


def test_noise_is_of_iteration_0_alone_and_the_value_model_of_the_later_ones(tmp_path: Path) -> None:
    config = _load(tmp_path)
    noisy = _plan(config, 0)["search-noise"].settings
    assert noisy["temperature"] == 1.2 and noisy["noise"] > 0 and "value" not in noisy
    plain, guided = _plan(config, 0)["search"].settings, _plan(config, 1)["search"].settings
    assert "value" not in plain and noisy["seed"] != plain["seed"]
    assert guided["value"] == "ebm" and guided["options"]["value"] == {"path": "out/iteration-01/value"}
    fitted = _plan(config, 2)["value"]
    assert [str(p) for p in fitted.inputs] == [
        "out/iteration-00/search", "out/iteration-00/search-noise", "out/iteration-01/search",
    ]  # fmt: skip


def test_without_any_proof_no_value_model_is_fitted_and_nothing_is_added(tmp_path: Path) -> None:
    stages = _plan(_load(tmp_path), 1, proofs=0)
    assert "value" not in stages and "value" not in stages["search"].settings
    assert _data(stages["train"]) == ["data/x"]


def test_searches_and_evaluations_use_the_merged_weights_where_there_are_any(tmp_path: Path) -> None:
    config = _load(tmp_path)
    for name in ("search", "evaluate"):
        options = _plan(config, 1)[name].settings["options"]
        assert options["policy"] == {"a": 1, "base": "out/iteration-01/merged"}
    plain = config.model_copy(update={"export": None})
    options = _plan(plain, 1)["search"].settings["options"]
    assert options["policy"] == {"a": 1, "adapter": "out/iteration-01/adapter"}


def test_an_evaluation_has_the_same_seed_in_every_iteration(tmp_path: Path) -> None:
    """It is compared theorem by theorem: what differs is to be the model."""
    config = _load(tmp_path)
    assert {_plan(config, i)["evaluate"].settings["seed"] for i in range(3)} == {5}
    assert [_plan(config, i)["search"].settings["seed"] for i in range(3)] == [5, 6, 7]
    assert "budget" not in _plan(config, 0)["evaluate"].settings


def test_quick_searches_twice_with_the_same_seed_and_compares(tmp_path: Path) -> None:
    config = quick_config({"env": "fake", "model": "scripted", "data": "fake"})
    assert list(_plan(config, 0)) == ["search", "harvest"]
    assert list(_plan(config, 1)) == ["value", "search", "harvest", "compare"]
    assert _plan(config, 0)["search"].settings["seed"] == _plan(config, 1)["search"].settings["seed"]
    saved = tmp_path / "saved.yaml"
    saved.write_text(config_text(config))
    assert load_config(saved) == config


def test_every_mistake_of_the_file_is_told_with_its_line(tmp_path: Path) -> None:
    text = "iteration: 2\nrun: {model: scripted}\nsearch: {budget: 5t}\ntrain:\n  presett: x\n  data: []\n"
    with pytest.raises(ConfigError) as error:
        _load(tmp_path, text)
    told = str(error.value)
    assert "'iteration'" in told and "did you mean 'iterations'" in told and "line 1" in told
    assert "'train.presett'" in told and "did you mean 'preset'" in told
    assert "train.data" in told
    with pytest.raises(ConfigError) as error:
        _load(tmp_path, "run: {model: scripted}\nsearch: {budget: 5t}\nexport: {}\n")
    told = str(error.value)
    with pytest.raises(ConfigError, match=r"each iteration has its own; set train\.lr"):
        _load(tmp_path, _TEXT.replace("prompt: {max_tokens: 64}", "optim: {lr: 0.1}"))
    assert "run.env" in told and "search.data" in told and "export needs train" in told


def test_settings_are_laid_over_one_another_option_by_option() -> None:
    under = {"env": "coq", "budget": "5s", "options": {"policy": {"a": 1, "b": 1}, "env": {"x": 1}}}
    over = {"budget": "9s", "options": {"policy": {"b": 2}}}
    assert run_settings(under, over) == {
        "env": "coq", "budget": "9s", "options": {"policy": {"a": 1, "b": 2}, "env": {"x": 1}},
    }  # fmt: skip


def test_what_is_saved_reads_back_to_the_same(tmp_path: Path) -> None:
    config = _load(tmp_path)
    saved = tmp_path / "again.yaml"
    saved.write_text(config_text(config))
    again = load_config(saved)
    assert again == config
    assert yaml.safe_load(saved.read_text())["iterations"] == 3
    for i in range(3):  # word for word, or a resume would do everything again
        assert _plan(again, i) == _plan(config, i)


def test_files_that_options_name_are_rested_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights, datasets, a retriever's data; no prover's programs, and nothing that holds the iteration."""
    monkeypatch.chdir(tmp_path)
    for name in ("weights", "library", "bin", "tiny", "theorems", "x/more"):
        Path(name).mkdir(parents=True)
    text = """\
run:
  env: coq
  model: knn
  retriever: bm25:library
  options: {policy: {base: weights, mode: tiny, other: x/more, all: ./}, env: {bin: ./bin}}
search: {data: "coq-files:theorems"}
train: {preset: gpt2-lora, data: [theorems], options: {model: {base: tiny}}}
"""
    stages = _plan(_load(tmp_path, text), 1)
    made = [Path("out/iteration-01/adapter"), Path("out/iteration-01/value")]
    named = [Path(name) for name in ("theorems", "library", "weights", "x/more")]
    assert sorted(stages["search"].inputs) == sorted([*named, *made])
    before = [Path("out/iteration-00/found"), Path("out/iteration-00/adapter")]
    assert sorted(stages["train"].inputs) == sorted([Path("theorems"), Path("tiny"), *before])


def test_where_no_value_model_could_be_fitted_only_the_search_changes(tmp_path: Path) -> None:
    config = _load(tmp_path)
    there = plan_iteration(config, Path("out"), 1, Facts(proofs=3))
    not_there = plan_iteration(config, Path("out"), 1, Facts(proofs=3, value=False))
    assert [stage.name for stage in there] == [stage.name for stage in not_there]
    assert [stage.name for stage in there if stage.optional] == ["value"]
    for stage in not_there:
        assert "value" not in stage.settings and Path("out/iteration-01/value") not in stage.inputs
