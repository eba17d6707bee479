"""Running ``prover``: in this process where only the words matter, in one of its own where exit codes do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from prover_core.cli.main import main

PROVER = Path(sys.executable).with_name("prover")


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


Prover = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _fixed_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def prover(here: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Prover]:
    """``prover("run", ...)`` in this process."""

    def call(*words: str) -> Answer:
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    yield call


@pytest.fixture
def real_prover(here: Path) -> Prover:
    """The installed ``prover`` in a process of its own."""

    def call(*words: str, stdin: str = "", **environ: str) -> Answer:
        done = subprocess.run(
            [str(PROVER), *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, **environ},
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return call


FAKE_FILE = """\
theorem and_swap : a /\\ b -> b /\\ a.
theorem identity : a -> a.
theorem falsum : False.
"""


@pytest.fixture
def fake_file(here: Path) -> Path:
    """A file of the fake prover: two theorems, and one that has no proof."""
    (here / "facts.fake").write_text(FAKE_FILE)
    return Path("facts.fake")
