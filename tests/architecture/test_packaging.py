"""The wheel holds exactly our five packages; nothing is forgotten and nothing slips in."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def on_disk() -> set[str]:
    candidates = [*ROOT.glob("core/*"), *ROOT.glob("registry/*"), *ROOT.glob("plugins/*/*")]
    return {str(p.relative_to(ROOT)) for p in candidates if (p / "__init__.py").exists()}


def test_every_package_on_disk_is_listed_and_every_listed_one_exists() -> None:
    assert set(PACKAGES) == on_disk()


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_alone_in_its_folder(package: str) -> None:
    """Anything beside it would become importable at top level in an editable install."""
    beside = [p.name for p in (ROOT / package).parent.iterdir() if p.name != "__pycache__"]
    if package.split("/")[0] != "plugins":
        assert beside == [Path(package).name]
    else:
        assert [n for n in beside if (ROOT / package).parent.joinpath(n).is_dir()] == [Path(package).name]


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_marked_as_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_the_wheel_holds_our_packages_and_their_data(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("polyprover-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {Path(p).name for p in PACKAGES}
    shipped = {name for name in names if name.endswith(".yaml")}
    wanted = {
        str(p.relative_to(ROOT / parent))
        for parent in {str(Path(p).parent) for p in PACKAGES}
        for p in (ROOT / parent).rglob("presets/*.yaml")
    }
    assert wanted <= shipped
    assert any(name.endswith("LICENSE") for name in names)


def test_every_entry_point_of_ours_can_be_loaded() -> None:
    ours = [e for e in entry_points(group="prover") if e.dist is not None and e.dist.name == "polyprover"]
    assert {e.name for e in ours} == set(PROJECT["project"]["entry-points"]["prover"])
    for entry in ours:
        assert entry.load() is not None
