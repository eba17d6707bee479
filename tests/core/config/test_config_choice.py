"""What a name stands for: component, preset, file or folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from prover_core.config.choice import choose, saved_choice
from prover_core.config.describe import describe_options, type_name
from prover_core.errors import DataError, UnknownNameError
from prover_core.plugins.manager import PluginManager


@pytest.fixture
def manager(tmp_path: Path) -> PluginManager:
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "small.yaml").write_text("kind: data\ncomponent: fake:and_*\n")
    (folder / "quick.yaml").write_text("kind: search\ncomponent: beam\n")
    (folder / "scripted.yaml").write_text("kind: policy\ncomponent: portfolio\n")
    found = PluginManager.load(environ={})
    assert found.presets.add_folder(folder, "me") == []
    return found


def test_a_component_with_and_without_argument(manager: PluginManager) -> None:
    assert choose("data", "fake", manager).argument == ""
    choice = choose("data", "fake:and_*,or:x", manager)
    assert (choice.name, choice.argument, choice.reference) == ("fake", "and_*,or:x", "fake:and_*,or:x")


def test_a_preset_brings_its_argument_unless_one_is_given(manager: PluginManager) -> None:
    assert choose("data", "small", manager).reference == "fake:and_*"
    assert choose("data", "small:or_*", manager).reference == "fake:or_*"
    assert choose("search", "quick", manager).name == "beam"


def test_a_component_comes_before_a_preset_of_its_name(manager: PluginManager) -> None:
    choice = choose("policy", "scripted", manager)
    assert choice.name == "scripted" and choice.preset is None


def test_a_preset_of_another_kind_is_said_to_be_one(manager: PluginManager) -> None:
    with pytest.raises(UnknownNameError, match="there is a preset 'quick', but it is of kind 'search'"):
        choose("env", "quick", manager)


def test_an_unknown_name_lists_presets_spelt_alike(manager: PluginManager) -> None:
    with pytest.raises(UnknownNameError, match="presets spelt alike: tactics"):
        choose("policy", "tactic", manager)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("list.txt", "theorem-list"),
        ("list.jsonl", "theorem-list"),
        ("F.v", "coq-files"),
        ("F.v:some_lemma", "coq-files"),
        ("sub", "coq-files"),
    ],
)
def test_a_file_or_folder_finds_its_source_and_says_so(
    manager: PluginManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for file in ("list.txt", "list.jsonl", "F.v", "sub/G.v"):
        (tmp_path / file).write_text("")
    choice = choose("data", name, manager)
    assert (choice.name, choice.argument) == (source, name)
    assert choice.note == f"--data {name}: read as {source}:{name}"


@pytest.mark.parametrize("name", ["nowhere/", "Missing.v", "Missing.v:lemma", "missing.txt"])
def test_a_path_that_is_not_there_is_called_a_path(manager: PluginManager, name: str) -> None:
    with pytest.raises(DataError, match="there is no file or folder"):
        choose("data", name, manager)


def test_a_file_that_no_source_reads(manager: PluginManager, tmp_path: Path) -> None:
    (tmp_path / "x.weird").write_text("")
    with pytest.raises(DataError, match="exists, and no data source is known for it; say which: SOURCE:"):
        choose("data", str(tmp_path / "x.weird"), manager)


def test_a_saved_reference(manager: PluginManager) -> None:
    assert saved_choice("data", "fake:a:b", manager).argument == "a:b"
    with pytest.raises(UnknownNameError):
        saved_choice("env", "", manager)


@pytest.mark.parametrize("kind", ["environment", "data source", "policy", "search"])
def test_every_option_that_we_ship_is_described(manager: PluginManager, kind: str) -> None:
    registry = manager.of_kind(kind)
    for entry in registry:
        for option in describe_options(registry.get(entry.name)):
            assert option.description, f"{entry.name}.{option.name}"
            assert option.type and "typing" not in option.type, option.type
            assert not option.required, "a component can be made with its defaults"


def test_types_are_written_for_people() -> None:
    from collections.abc import Mapping
    from typing import Annotated, Literal

    assert type_name(Literal["a", "b"]) == "'a' or 'b'"
    assert type_name(int | None) == "int or none"
    assert type_name(tuple[str, ...]) == "list of str"
    assert type_name(Mapping[str, list[int]]) == "mapping of str to list of int"
    assert type_name(Annotated[int, "x"]) == "int"
