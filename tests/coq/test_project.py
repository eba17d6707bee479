"""Project files, logical names, and options under which a copy elaborates as the original."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from toolchains import CoqInstall, require_coq

from prover_coq.project import compile_options, find_project, library_root, logical_name, scratch_options
from prover_core.errors import DataError

VERSIONS = ["8.16", "8.20", pytest.param("9.2", marks=pytest.mark.rocq9)]


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# -- _CoqProject ---------------------------------------------------------------------------------------


def test_project_file_with_everything(tmp_path: Path) -> None:
    write(
        tmp_path / "_CoqProject",
        '# a comment with "quotes"\n'
        '-R theories "My Lib" -Q "other folder" Other # -Q no No\n'
        "-I plugin\n-arg -w -arg all\n"
        "-arg \"-set 'A B'\"\n"
        "-docroot doc -install none\n"
        'COQFLAGS = "-x y"\n'
        "theories/A.v theories/B.v\n",
    )
    project = find_project(tmp_path / "theories" / "A.v")
    assert project.root == tmp_path
    assert project.options == (
        *("-R", str(tmp_path / "theories"), "My Lib"),
        *("-Q", str(tmp_path / "other folder"), "Other"),
        *("-I", str(tmp_path / "plugin")),
        *("-w", "all", "-set", "A B"),
    )
    assert project.files == ("theories/A.v", "theories/B.v")


@pytest.mark.parametrize("name", ["_CoqProject", "_RocqProject"])
def test_nearest_project_upwards(name: str, tmp_path: Path) -> None:
    write(tmp_path / name, "-R . Outer")
    write(tmp_path / "in" / name, "-Q . Inner")
    file = write(tmp_path / "in" / "deep" / "er" / "A.v")
    assert find_project(file).options == ("-Q", str(tmp_path / "in"), "Inner")
    assert logical_name(file, compile_options(file)) == ("Inner", "deep", "er", "A")
    assert find_project(tmp_path / "B.v").options == ("-R", str(tmp_path), "Outer")
    assert find_project(tmp_path / "in").root == tmp_path / "in"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A.v\n-R theories", r"_CoqProject, line 2: -R needs 2 value\(s\)"),
        ("-arg", r"line 1: -arg needs 1"),
        ('A.v\n\n-Q "theories X', "line 3: a quote is opened"),
    ],
)
def test_mistakes_in_a_project_file_name_the_line(text: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "_CoqProject", text)
    with pytest.raises(DataError, match=message):
        find_project(tmp_path / "A.v")


def test_no_project(tmp_path: Path) -> None:
    file = write(tmp_path / "A.v")
    assert find_project(file).root is None
    assert compile_options(file) == ()
    assert logical_name(file, ()) == ("A",)


# -- dune ----------------------------------------------------------------------------------------------


def test_dune_theories(tmp_path: Path) -> None:
    write(tmp_path / "dune-project", "(lang dune 3.8)\n(using coq 0.8)\n")
    write(
        tmp_path / "src" / "dune",
        "(include_subdirs qualified)\n(coq.theory ; mine\n (name My.Lib)\n (flags -w))",
    )
    write(tmp_path / "dep" / "dune", "(rocq.theory (package p) (name Dep))")
    write(tmp_path / "ocaml" / "dune", "(library (name plugin))")
    write(tmp_path / "_build" / "default" / "dep" / "Dep.vo")
    write(tmp_path / "_build" / "default" / "dep" / "dune", "(coq.theory (name Dep))")
    file = write(tmp_path / "src" / "sub" / "A.v")
    options = compile_options(file)
    assert options == (
        *("-Q", str(tmp_path / "dep"), "Dep"),
        *("-Q", str(tmp_path / "_build" / "default" / "dep"), "Dep"),
        *("-R", str(tmp_path / "src"), "My.Lib"),
    )
    assert logical_name(file, options) == ("My", "Lib", "sub", "A")


def test_dune_without_a_theory_says_so(tmp_path: Path) -> None:
    write(tmp_path / "dune-project", "(lang dune 3.8)")
    write(tmp_path / "src" / "dune", "(library (name x))")
    project = find_project(tmp_path / "src" / "A.v")
    assert project.options == ()
    assert "write a _CoqProject" in project.note


def test_a_coqproject_beside_dune_project_wins(tmp_path: Path) -> None:
    write(tmp_path / "dune-project", "(lang dune 3.8)")
    write(tmp_path / "_CoqProject", "-Q . P")
    assert find_project(tmp_path / "A.v").options == ("-Q", str(tmp_path), "P")


# -- options -------------------------------------------------------------------------------------------


def test_options_are_merged_made_absolute_and_stable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "_CoqProject", "-R src S -arg -w -arg none")
    file = write(tmp_path / "src" / "A.v")
    monkeypatch.chdir(tmp_path)
    options = compile_options(file, ("-Q", "extra", "E", "-w", "none"))
    assert options == (
        *("-R", str(tmp_path / "src"), "S", "-w", "none"),
        *("-Q", str(tmp_path / "extra"), "E"),
    )
    assert compile_options(file, options) == options


def test_an_option_without_its_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"-Q needs 2 value\(s\), and got 1"):
        compile_options(tmp_path / "A.v", ("-Q", "x"))


def test_logical_name_takes_the_innermost_then_the_last(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "C.v"
    outer, inner = str(tmp_path), str(tmp_path / "a")
    assert logical_name(file, ("-R", outer, "O")) == ("O", "a", "b", "C")
    assert logical_name(file, ("-Q", inner, "I.J", "-R", outer, "O")) == ("I", "J", "b", "C")
    assert logical_name(file, ("-Q", inner, "I", "-Q", inner, "K")) == ("K", "b", "C")
    assert logical_name(file, ("-R", str(tmp_path / "ab"), "No")) == ("C",)
    assert logical_name(file, ("-Q", str(tmp_path / "a" / "b"), "")) == ("C",)


# -- against Coq ---------------------------------------------------------------------------------------


def coqlib(install: CoqInstall) -> Path:
    where = subprocess.run([install.bin / "coqc", "-where"], capture_output=True, text=True, check=True)
    return Path(where.stdout.strip())


def coqc(install: CoqInstall, file: Path, options: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(
        [install.bin / "coqc", "-q", "-noglob", *options, file],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def library_file(install: CoqInstall, name: str) -> Path:
    root = coqlib(install)
    for folder in (root / "user-contrib" / "Stdlib", root / "theories"):
        if (folder / f"{name}.v").is_file():
            return folder / f"{name}.v"
    pytest.fail(f"no {name} in {root}")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "name",
    ["Arith/PeanoNat", "Init/Logic", "Init/Datatypes", "Init/Tauto", "Numbers/NatInt/NZAdd", "Bool/Bool"],
)
def test_a_copy_elaborates_in_its_own_library(version: str, name: str, tmp_path: Path) -> None:
    """It has its true name, and what it is about to prove is not already loaded."""
    install = require_coq(version, "coqidetop")
    original = library_file(install, name)
    options = scratch_options(original, (), tmp_path)
    copy = tmp_path / original.name
    text = original.read_text(encoding="utf-8")
    own = ".".join(logical_name(original, ()))
    copy.write_text(f"{text}\nPrint Libraries.\nDefinition last_one := Type.\nLocate last_one.\n", "utf-8")
    said = coqc(install, copy, options)
    assert f"Constant {own}.last_one" in " ".join(said.split())
    loaded = said.partition("Loaded")[2].partition("Constant")[0].split()
    assert len(loaded) > 1
    assert own not in loaded


@pytest.mark.parametrize("version", VERSIONS)
def test_the_toplevel_is_named_too(version: str, tmp_path: Path) -> None:
    install = require_coq(version, "coqtop")
    original = library_file(install, "Arith/PeanoNat")
    options = scratch_options(original, (), tmp_path)
    done = subprocess.run(
        [install.bin / "coqtop", "-q", *options, "-topfile", tmp_path / original.name],
        input="Definition here := Type. Locate here.\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"{'.'.join(logical_name(original, ()))}.here" in done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_logical_names_of_installed_files(version: str) -> None:
    install = require_coq(version, "coqidetop")
    root = coqlib(install)
    prefix = "Corelib" if version == "9.2" else "Coq"
    logic = root / "theories" / "Init" / "Logic.v"
    assert library_root(logic) == root.resolve()
    assert logical_name(logic, ()) == (prefix, "Init", "Logic")
    assert logical_name(root / "user-contrib" / "Ltac2" / "Init.v", ()) == ("Ltac2", "Init")
    assert compile_options(logic) == ("-noinit",)
    assert compile_options(root / "theories" / "Classes" / "Init.v") == ()


PROJECT = {
    "_CoqProject": "-R src My.Lib\n-arg -w -arg none\n",
    "src/A.v": "Definition a := 1.\n",
    "src/sub/B.v": "From My.Lib Require Import A.\nLemma b : a = 1. Proof. reflexivity. Qed.\n",
    "src/sub/C.v": "Require Import B.\nLemma c : A.a = 1. Proof. exact b. Qed.\nLocate c. Print Libraries.\n",
}


def test_a_copy_of_a_project_file_finds_its_project(tmp_path: Path) -> None:
    """Compiled from the project, all of it already built: the copy is not confused with the built file."""
    install = require_coq("8.16")
    for name, text in PROJECT.items():
        write(tmp_path / "p" / name, text)
    for name in ("src/A.v", "src/sub/B.v", "src/sub/C.v"):
        file = tmp_path / "p" / name
        coqc(install, file, list(compile_options(file)))
    original = tmp_path / "p" / "src" / "sub" / "C.v"
    scratch = tmp_path / "scratch"
    copy = write(scratch / "C.v", PROJECT["src/sub/C.v"])
    said = coqc(install, copy, scratch_options(original, (), scratch))
    assert "My.Lib.sub.C.c" in said
    loaded = said.partition("Loaded")[2].split()
    assert "My.Lib.sub.B" in loaded
    assert "My.Lib.sub.C" not in loaded


def test_a_file_without_a_project_finds_its_compiled_neighbours(tmp_path: Path) -> None:
    install = require_coq("8.16")
    first = write(tmp_path / "p" / "A.v", "Definition a := 1.\n")
    coqc(install, first, [])
    second = tmp_path / "p" / "B.v"
    copy = write(tmp_path / "s" / "B.v", "Require Import A.\nDefinition b := a.\nLocate b.\n")
    assert "Constant B.b" in coqc(install, copy, scratch_options(second, (), tmp_path / "s"), cwd=tmp_path)


def test_a_theorem_without_a_file_keeps_its_options(tmp_path: Path) -> None:
    assert scratch_options(None, ("-w", "none"), tmp_path) == ["-w", "none"]


def test_a_large_tree_is_not_given_to_coq(tmp_path: Path) -> None:
    """Coq reads every folder below a ``-Q``; a stray ``.vo`` in a home folder must not cost minutes."""
    file = tmp_path / "F.v"
    write(file)
    write(tmp_path / "F.vo")
    assert compile_options(file) == ("-Q", str(tmp_path), "")
    for number in range(400):
        (tmp_path / f"folder{number}").mkdir()
    assert compile_options(file) == ()
