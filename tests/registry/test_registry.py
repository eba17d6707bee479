"""The registry, with components that stand in this file's own modules."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from prover_registry import (
    EntryLoadError,
    NameTakenError,
    Registry,
    RegistryFrozenError,
    UnknownEntryError,
    WrongTypeError,
    near_names,
)

MODULE = """\
from abc import ABC, abstractmethod

class Base(ABC):
    @abstractmethod
    def go(self): ...

class Other:
    pass

class Good(Base):
    def go(self):
        return "went"

class Outer:
    class Inner(Base):
        def go(self): ...

class Unfinished(Base):
    pass

def function():
    pass
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A fresh module for each test; its name."""
    name = f"registered_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.fixture
def registry(module: str) -> Registry[Any]:
    return Registry("engine", (f"{module}:Base",))


def test_nothing_is_imported_before_it_is_asked_for(registry: Registry[Any], module: str) -> None:
    registry.add("good", f"{module}:Good", owner="me", help="A good one.")
    assert [(e.name, e.owner, e.help) for e in registry] == [("good", "me", "A good one.")]
    assert "good" in registry and len(registry) == 1
    assert module not in sys.modules
    assert registry.get("good")().go() == "went"
    assert module in sys.modules
    assert registry.get("good") is registry.get("good")


def test_a_target_may_be_an_attribute_of_a_class(registry: Registry[Any], module: str) -> None:
    registry.add("inner", f"{module}:Outer.Inner", owner="me")
    assert registry.get("inner").__name__ == "Inner"


def test_a_taken_name_says_who_has_it(registry: Registry[Any], module: str) -> None:
    registry.add("good", f"{module}:Good", owner="plugin 'first'")
    with pytest.raises(NameTakenError, match=r"'good' of plugin 'second'.*plugin 'first' has that name") as e:
        registry.add("good", f"{module}:Other", owner="plugin 'second'")
    assert e.value.owner == "plugin 'first'"
    assert registry.entry("good").target == f"{module}:Good"


def test_an_unknown_name_lists_near_names_and_all_names() -> None:
    registry: Registry[Any] = Registry("engine", hint=lambda name: f"plugin 'x' would provide {name}")
    for name in ("steam", "diesel", "electric"):
        registry.add(name, "a:B", owner="me")
    with pytest.raises(UnknownEntryError) as e:
        registry.get("deisel")
    assert str(e.value) == (
        "there is no engine 'deisel'. Did you mean 'diesel'?\n"
        "engines that are installed: diesel, electric, steam\n"
        "plugin 'x' would provide deisel"
    )
    assert e.value.near == ("diesel",) and e.value.names == ("diesel", "electric", "steam")


def test_an_unknown_name_in_an_empty_registry() -> None:
    with pytest.raises(UnknownEntryError, match="policies that are installed: none"):
        Registry[Any]("policy", plural="policies").get("x")


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (
            "no_such_module_here:X",
            EntryLoadError,
            "cannot be imported from no_such_module_here: ModuleNotFound",
        ),
        ("{}:Missing", EntryLoadError, "has no 'Missing'"),
        ("{}:Other", WrongTypeError, "not a subclass of Base, but a class of object"),
        ("{}:function", WrongTypeError, "not a subclass of Base, but a function"),
        ("{}:Unfinished", WrongTypeError, "does not define go, which every Base must"),
    ],
)
def test_what_cannot_be_resolved_names_entry_and_owner(
    registry: Registry[Any], module: str, target: str, error: type[Exception], message: str
) -> None:
    registry.add("it", target.format(module), owner="plugin 'p'")
    with pytest.raises(error, match=message) as e:
        registry.get("it")
    assert "engine 'it' of plugin 'p'" in str(e.value)


def test_a_module_that_raises_keeps_its_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raises_at_import.py").write_text("raise OSError('disk on fire')\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry[Any] = Registry("engine")
    registry.add("it", "raises_at_import:X", owner="me")
    with pytest.raises(EntryLoadError, match="OSError: disk on fire") as e:
        registry.get("it")
    assert isinstance(e.value.__cause__, OSError)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a:b", "naïve", "x/y"])
def test_names_are_plain(name: str) -> None:
    with pytest.raises(ValueError, match=r"engine name .* is not allowed"):
        Registry[Any]("engine").add(name, "a:B", owner="me")


@pytest.mark.parametrize("target", ["", "a", "a:", ":B", "a.b", "a b:C", "a:B()", "a-b:C"])
def test_targets_are_module_and_attribute(target: str) -> None:
    with pytest.raises(ValueError, match="not of the form 'module:Class'"):
        Registry[Any]("engine").add("it", target, owner="me")


def test_a_frozen_registry_takes_nothing_more() -> None:
    registry: Registry[Any] = Registry("engine")
    registry.add("a", "x:Y", owner="me")
    registry.freeze()
    with pytest.raises(RegistryFrozenError, match="closed; plugin 'late' cannot add 'b'"):
        registry.add("b", "x:Y", owner="plugin 'late'")
    assert registry.names() == ("a",)


def test_many_threads_get_one_object(registry: Registry[Any], module: str) -> None:
    registry.add("good", f"{module}:Good", owner="me")
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(registry.get("good"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Coq", ("coq",)),
        ("cok", ("coq",)),
        ("co", ("coq", "coq-files")),
        ("best_first", ("best-first",)),
        ("zzz", ()),
        ("", ()),
    ],
)
def test_near_names(name: str, near: tuple[str, ...]) -> None:
    assert near_names(name, ["lean4", "coq", "best-first", "coq-files"])[: len(near) or None] == near


def test_the_package_imports_nothing_of_ours_and_nothing_from_elsewhere() -> None:
    code = (
        "import sys; before = set(sys.modules); import prover_registry\n"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names) - {'prover_registry'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
