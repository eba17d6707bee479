"""Habits that a reader relies on: short modules, light plugins, a public surface that is written down."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    p
    for folder in ("core", "registry", "plugins")
    for p in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in p.parts
)
MAX_LINES = 400
# Modules over the limit, each with its reason; the number is what it may grow to.
EXCEPTIONS: dict[str, int] = {}
HEAVY_FOR_HELP = ("torch", "transformers", "ray", "pyarrow", "duckdb", "pydantic", "rich")


def run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_modules_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= EXCEPTIONS.get(name_of(path), MAX_LINES)
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "a module opens with what it is for"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_all_is_true(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets):
            names = ast.literal_eval(node.value)
            package = path.relative_to(ROOT).with_suffix("").parts
            start = next(i for i, part in enumerate(package) if part.startswith("prover_"))
            dotted = ".".join(package[start:]).removesuffix(".__init__")
            module = importlib.import_module(dotted)
            assert [n for n in names if not hasattr(module, n)] == []


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['prover', '--help']\n"
        "from prover_core.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"heavy = [m for m in {HEAVY_FOR_HELP!r} if m in sys.modules]\n"
        "print('HEAVY', heavy)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "HEAVY []" in done.stdout


@pytest.mark.parametrize("plugin", ["prover_coq", "prover_lean4", "prover_models", "prover_core.builtin"])
def test_a_plugin_module_imports_nothing_heavy(plugin: str) -> None:
    code = (
        f"import sys, {plugin}.plugin\n"
        f"print('HEAVY', [m for m in {('torch', 'transformers', 'ray', 'pyarrow')!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "HEAVY []" in done.stdout
