"""The loader: a plugin with a mistake costs only itself, and is named."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from prover_core.contracts.events import RunEnded, RunStarted, WorkerProgress
from prover_core.errors import ToolMissingError, UnknownNameError, UserError
from prover_core.plugins.manager import PluginManager
from prover_core.types import Theorem

GOOD = """
@hookimpl
def prover_register_environments():
    return {"good": "prover_core.builtin.fake:FakeEnvironment"}
"""
STARTED = RunStarted(Path("r"), 1, 0, 1, "e", "p", "s")
ENDED = RunEnded(Path("r"), {"proved": 1}, 1.0, False)


def reasons(manager: PluginManager) -> list[str]:
    return [str(problem) for problem in manager.problems]


def load(*entries: Any, **environ: str) -> PluginManager:
    return PluginManager.load(entries, environ)


def test_a_good_plugin_is_owned_by_its_distribution(plugin: Any) -> None:
    manager = load(plugin("mine", GOOD, "stranger", "9.9"))
    assert reasons(manager) == []
    assert manager.environments.entry("good").owner == "plugin 'mine' (stranger 9.9)"
    assert manager.environments.get("good").prover == "fake"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_thing_anywhere", "ModuleNotFoundError: No module named 'no_such_thing_anywhere'"),
        ("1/0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError"),
        (
            "@hookimpl\ndef prover_register_enviroments(): return {}",
            "there is no hook prover_register_enviroments (did you mean prover_register_environments?)",
        ),
        ("@hookimpl\ndef something_else(): return {}", "there is no hook something_else"),
        (
            "def prover_register_policies(): return {}",
            "prover_register_policies is not marked with @hookimpl",
        ),
        (
            "@hookimpl\ndef prover_on_run_start(event, extra): pass",
            "extra",
        ),
        (
            "@hookimpl\ndef prover_register_policies(): 1/0",
            "prover_register_policies raised ZeroDivisionError",
        ),
        (
            "@hookimpl\ndef prover_register_policies(): return ['x']",
            "prover_register_policies must return a mapping of names to 'module:Class', and returned a list",
        ),
        ("@hookimpl\ndef prover_register_policies(): return {'x': 3}", "maps 'x' to 3"),
        ("@hookimpl\ndef prover_register_policies(): pass", "and returned None"),
        ("@hookimpl\ndef prover_register_commands(): return {'x': 'm:f'}", "must map names to CommandSpec"),
        ("@hookimpl\ndef prover_register_presets(): return 'folder'", "must return folders"),
        ("@hookimpl\ndef prover_register_presets(): return ['folder']", "must return folders"),
    ],
)
def test_a_mistake_leaves_the_plugin_out_and_the_rest_in(plugin: Any, code: str, reason: str) -> None:
    bad = plugin(
        "bad", f"{code}\n" if "prover_register_policies" in code else f"{GOOD}\n{code}\n", "bad-dist"
    )
    manager = load(bad, plugin("good", GOOD, "good-dist"))
    assert len(manager.problems) == 1
    assert manager.problems[0].name == "bad" and manager.problems[0].distribution == "bad-dist"
    assert reason in manager.problems[0].reason
    assert [p.name for p in manager.plugins] == ["good"]
    assert manager.environments.entry("good").owner == "plugin 'good' (good-dist 9.9)"


def test_a_plugin_with_one_wrong_hook_registers_nothing_at_all(plugin: Any) -> None:
    code = GOOD + "\n@hookimpl\ndef prover_register_policies(): return 7\n"
    manager = load(plugin("bad", code))
    assert manager.environments.names() == () and len(manager.problems) == 1


def test_a_taken_component_name_costs_only_that_component(plugin: Any) -> None:
    second = GOOD.replace('"good"', '"other": "a:B", "good"')
    manager = load(plugin("first", GOOD, "d1"), plugin("second", second, "d2"))
    assert reasons(manager) == [
        "plugin 'second' (d2): environment 'good' is left out: plugin 'first' (d1 9.9) has that name already"
    ]
    assert manager.environments.names() == ("good", "other")
    assert manager.environments.entry("good").owner == "plugin 'first' (d1 9.9)"


def test_a_taken_plugin_name_is_left_out(plugin: Any) -> None:
    manager = load(plugin("same", GOOD, "d1"), plugin("same", "1/0", "d2"))
    assert reasons(manager) == [
        "plugin 'same' (d2): left out: plugin 'same' (d1 9.9) has the name 'same' already"
    ]


@pytest.mark.parametrize(("name", "target"), [("two words", "a:B"), ("x", "no target")])
def test_a_malformed_name_or_target_is_a_problem(plugin: Any, name: str, target: str) -> None:
    manager = load(plugin("p", f"@hookimpl\ndef prover_register_searches(): return {{{name!r}: {target!r}}}"))
    assert len(manager.problems) == 1 and len(manager.searches) == 0


def test_optional_hooks_of_a_later_version_are_no_mistake(plugin: Any) -> None:
    code = GOOD + "\n@hookimpl(optionalhook=True)\ndef prover_on_the_moon(): pass\n"
    assert reasons(load(plugin("p", code))) == []


def test_imported_hookspecs_are_no_mistake(plugin: Any) -> None:
    code = GOOD + "\nfrom prover_core.plugins.spec import prover_register_policies\n"
    assert reasons(load(plugin("p", code))) == []


def test_disabled_plugins_are_not_even_imported(plugin: Any) -> None:
    manager = load(plugin("bad", "1/0"), plugin("mine", GOOD), PROVER_DISABLED_PLUGINS=" bad , mine,")
    assert manager.problems == () and manager.plugins == ()
    assert manager.disabled == ("bad", "mine")
    with pytest.raises(UnknownNameError, match="plugins disabled by PROVER_DISABLED_PLUGINS: bad, mine"):
        manager.environments.get("good")


def test_a_misspelt_disabled_plugin_is_reported(plugin: Any) -> None:
    manager = load(plugin("mine", GOOD), PROVER_DISABLED_PLUGINS="mien")
    assert "no such plugin is installed (did you mean 'mine'?)" in reasons(manager)[0]
    assert manager.environments.names() == ("good",)


def test_the_commands_themselves_cannot_be_disabled() -> None:
    manager = PluginManager.load(environ={"PROVER_DISABLED_PLUGINS": "core"})
    assert "run" in manager.commands
    assert any("cannot be disabled" in reason for reason in reasons(manager))


def test_an_unknown_name_says_which_plugin_was_left_out(plugin: Any) -> None:
    manager = load(plugin("isabelle", "import isabelle_is_not_here"))
    with pytest.raises(UnknownNameError, match=r"left out: plugin 'isabelle'.*isabelle_is_not_here"):
        manager.environments.get("isabelle")


def test_a_plugin_that_does_not_provide_what_its_name_promises(plugin: Any) -> None:
    manager = load(plugin("isabelle", GOOD, "isabelle-dist"))
    with pytest.raises(
        UnknownNameError, match=r"'isabelle' \(isabelle-dist 9.9\) is installed, and does not"
    ):
        manager.environments.get("isabelle")


def test_our_own_plugins_all_load_and_come_first() -> None:
    manager = PluginManager.load(environ={})
    ours = [p.name for p in manager.plugins if p.distribution == "polyprover"]
    assert ours == ["coq", "core", "lean4", "models"]
    assert [p.name for p in manager.plugins][: len(ours)] == ours
    assert not [p for p in manager.problems if p.distribution == "polyprover"]


@pytest.mark.parametrize("kind", ["environment", "data source", "policy", "value", "trainer", "search"])
def test_every_component_of_ours_resolves_to_its_contract(kind: str) -> None:
    registry = PluginManager.load(environ={}).of_kind(kind)
    for entry in registry:
        assert isinstance(registry.get(entry.name), type)


def test_a_component_of_the_wrong_type_is_a_user_error(plugin: Any) -> None:
    code = (
        '@hookimpl\ndef prover_register_searches(): return {"s": "prover_core.builtin.fake:FakeEnvironment"}'
    )
    with pytest.raises(UserError, match="not a subclass of Search"):
        load(plugin("p", code)).searches.get("s")


def test_a_missing_tool_raised_by_a_component_module_keeps_its_advice(plugin: Any, tmp_path: Path) -> None:
    (tmp_path / "needs_a_tool.py").write_text(
        "from prover_core.errors import ToolMissingError\n"
        "raise ToolMissingError('torch', needed_for='it', install='pip install torch')\n"
    )
    code = '@hookimpl\ndef prover_register_policies(): return {"s": "needs_a_tool:X"}'
    with pytest.raises(ToolMissingError, match="To get it: pip install torch"):
        load(plugin("p", code)).policies.get("s")


OBSERVER = """
seen = []

@hookimpl
def prover_on_run_start(event):
    seen.append(event)
    if {raises}:
        raise RuntimeError("observer broke")

@hookimpl
def prover_on_run_end():
    seen.append("end")
"""


def test_observers_get_their_events_in_order(plugin: Any) -> None:
    entry = plugin("o", OBSERVER.format(raises=False))
    observer = load(entry).observer()
    for event in (STARTED, WorkerProgress(0, Theorem("a", "a", "fake", "s"), "opening"), ENDED):
        observer.on_event(event)
    assert entry.load().seen == [STARTED, "end"]


def test_an_observer_that_raises_is_reported_once_and_dropped(
    plugin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = (
        plugin("bad", OBSERVER.format(raises=True), "bd"),
        plugin("good", OBSERVER.format(raises=False)),
    )
    observer = load(bad, good).observer()
    with caplog.at_level(logging.WARNING):
        for event in (STARTED, STARTED, ENDED):
            observer.on_event(event)
    assert len(bad.load().seen) == 1 and len(good.load().seen) == 3
    assert [str(p) for p in observer.problems] == [
        "plugin 'bad' (bd): prover_on_run_start raised RuntimeError: observer broke; not called again"
    ]
    assert len(caplog.records) == 1
