"""Finding Coq, and asking it for premises no more often than needed: no prover process is kept here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from toolchains import require_coq

from prover_coq.premises import SEARCH_ALL
from prover_coq.search_cache import SearchCache
from prover_coq.toolchain import CoqToolchain, find_toolchain, find_toolchains
from prover_core.errors import ToolMissingError


@pytest.mark.parametrize(
    ("version", "major"),
    [("8.16", (8, 16)), ("8.20", (8, 20)), pytest.param("9.2", (9, 2), marks=pytest.mark.rocq9)],
)
def test_what_is_found_is_what_was_asked_for(version: str, major: tuple[int, ...]) -> None:
    folder = require_coq(version, "coqidetop").bin
    for toolchain in (find_toolchain(folder, need="idetop"), find_toolchain(version=version, need="idetop")):
        assert toolchain.version[:2] == major
        assert toolchain.version_text.startswith(version)
        assert toolchain.name == f"{'Rocq' if major >= (9,) else 'Coq'} {toolchain.version_text}"
        assert toolchain.program("idetop").name.startswith("coqidetop")
        assert (toolchain.coqlib / "theories" / "Init" / "Prelude.vo").exists()
        assert ("d=1" in toolchain.env["OCAMLRUNPARAM"]) == (major >= (8, 20))  # OCaml 5, on our systems


def test_the_variable_comes_before_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = require_coq("8.20").bin
    monkeypatch.setenv("PROVER_COQ_BIN", str(folder))
    assert find_toolchain().coqc == folder / "coqc"
    assert find_toolchains()[0].coqc == folder / "coqc"


def test_what_is_not_there_is_said_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(
        ToolMissingError, match=rf"Coq is not installed.*{tmp_path}/coqc(.|\n)*apt install coq"
    ):
        find_toolchain(tmp_path)
    folder = require_coq("8.16").bin
    with pytest.raises(ToolMissingError, match=r"version 8\.99(.|\n)*Coq 8\.16"):
        find_toolchain(folder, version="8.99")
    with pytest.raises(ToolMissingError, match=r"sertop is not installed(.|\n)*make setup"):
        find_toolchain(folder, need="sertop")
    with pytest.raises(ToolMissingError, match="sertop"):
        find_toolchain(folder).program("sertop")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("POLYPROVER_CACHE", str(tmp_path))
    with pytest.raises(ToolMissingError, match="apt install coq"):
        find_toolchain()


def test_a_program_that_is_not_coq_is_passed_over(tmp_path: Path) -> None:
    program = tmp_path / "coqc"
    program.write_text("#!/bin/sh\necho 'Coquille 3'\n")
    program.chmod(0o755)
    with pytest.raises(ToolMissingError):
        find_toolchain(tmp_path)


def test_the_users_own_settings_count(monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain = CoqToolchain(
        (8, 20), "8.20", Path("/coqc"), None, None, None, Path("/lib"), {"OCAMLRUNPARAM": "d=1,s=4M"}
    )
    monkeypatch.delenv("OCAMLRUNPARAM", raising=False)
    assert toolchain.process_env()["OCAMLRUNPARAM"] == "d=1,s=4M"
    monkeypatch.setenv("OCAMLRUNPARAM", "s=8M,b")
    monkeypatch.setenv("COQPATH", "/mine")
    assert toolchain.process_env()["OCAMLRUNPARAM"] == "d=1,s=4M,s=8M,b"
    assert toolchain.process_env()["COQPATH"] == "/mine"


# --- the cache of Search's answers ------------------------------------------------------------------

TEXT = "Require Import Arith.\nLemma one : 1 = 1. Proof. auto. Qed.\nLemma two : 2 = 2. Proof. auto. Qed.\n"


class Prover:
    """Answers queries, and remembers them."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, queries: Sequence[str]) -> list[list[str]]:
        self.asked += queries
        return [
            ["plus_n_O: forall n : nat, n = n + 0"]
            if query == SEARCH_ALL
            else [f"{query[6:-1]}\n     : 7 = 7", "and more"]
            for query in queries
        ]


def test_search_runs_once_while_only_theorems_are_added() -> None:
    cache, prover = SearchCache(), Prover()
    first = TEXT.index("Lemma one")
    second = TEXT.index("Lemma two")
    assert len(cache.index("key", TEXT[:first], prover)) == 1
    assert len(cache.index("key", TEXT[:second], prover)) == 2
    assert len(cache.index("key", TEXT, prover)) == 3
    assert prover.asked == [SEARCH_ALL, "Check one.", "Check one.", "Check two."]


def test_search_runs_again_where_it_must() -> None:
    cache, prover = SearchCache(), Prover()
    first = TEXT.index("Lemma one")
    cache.index("key", TEXT, prover)
    cache.index("key", TEXT[:first], prover)  # earlier: the former answer knows too much
    cache.index("other", TEXT, prover)
    cache.index("key", TEXT + "Require Import Lia.\n", prover)
    cache.index("key", TEXT + "  Module M.\n", prover)
    assert prover.asked == [SEARCH_ALL] * 5
