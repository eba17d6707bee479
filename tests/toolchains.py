"""Which real provers the tests may use, and what happens where one is missing.

On a developer's machine a missing prover skips its tests, loudly; in CI (``CI=true``) it fails them:
a suite that is green because its provers were absent says nothing.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

CACHE = Path(
    os.environ.get("POLYPROVER_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "polyprover"
)


@dataclass(frozen=True)
class CoqInstall:
    """One Coq or Rocq: the folder of its programs and its version, e.g. ``8.16``."""

    bin: Path
    version: str


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


@functools.cache
def installed_coqs() -> tuple[CoqInstall, ...]:
    """Every Coq on PATH and in the cache folder's ``toolchains``."""
    folders = []
    found = shutil.which("coqc")
    if found:
        folders.append(Path(found).parent)
    folders += sorted((CACHE / "toolchains").glob("*/bin"))
    installs = []
    for folder in folders:
        if not (folder / "coqc").exists():
            continue
        text = subprocess.run(
            [folder / "coqc", "--version"], capture_output=True, text=True, timeout=60, check=False
        ).stdout
        match = re.search(r"version (\d+\.\d+)", text)
        if match:
            installs.append(CoqInstall(folder, match[1]))
    return tuple(installs)


def require_coq(version: str, program: str = "coqc") -> CoqInstall:
    """The install of that version that has ``program`` (``coqidetop``: either spelling).

    Skips the test where there is none, or fails it in CI.
    """
    names = (program, f"{program}.opt") if program == "coqidetop" else (program,)
    for install in installed_coqs():
        if install.version == version and any((install.bin / name).exists() for name in names):
            return install
    missing(f"{program} of Coq {version}")


def any_coq() -> CoqInstall:
    """The first Coq found: for tests that do not care which."""
    installs = installed_coqs()
    if installs:
        return installs[0]
    missing("Coq")


def missing(what: str) -> NoReturn:
    """Skip, or fail in CI, because ``what`` is not installed."""
    message = f"{what} is not installed; `make setup` gets it"
    if in_ci():
        pytest.fail(f"{message} (in CI a missing prover is a failure)", pytrace=False)
    pytest.skip(message)
