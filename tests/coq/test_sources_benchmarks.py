"""Benchmarks and installed libraries as sources: real samples, wrong folders, what is left out."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof_records import shared_data
from toolchains import require_coq

from prover_coq.environment import CoqEnvironment
from prover_coq.options import CoqOptions
from prover_coq.sources.checkouts import project_options
from prover_coq.sources.coqgym import CoqGym, CoqGymSourceOptions
from prover_coq.sources.coqstoq import CoqStoq, CoqStoqSourceOptions
from prover_coq.sources.imports import adapt_imports, imported_libraries
from prover_coq.sources.installed import CoqLibraries, CoqLibrariesOptions
from prover_coq.sources.minif2f import MiniF2FOptions, MiniF2FRocq
from prover_coq.sources.palm import Palm, PalmSourceOptions
from prover_coq.sources.putnambench import PutnamBenchCoq
from prover_coq.sources.statements import StatementOptions
from prover_core.contracts import DataSource
from prover_core.errors import DataError, ProverError, UnknownNameError
from prover_core.testing.data import DataSourceContract
from prover_core.types import Limits, Theorem


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def ids(source: DataSource) -> list[str]:
    return [theorem.id for theorem in source.theorems()]


def opens(environment: CoqEnvironment, theorem: Theorem) -> str:
    """Empty, or why the theorem does not open."""
    try:
        with environment.open(theorem, Limits()) as session:
            return "no goal" if session.root.goals.solved else ""
    except ProverError as error:
        return str(error) or "?"


def coq(version: str) -> CoqEnvironment:
    return CoqEnvironment(CoqOptions(bin=require_coq(version, "coqidetop").bin))


# --- imports


@pytest.mark.parametrize(
    ("version", "mode", "before", "after"),
    [
        ("8.20.1", "auto", "From Stdlib Require Import Reals.", "From Coq Require Import Reals."),
        ("8.16.1", "auto", "From Corelib Require Import ssreflect.", "From Coq Require Import ssreflect."),
        ("8.20.1", "auto", "Require Import Stdlib.Reals.Reals.", "Require Import Coq.Reals.Reals."),
        ("9.2", "auto", "From Coq Require Import Reals.", "From Coq Require Import Reals."),
        ("9.2", "stdlib", "From Coq Require Import Reals.", "From Stdlib Require Import Reals."),
        ("", "auto", "From Stdlib Require Import Reals.", "From Stdlib Require Import Reals."),
        ("8.20.1", "keep", "From Stdlib Require Import Reals.", "From Stdlib Require Import Reals."),
        ("8.20.1", "auto", "Require MyStdlib Stdlib_x x.Stdlib.", "Require MyStdlib Stdlib_x x.Stdlib."),
    ],
)  # fmt: skip
def test_imports_are_written_as_the_prover_knows_them(
    version: str, mode: Any, before: str, after: str
) -> None:
    text = f"(* From Stdlib *) {before}\nLemma a : Stdlib.x = 1."
    found = adapt_imports(text, version, mode)
    assert found.text == f"(* From Stdlib *) {after}\nLemma a : Stdlib.x = 1."
    assert bool(found.note) is (before != after)


@given(st.text(), st.sampled_from(["8.20", "9.2", ""]), st.sampled_from(["auto", "coq", "stdlib", "keep"]))
def test_any_text_keeps_all_but_its_imports(text: str, version: str, mode: Any) -> None:
    found = adapt_imports(text, version, mode)
    assert found.note or found.text == text


def test_libraries_that_a_file_requires() -> None:
    text = "Require Import Reals Coquelicot.Coquelicot.\nFrom mathcomp Require Import ssr.\nImport List."
    assert imported_libraries(text) == ("Reals", "Coquelicot", "mathcomp")


# --- miniF2F


def minif2f(path: Path | str, **options: Any) -> MiniF2FRocq:
    return MiniF2FRocq(MiniF2FOptions.model_validate(options), str(path))


def minif2f_folder(root: Path) -> Path:
    """Everything that the real files have: helpers, a bare ``Proof.``, no final newline, two theorems, ..."""
    helper = "Definition two := 2.\nLemma helper : two = 2. Proof. reflexivity. Qed.\n"
    write(root / "valid" / "a_p1.v", "From Stdlib Require Import Arith.\nTheorem a_p1 : 1 = 1.\nProof.")
    write(root / "valid" / "B_p2.v", f"{helper}Theorem b_p2:two = 2.\nProof.\nAdmitted.")
    write(root / "valid" / "c_p3.v", "Theorem other : True.\nProof. Admitted.\n")
    write(root / "test" / "d_p4.v", "Theorem d_p4 : True. Proof. Admitted.\nTheorem d_p4' : False. Admitted.")
    write(root / "audit.json", json.dumps({"b_P2": {"status": "no changes", "modified": False}}))
    return root


def test_one_statement_a_file(tmp_path: Path) -> None:
    source = minif2f(minif2f_folder(tmp_path))
    found = {t.id: t for t in source.theorems()}
    assert list(found) == ["B_p2", "a_p1", "c_p3", "d_p4"] or list(found) == ["d_p4", "B_p2", "a_p1", "c_p3"]
    assert found["B_p2"].name == "b_p2" and found["B_p2"].preamble.endswith("Qed.\n")
    assert found["B_p2"].statement == "Theorem b_p2:two = 2."
    assert found["B_p2"].metadata["audit"] == "no changes" and found["B_p2"].metadata["split"] == "valid"
    assert found["c_p3"].name == "other"  # not the file's name, but the one to prove
    assert found["d_p4"].statement == "Theorem d_p4 : True."
    assert found["a_p1"].preamble == "From Stdlib Require Import Arith.\n"
    assert found["a_p1"].metadata["requires"] == "Stdlib"
    described = source.describe()
    assert (described.theorems, described.licence) == (4, "MIT")
    assert ids(minif2f(tmp_path, split="test")) == ["d_p4"] == ids(minif2f(tmp_path / "test"))
    assert ids(minif2f(tmp_path, problems=("a_p1",))) == ["a_p1"]
    with pytest.raises(DataError, match="there is no problem nope"):
        ids(minif2f(tmp_path, problems=("nope",)))


def test_what_holds_no_statement_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    minif2f_folder(tmp_path)
    write(tmp_path / "test" / "broken.v", "Theorem broken : 1 = (* never closed")
    write(tmp_path / "test" / "empty.v", "")
    write(tmp_path / "test" / "proved.v", "Lemma done : True. Proof. exact I. Qed.")
    source = minif2f(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert len(ids(source)) == 4 == len(ids(source))
    assert len(caplog.records) == 1 and "3 of 7 theorems" in caplog.text
    assert "broken, empty, proved" in source.describe().details["left_out"]


def test_all_244_real_statements_are_understood() -> None:
    path = shared_data("minif2f/valid_pairs.jsonl")
    source = minif2f(path)
    found = list(source.theorems())
    assert len(found) == 244 == source.describe().theorems
    rows = {row["id"]: row["rocq"] for row in map(json.loads, path.read_text().splitlines())}
    assert [t.id for t in found] == list(rows)
    for theorem in found:
        assert rows[theorem.id].startswith(theorem.preamble.rstrip("\n"))
        assert theorem.statement in rows[theorem.id]
        assert theorem.name.lower() == theorem.id.lower()
        assert theorem.metadata["split"] == "valid"
    assert sum(1 for t in found if "audit" in t.metadata) > 50
    assert sum(1 for t in found if "Coquelicot" in t.metadata["requires"]) == 26


@pytest.mark.parametrize("version", ["8.20", pytest.param("9.2", marks=pytest.mark.rocq9)])
def test_real_statements_open(tmp_path: Path, version: str) -> None:
    wanted = ("mathd_numbertheory_543", "numbertheory_sqmod3in01d")
    source = minif2f(shared_data("minif2f/valid_pairs.jsonl"), problems=wanted)
    with coq(version) as environment:
        source.bind(environment)
        assert {t.id: opens(environment, t) for t in source.theorems()} == dict.fromkeys(wanted, "")
        own = minif2f(minif2f_folder(tmp_path))
        own.bind(environment)
        found = {t.id: t for t in own.theorems()}
        assert not any(opens(environment, theorem) for theorem in found.values())
        changed = "" if version == "9.2" else "1 import rewritten for Coq"
        assert found["a_p1"].metadata.get("imports", "") == changed


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("version", ["8.20", pytest.param("9.2", marks=pytest.mark.rocq9)])
def test_every_real_statement_that_needs_only_the_standard_library_opens(version: str) -> None:
    source = minif2f(shared_data("minif2f/valid_pairs.jsonl"))
    with coq(version) as environment:
        source.bind(environment)
        failed = {t.id: (t.metadata["requires"], opens(environment, t)) for t in source.theorems()}
    failed = {id: (requires, why) for id, (requires, why) in failed.items() if why}
    elsewhere = {
        id for id, (requires, _) in failed.items() if {"Coquelicot", "mathcomp"} & set(requires.split())
    }
    assert len(elsewhere) <= 26
    assert len(failed) - len(elsewhere) <= KNOWN_BROKEN[version], failed


KNOWN_BROKEN = {"8.20": 0, "9.2": 0}
"""Statements of the standard library that this version does not accept as they are."""


def test_wrong_folders_of_minif2f(tmp_path: Path) -> None:
    write(tmp_path / "lean" / "a.lean", "theorem")
    write(tmp_path / "x.jsonl", '{"id": "a", "lean4": "x"}\n')
    write(tmp_path / "twice.jsonl", '{"id": "a", "rocq": "Lemma a : True."}\n' * 2)
    for path, words in (
        (tmp_path, r"holds lean/, twice.jsonl, x.jsonl, and no .v file"),
        (tmp_path / "nowhere", "there is no .*nowhere"),
        ("", "none was given"),
        (tmp_path / "x.jsonl", r"x.jsonl:1: a row needs .* this one has id, lean4"),
        (tmp_path / "lean/a.lean", "is no such file"),
        (tmp_path / "twice.jsonl", "are both called a"),
    ):
        with pytest.raises(DataError, match=words):
            ids(minif2f(path))


# --- PutnamBench


def putnam(path: Path) -> PutnamBenchCoq:
    return PutnamBenchCoq(StatementOptions(), str(path))


def putnam_folder(root: Path) -> Path:
    answer = (
        "Require Import Arith.\nDefinition putnam_1999_a1_solution : nat := 2.\n"
        "Theorem putnam_1999_a1\n    (f : nat -> nat := fun x => x)\n    : f 2 = putnam_1999_a1_solution.\n"
        "Proof. Admitted."
    )
    write(root / "coq/src/putnam_1999_a1.v", answer)
    write(root / "coq/src/putnam_1999_b2.v", "Theorem putnam_1999_b2 : True. Proof. Admitted.\n")
    write(root / "coq/src/commented_problems.v", "(* nothing *)")
    return root


@pytest.mark.parametrize("place", ["", "coq", "coq/src"])
def test_putnambench(tmp_path: Path, place: str) -> None:
    source = putnam(putnam_folder(tmp_path) / place)
    found = list(source.theorems())
    assert [t.id for t in found] == ["putnam_1999_a1", "putnam_1999_b2"]
    assert [(t.metadata["answer"], t.metadata["year"]) for t in found] == [("yes", "1999"), ("no", "1999")]
    assert "putnam_1999_a1_solution : nat := 2." in found[0].preamble
    assert source.describe().theorems == 2
    with pytest.raises(DataError, match="there is no such file"):
        ids(putnam(tmp_path / "coq" / "src" / ".." / ".." / ".."))


# --- PALM


def palm(path: Path | str, **options: Any) -> Palm:
    return Palm(PalmSourceOptions.model_validate(options), str(path))


PALM_SOURCE = """Require Import Arith. (* c *)
Lemma first : 1  = 1. Proof. auto. Qed.
Goal 2 = 2. auto. Qed.
Module M. Lemma twice : True. auto. Qed. End M.
Module N. Lemma twice : 0 = 0. auto. Qed. End N.
"""
PALM_CODE = [
    "Require Import Arith.", "Lemma first : 1 = 1.", "Proof.", "auto.", "Qed.",
    "Goal 2 = 2.", "auto.", "Qed.",
    "Module M.", "Lemma twice : True.", "auto.", "Qed.", "End M.",
    "Module N.", "Lemma twice : 0 = 0.", "auto.", "Qed.", "End N.",
]  # fmt: skip


def palm_folder(root: Path, *, code: bool) -> Path:
    theorems = [
        {"name": "first", "kind": "Lemma", "begin": 1, "end": 4},
        {"name": "Goal_5", "kind": "Goal", "begin": 5, "end": 7},
        {"name": "twice", "kind": "Lemma", "begin": 9, "end": 11},
        {"name": "twice", "kind": "Lemma", "begin": 14, "end": 16},
    ]
    if code:
        write(root / "data/toy/src/A.json", json.dumps({"code": PALM_CODE, "theorems": theorems}))
    write(root / "data/path.json", json.dumps({"toy": ["-Q src Toy", "coqllm8.11"]}))
    listed = [f"toy/src/A.json/{t['name']}" for t in (theorems[1], theorems[0], theorems[3])]
    write(root / "data/intersection.json", json.dumps({"toy": [*listed, "toy/src/B.json/gone"]}))
    return root


def palm_checkout(root: Path) -> Path:
    write(root / "toy/src/A.v", PALM_SOURCE)
    return root


def test_palm_on_its_own_texts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = palm(palm_folder(tmp_path, code=True))
    found = list(source.theorems())
    assert [t.id for t in found] == [f"toy/src/A.json/{n}" for n in ("first", "Goal_5", "twice")]
    assert found[0].statement == "Lemma first : 1 = 1." and found[0].preamble == "Require Import Arith.\n"
    assert found[2].name == "M.twice"  # the name alone does not tell which of the two; it is the first
    assert found[0].metadata["switch"] == "coqllm8.11" and found[0].project == "toy"
    assert "1 of 4 theorems cannot be used" in caplog.text and "gone" in caplog.text
    assert source.describe().details["ids"] == "4"
    assert len(ids(palm(tmp_path / "data", theorems="all"))) == 4


@pytest.mark.parametrize("code", [True, False])
def test_palm_in_checkouts(tmp_path: Path, code: bool, caplog: pytest.LogCaptureFixture) -> None:
    projects = palm_checkout(tmp_path / "projects")
    source = palm(palm_folder(tmp_path / "palm", code=code), projects_dir=projects)
    found = list(source.theorems())
    names = ["first", "Goal_5", "twice"] if code else ["first", "Goal_5"]  # which `twice` is not known then
    assert [t.id for t in found] == [f"toy/src/A.json/{n}" for n in names]
    assert found[0].file == str(projects / "toy/src/A.v")
    assert found[0].options == ("-Q", str(projects / "toy/src"), "Toy")
    assert found[1].statement == "Goal 2 = 2."
    assert "cannot be used" in caplog.text
    if not code:
        assert "more than one theorem" in caplog.text


def test_palm_theorems_open(tmp_path: Path) -> None:
    folder, projects = palm_folder(tmp_path, code=True), palm_checkout(tmp_path / "projects")
    with coq("8.20") as environment:
        for source in (palm(folder), palm(folder, projects_dir=projects)):
            source.bind(environment)
            assert [opens(environment, t) for t in source.theorems()] == ["", "", ""]


def test_palms_real_ids_are_all_there() -> None:
    folder = shared_data("coq/palm/path.json").parent
    source = palm(folder)
    assert source.describe().details == {"ids": "11268", "projects": "27"}
    with pytest.raises(DataError, match=r"11,268 of 11,268 .* no project file, and no projects_dir"):
        ids(source)


def test_palms_real_file_gives_its_theorems(tmp_path: Path) -> None:
    for name in ("path.json", "intersection.json"):
        (tmp_path / name).write_bytes(shared_data(f"coq/palm/{name}").read_bytes())
    (tmp_path / "hoare-tut").mkdir()
    sample = shared_data("coq/palm/sample_project_file.json").read_bytes()
    (tmp_path / "hoare-tut/exgcd.json").write_bytes(sample)
    found = list(palm(tmp_path, projects=("hoare-tut",)).theorems())
    assert len(found) == 6 and {t.metadata["kind"] for t in found} == {"Lemma"}
    assert found[0].id == "hoare-tut/exgcd.json/Zgcd_minus"
    assert "Module Example <: ExprLang." in found[0].preamble


def test_wrong_folders_of_palm(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path, "no such folder"),
        ("", "none was given"),
        (tmp_path / "x", "no such folder"),
    ):
        with pytest.raises(DataError, match=f"palm needs PALM's data folder.*{words}"):
            ids(palm(path))
    write(tmp_path / "path.json", '{"toy": 7}')
    with pytest.raises(DataError, match=r"path.json: not PALM's path.json"):
        ids(palm(tmp_path))
    write(tmp_path / "path.json", '{"toy": "-Q . Toy"}')
    with pytest.raises(DataError, match=r"has no theorems in intersection\.json"):
        ids(palm(tmp_path))
    with pytest.raises(DataError, match=r"there is no project other .* It has: toy"):
        ids(palm(tmp_path, projects=("other",)))


# --- CoqGym


def coqgym(path: Path | str, **options: Any) -> CoqGym:
    return CoqGym(CoqGymSourceOptions.model_validate(options), str(path))


def coqgym_folder(root: Path) -> Path:
    commands = [
        ['Cd "$COQGYM_ROOT".', "VernacChdir", "0"],
        ["Require Import Arith.", "VernacRequire", "1"],
        ["Definition two := 2.", "VernacDefinition", "2"],
        ["Lemma two_is : two = 2.", "VernacStartTheoremProof", "3"],
        ["reflexivity.", "VernacExtend", "4"],
        ["Qed.", "VernacEndProof", "5"],
    ]
    proof = {"name": "two_is", "line_nb": 3, "env_delta": {}, "steps": [], "goals": {}, "proof_tree": None}
    content = {
        "filename": "A.v", "coq_project": "toy", "vernac_cmds": commands, "num_extra_cmds": 1,
        "proofs": [proof, proof | {"name": "odd", "line_nb": 4}], "synthetic_proofs": [],
    }  # fmt: skip
    write(root / "data/toy/A.json", json.dumps(content))
    write(root / "projs_split.json", '{"projs_train": [], "projs_valid": [], "projs_test": ["toy"]}')
    return root


def test_coqgym(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = coqgym(coqgym_folder(tmp_path), split="test")
    (theorem,) = source.theorems()
    assert theorem.id == "toy/A.v:two_is" and theorem.statement == "Lemma two_is : two = 2."
    assert "Cd" not in theorem.preamble and "Definition two := 2.\n" in theorem.preamble
    assert "odd" in caplog.text and source.describe().theorems == 1
    write(tmp_path / "projects/toy/A.v", "Lemma two_is  : two = 2. Proof. auto. Qed.")
    (theorem,) = coqgym(tmp_path, projects_dir=tmp_path / "projects").theorems()
    assert theorem.file == str(tmp_path / "projects/toy/A.v") and theorem.id == "toy/A.v:two_is"
    with coq("8.20") as environment:
        assert [opens(environment, t) for t in source.theorems()] == [""]


def test_wrong_folders_of_coqgym(tmp_path: Path) -> None:
    coqgym_folder(tmp_path / "gym")
    write(tmp_path / "other/x.json", "{}")
    for path, options, words in (
        ("", {}, "none was given"),
        (tmp_path / "x", {}, "there is no"),
        (tmp_path / "other", {}, "something else: .*x.json: not a CoqGym file"),
        (tmp_path / "gym", {"split": "train"}, "holds no proof of split=train"),
    ):
        with pytest.raises(DataError, match=words):
            ids(coqgym(path, **options))


# --- CoqStoq


def coqstoq(path: Path | str, **options: Any) -> CoqStoq:
    return CoqStoq(CoqStoqSourceOptions.model_validate(options), str(path))


def coqstoq_folder(root: Path) -> Path:
    def theorem(line: int, column: int, path: str = "A.v") -> dict[str, Any]:
        start = {"line": line, "column": column}
        return {
            "project": {
                "dir_name": "toy",
                "split": {"dir_name": "test-repos", "thm_dir_name": "test-theorems"},
                "commit_hash": "c0ffee",
                "compile_args": ["-Q", ".", "Toy"],
            },
            "path": path,
            "theorem_start_pos": start,
            "theorem_end_pos": start,
            "proof_start_pos": start,
            "proof_end_pos": start,
            "hash": "",
        }

    listed = [theorem(1, 0), theorem(3, 10), theorem(0, 0), theorem(0, 0, "gone.v")]
    write(root / "test-theorems/toy/A.json", json.dumps(listed))
    order = [{"thm_path": "test-theorems/toy/A.json", "thm_idx": n} for n in (1, 0, 2, 3)]
    write(root / "test-theorems.json", json.dumps(order))
    write(root / "test-repos/toy/A.v", PALM_SOURCE)
    return root


def test_coqstoq(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = coqstoq(coqstoq_folder(tmp_path) / "test-theorems.json")
    found = list(source.theorems())
    assert [t.id for t in found] == ["toy/A.v:M.twice", "toy/A.v:first"]
    assert found[1].options == ("-Q", str(tmp_path / "test-repos/toy"), "Toy")
    assert found[0].metadata["commit"] == "c0ffee" and found[0].metadata["coqstoq"] == "A.json#1"
    assert "2 of 4 theorems cannot be used" in caplog.text and source.describe().theorems == 2
    with coq("8.20") as environment:
        assert [opens(environment, t) for t in source.theorems()] == ["", ""]


def test_wrong_folders_of_coqstoq(tmp_path: Path) -> None:
    root = coqstoq_folder(tmp_path / "coqstoq")
    write(tmp_path / "empty/x-repos/y", "")
    (tmp_path / "alone").mkdir()
    (root / "test-theorems/toy/A.json").rename(tmp_path / "alone/A.json")
    for path, options, words in (
        ("", {}, "none was given"),
        (tmp_path / "x", {}, "there is no"),
        (tmp_path / "empty", {}, "holds no theorem file"),
        (tmp_path / "alone/A.json", {}, "only says where theorems stand"),
        (tmp_path / "alone/A.json", {"projects_dir": tmp_path}, "there is no project toy"),
        (root / "test-theorems.json", {}, "there is no test-theorems/toy/A.json beside the list"),
    ):
        with pytest.raises(DataError, match=words):
            ids(coqstoq(path, **options))


def test_options_of_a_project_get_absolute_paths(tmp_path: Path) -> None:
    words = ["-R", ".", "Top", "-Q", "src/x", "A.B", "-I", "ml", "Q", ".", "Bar", "-w", "none"]
    at = str(tmp_path)
    assert project_options(tmp_path, words) == (
        "-R", at, "Top", "-Q", f"{at}/src/x", "A.B", "-I", f"{at}/ml", "-Q", at, "Bar", "-w", "none",
    )  # fmt: skip


# --- installed libraries


def libraries(root: Path | str, argument: str = "", **options: Any) -> CoqLibraries:
    return CoqLibraries(CoqLibrariesOptions.model_validate({"root": str(root), **options}), argument)


def library_folder(root: Path) -> Path:
    write(root / "Base/core/A.v", "Definition two := 2.\nLemma a : two = 2. Proof. auto. Qed.\n")
    use = "From Base Require Import core.A.\nLemma b : two = 2. Proof. apply a. Qed.\n"
    write(root / "Uses/B.v", f"{use}Lemma later : True. Admitted.\n")
    write(root / "Base/C.v", "Require Import A.\nLemma c : two = 2. Proof. apply a. Qed.\n")
    write(root / "Ltac2/Init.v", "Lemma hidden : True. Qed.")
    return root


def test_installed_libraries(tmp_path: Path) -> None:
    root = library_folder(tmp_path)
    assert ids(libraries(root)) == ["Base/C.v:c", "Base/core/A.v:a", "Uses/B.v:b"]
    assert ids(libraries(root, "Uses", skip_admitted=False)) == ["Uses/B.v:b", "Uses/B.v:later"]
    assert ids(libraries(root, "Base/core/A:a,Base/*")) == ["Base/core/A.v:a", "Base/C.v:c"]
    described = libraries(root, "Base").describe()
    assert described.details["libraries"] == "Base (licence unknown)" and described.details["files"] == "2"
    with pytest.raises(UnknownNameError, match=r"no library or file Bas .*\n?.*Base"):
        ids(libraries(root, "Bas"))


def test_theorems_of_installed_libraries_open(tmp_path: Path) -> None:
    root = library_folder(tmp_path)
    with coq("8.20") as environment:
        coqc = environment.toolchain().paths["coqc"]
        subprocess.run([coqc, "-Q", "Base", "Base", "Base/core/A.v"], cwd=root, check=True, timeout=120)
        source = libraries(
            root, "Uses,Base/C"
        )  # the second calls a file of its own library by its short name
        source.bind(environment)
        assert [opens(environment, t) for t in source.theorems()] == ["", ""]
        own = CoqLibraries(CoqLibrariesOptions(), "Nope")
        own.bind(environment)
        with pytest.raises((DataError, UnknownNameError), match="user-contrib"):
            ids(own)


def test_wrong_folders_of_libraries(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        ids(libraries(tmp_path / "x"))
    (tmp_path / "Base").mkdir()
    with pytest.raises(DataError, match="it holds Base, without sources"):
        ids(libraries(tmp_path))
    with pytest.raises(DataError, match="does not know where the libraries are"):
        ids(libraries(""))


# --- the contract


class _Sources(DataSourceContract):
    """Every source, from a folder made for it."""

    make: Callable[[Path], DataSource]
    broken: Callable[[Path], DataSource]

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_source(self) -> DataSource:
        return type(self).make(self.folder)

    def make_broken(self) -> DataSource:
        return type(self).broken(self.folder / os.devnull.strip("/"))


class TestMiniF2F(_Sources):
    make = staticmethod(lambda folder: minif2f(minif2f_folder(folder)))
    broken = staticmethod(minif2f)


class TestPutnamBench(_Sources):
    make = staticmethod(lambda folder: putnam(putnam_folder(folder)))
    broken = staticmethod(putnam)


class TestPalm(_Sources):
    make = staticmethod(lambda folder: palm(palm_folder(folder, code=True)))
    broken = staticmethod(palm)


class TestCoqGym(_Sources):
    make = staticmethod(lambda folder: coqgym(coqgym_folder(folder)))
    broken = staticmethod(coqgym)


class TestCoqStoq(_Sources):
    make = staticmethod(lambda folder: coqstoq(coqstoq_folder(folder) / "test-theorems.json"))
    broken = staticmethod(coqstoq)


class TestLibraries(_Sources):
    make = staticmethod(lambda folder: libraries(library_folder(folder)))
    broken = staticmethod(libraries)
