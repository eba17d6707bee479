"""Plugins made on the spot: modules in a temporary folder, and entry points to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import pytest

MakePlugin = Callable[..., EntryPoint]


class _OnDisk(Distribution):
    """A distribution whose metadata lie in a folder, as an installed one's do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read_text(self, filename: str) -> str | None:
        path = self._folder / filename
        return path.read_text() if path.exists() else None

    def locate_file(self, path: object) -> Path:  # type: ignore[override]
        return self._folder / str(path)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePlugin]:
    """``plugin(name, code, distribution=...)``: an entry point to a module with that code."""
    monkeypatch.syspath_prepend(tmp_path)
    count = 0

    def make(name: str, code: str, distribution: str = "stranger", version: str = "9.9") -> EntryPoint:
        nonlocal count
        count += 1
        module = f"made_{tmp_path.name.replace('-', '_')}_{count}"
        (tmp_path / f"{module}.py").write_text(
            "from pathlib import Path\nfrom prover_core.plugins import CommandSpec, hookimpl\n" + code
        )
        folder = tmp_path / f"{distribution}-{version}.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        entry = EntryPoint(name=name, value=module, group="prover")
        vars(entry).update(dist=_OnDisk(folder))
        return entry

    yield make
