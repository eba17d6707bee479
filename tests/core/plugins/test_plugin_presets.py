"""Presets: lazily read, checked, and a bad one is a problem of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prover_core.errors import DataError, UnknownNameError
from prover_core.plugins.manager import PluginManager
from prover_core.plugins.presets import Presets, read_preset

GOOD = "kind: policy\ncomponent: scripted\ndescription: It plays.\noptions:\n  delay_ms: 3\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    return tmp_path


def test_a_preset_is_read(folder: Path) -> None:
    preset = read_preset(folder / "good.yaml")
    assert (preset.name, preset.kind, preset.component) == ("good", "policy", "scripted")
    assert preset.options == {"delay_ms": 3} and preset.description == "It plays."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: policy\n  component: x\n", "is not YAML: line 2, column 12: mapping values"),
        ("- a\n", "must be a mapping"),
        ("", "must be a mapping"),
        (
            "kind: polcy\ncomponent: x\n",
            "'kind' is 'polcy'; it must be one of data, environment, policy, run",
        ),
        ("kind: policy\n", "'component' is missing"),
        ("kind: run\ncomponent: x\n", "a preset of kind 'run' has no 'component'"),
        ("kind: policy\ncomponent: x\noptions: [1]\n", "'options' must be a mapping"),
        ("kind: policy\ncomponent: x\noptoins: {}\n", r"unknown key 'optoins' \(did you mean 'options'\?\)"),
    ],
)
def test_a_bad_preset_says_what_is_wrong_and_where(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as e:
        read_preset(path)
    assert str(path) in str(e.value)


def test_all_mistakes_of_a_preset_come_together(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("kind: x\nfoo: 1\nbar: 2\n")
    with pytest.raises(DataError) as e:
        read_preset(tmp_path / "bad.yaml")
    assert all(word in str(e.value) for word in ("'foo'", "'bar'", "'kind'", "'component'"))


def test_files_are_not_read_before_they_are_needed(folder: Path) -> None:
    (folder / "bad.yaml").write_text("{")
    presets = Presets()
    assert presets.add_folder(folder, "me") == []
    assert [file.name for file in presets] == ["bad", "good"]
    assert presets.get("good").component == "scripted"
    assert presets.of_kind("policy") == ["good"]
    assert presets.find("good", "search") is None and presets.find("nothing", "policy") is None
    with pytest.raises(DataError):
        presets.get("bad")


def test_an_unknown_preset_lists_near_ones(folder: Path) -> None:
    presets = Presets()
    presets.add_folder(folder, "me")
    with pytest.raises(UnknownNameError, match="Did you mean 'good'"):
        presets.get("god")


def test_a_taken_name_and_a_missing_folder_are_problems_of_the_plugin(plugin: Any, folder: Path) -> None:
    code = "@hookimpl\ndef prover_register_presets(): return [Path({!r})]"
    first, second = (
        plugin("first", code.format(str(folder))),
        plugin("second", code.format(str(folder)), "d2"),
    )
    third = plugin("third", code.format(str(folder / "nowhere")))
    manager = PluginManager.load([first, second, third], {})
    assert [problem.name for problem in manager.problems] == ["second", "third"]
    assert "preset 'good' is left out: plugin 'first'" in manager.problems[0].reason
    assert "nowhere does not exist" in manager.problems[1].reason


def test_every_preset_that_we_ship_is_good_and_its_options_are_valid() -> None:
    from prover_core.config.describe import options_model

    manager = PluginManager.load(environ={})
    kinds = {"data": "data source"}
    for file in manager.presets:
        preset = manager.presets.get(file.name)
        assert preset.description
        if preset.kind != "run":
            registry = manager.of_kind(kinds.get(preset.kind, preset.kind))
            options_model(registry.get(preset.component)).model_validate(preset.options)
