"""The file of hook specifications is the manual: it is held to that."""

from __future__ import annotations

import inspect
import typing

import pytest

from prover_core.contracts import events
from prover_core.plugins import spec
from prover_core.plugins.components import COMPONENT_KINDS, Components

HOOKS = {name: function for name, function in vars(spec).items() if name.startswith("prover_")}


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_specified_documented_and_annotated(name: str) -> None:
    function = HOOKS[name]
    assert hasattr(function, "prover_spec"), "marked with @hookspec"
    assert inspect.getdoc(function)
    annotations = inspect.get_annotations(function)
    assert "return" in annotations
    assert set(inspect.signature(function).parameters) == set(annotations) - {"return"}


@pytest.mark.parametrize("name", [n for n in HOOKS if n.startswith("prover_on_")])
def test_observers_take_one_frozen_event(name: str) -> None:
    (annotation,) = (v for k, v in inspect.get_annotations(HOOKS[name]).items() if k != "return")
    event = getattr(events, annotation)
    assert event in typing.get_args(events.Event)
    assert event.__dataclass_params__.frozen


def test_every_hook_of_components_has_a_registry() -> None:
    others = {"prover_register_presets", "prover_register_commands"}
    assert {n for n in HOOKS if n.startswith("prover_register_")} == set(COMPONENT_KINDS) | others
    assert {registry.kind for registry in Components().all()} == set(COMPONENT_KINDS.values())
