"""Every hook, command and environment variable is in the docs."""

from __future__ import annotations

import re
from pathlib import Path

from prover_core.plugins import spec
from prover_core.plugins.manager import installed_plugins

ROOT = Path(__file__).resolve().parents[2]
DOCS = "\n".join(p.read_text() for p in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])


def test_every_hook_is_documented() -> None:
    hooks = [name for name in vars(spec) if name.startswith("prover_")]
    assert hooks
    assert [name for name in hooks if f"`{name}`" not in DOCS] == []


def test_every_command_is_documented() -> None:
    commands = [name for name in installed_plugins().commands.names() if "." not in name]
    assert "run" in commands
    assert [name for name in commands if f"prover {name}" not in DOCS] == []


def test_every_environment_variable_is_documented() -> None:
    sources = [p for folder in ("core", "plugins") for p in (ROOT / folder).rglob("*.py")]
    code = "\n".join(p.read_text() for p in sources)
    variables = set(re.findall(r"""environ(?:\.get\(|\[)["']((?:PROVER|POLYPROVER)_[A-Z_]+)["']""", code))
    assert variables
    assert [name for name in sorted(variables) if name not in DOCS] == []


def test_links_of_the_docs_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
