"""The Coq data sources, and theorems out of files and text."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path

import pytest
from toolchains import require_coq

from prover_coq.document import read_source
from prover_coq.environment import CoqEnvironment
from prover_coq.options import CoqOptions
from prover_coq.sources.files import CoqFiles
from prover_coq.sources.selection import SelectionOptions
from prover_coq.sources.stdlib import CoqStdlib, CoqStdlibOptions
from prover_coq.sources.theorem_list import TheoremList, TheoremListOptions
from prover_coq.theorems import theorem_from_text, theorems_of_file
from prover_core.contracts import DataSource
from prover_core.errors import DataError, UnknownNameError
from prover_core.types import Theorem

SOURCE = """\
Require Import Arith.
Lemma one : True. Proof. exact I. Qed.
Module M.
  Theorem two : True /\\ True. Proof. split. exact I. exact I. Qed.
  Lemma three : True. Proof. Admitted.
End M.
Definition four : True. exact I. Defined.
Goal True. Abort.
Lemma one : True. Proof. exact I. Qed.
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def ids(source: DataSource) -> list[str]:
    return [theorem.id for theorem in source.theorems()]


def files(argument: str | Path, **options: object) -> CoqFiles:
    return CoqFiles(SelectionOptions.model_validate(options), str(argument))


# -- one file ------------------------------------------------------------------------------------------


def test_theorems_of_a_file(tmp_path: Path) -> None:
    write(tmp_path / "_CoqProject", "-Q src Lib")
    file = write(tmp_path / "src" / "A.v", SOURCE)
    found = theorems_of_file(file, ("-w", "none"))
    assert [t.id.removeprefix("src/A.v:") for t in found] == [
        *("one", "M.two", "M.three", "four", "Unnamed_thm", "one#2"),
    ]
    assert [t.name for t in found] == ["one", "M.two", "M.three", "four", "Unnamed_thm", "one"]
    two = found[1]
    assert two.statement == "Theorem two : True /\\ True."
    assert two.options == ("-Q", str(tmp_path / "src"), "Lib", "-w", "none")
    assert two.metadata == {
        "kind": "Theorem",
        "line": "4",
        "area": "src",
        "terminator": "Qed",
        "proof_sentences": "3",
        "abstract": "no",
    }
    assert two.file == str(file)
    assert two.span is not None
    assert two.proof_span is not None
    assert SOURCE[two.span.start : two.span.end] == two.statement
    assert SOURCE[two.proof_span.start : two.proof_span.end] == "Proof. split. exact I. exact I. Qed."


def test_not_a_coq_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not end in \.v"):
        theorems_of_file(write(tmp_path / "A.lean", ""))


# -- coq-files -----------------------------------------------------------------------------------------


def test_files_filters(tmp_path: Path) -> None:
    file = write(tmp_path / "A.v", SOURCE)
    assert ids(files(file)) == ["A.v:one", "A.v:M.two", "A.v:four", "A.v:one#2"]
    assert ids(files(file, kinds=["theorem", "Definition"])) == ["A.v:M.two", "A.v:four"]
    assert ids(files(file, min_proof_sentences=2)) == ["A.v:M.two"]
    assert ids(files(file, max_proof_sentences=0)) == []
    assert len(ids(files(file, skip_admitted=False))) == 6


def test_files_by_name(tmp_path: Path) -> None:
    file = write(tmp_path / "A.v", SOURCE)
    assert ids(files(f"{file}:M.two")) == ["A.v:M.two"]
    assert ids(files(f"{file}:two, {file}:M.three,{file}:one#2,{file}:two")) == [
        *("A.v:M.two", "A.v:M.three", "A.v:one#2"),
    ]
    assert ids(files(f"{file}:M.*")) == ["A.v:M.two", "A.v:M.three"]


def test_folders_are_searched_recursively(tmp_path: Path) -> None:
    write(tmp_path / "p" / "_CoqProject", "-R . P")
    for name in ("p/b/B.v", "p/a/A.v", "p/_build/default/a/A.v", "p/.git/A.v", "p/notes.txt", "q/a/A.v"):
        write(tmp_path / name, "Lemma x : True. Proof. exact I. Qed.")
    assert ids(files(tmp_path / "p")) == ["a/A.v:x", "b/B.v:x"]
    other = tmp_path / "q" / "a" / "A.v"
    assert ids(files(f"{tmp_path / 'p' / 'a'},{other}")) == ["a/A.v:x", "A.v:x"]
    again = write(tmp_path / "r" / "A.v", "Lemma x : True. Proof. exact I. Qed.")
    assert ids(files(f"{other},{again}")) == ["A.v:x", f"{again}:x"]


def test_files_are_read_one_at_a_time(tmp_path: Path) -> None:
    write(tmp_path / "A.v", SOURCE)
    (tmp_path / "B.v").write_bytes(b"Lemma \xff.")
    iterator = files(tmp_path).theorems()
    assert len(list(itertools.islice(iterator, 4))) == 4
    with pytest.raises(DataError, match=r"B\.v is not UTF-8.*offset 6"):
        next(iterator)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("", "was given nothing to read"),
        ("{}/none.v", r"no file or folder .*none\.v .*Write files, folders or File\.v:name"),
        ("{}/none.v:x", r"no file or folder .*none\.v "),
        ("{}/empty", r"holds no \.v file"),
        ("{}/A.v:oen", r"no theorem oen is declared in .*A\.v\. Near names: one"),
        ("{}/A.v:zzzzzz", r"It holds 6: one, M\.two, "),
    ],
)
def test_files_mistakes(argument: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "A.v", SOURCE)
    (tmp_path / "empty").mkdir()
    with pytest.raises((DataError, UnknownNameError), match=message):
        ids(files(argument.format(tmp_path)))


def test_a_short_name_that_several_share(tmp_path: Path) -> None:
    text = "Module A. Lemma x : T. Qed. End A. Module B. Lemma x : T. Qed. End B."
    file = write(tmp_path / "A.v", text)
    with pytest.raises(UnknownNameError, match=r"several theorems: A\.x, B\.x"):
        ids(files(f"{file}:x"))


# -- coq-stdlib ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def coqlib() -> str:
    install = require_coq("8.16")
    done = subprocess.run([install.bin / "coqc", "-where"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def stdlib(coqlib: str, argument: str = "", **options: object) -> CoqStdlib:
    return CoqStdlib(CoqStdlibOptions.model_validate({"coqlib": coqlib, **options}), argument)


def test_the_whole_library(coqlib: str) -> None:
    found = list(stdlib(coqlib).theorems())
    assert len({theorem.id for theorem in found}) == len(found)
    assert len(found) == 12_732  # Coq 8.16.1; every Qed, Defined and `Proof term.` of it
    for theorem in found[::500]:
        assert theorem.file is not None
        assert theorem.span is not None
        text = read_source(Path(theorem.file))
        assert text[theorem.span.start : theorem.span.end] == theorem.statement


def test_the_library_comes_from_the_environment(coqlib: str) -> None:
    source = CoqStdlib(CoqStdlibOptions(), "Bool/Bool.v:bool_dec")
    with pytest.raises(DataError, match="names none"):
        ids(source)
    with CoqEnvironment(CoqOptions(bin=require_coq("8.16", "coqidetop").bin)) as environment:
        source.bind(environment)
        (theorem,) = source.theorems()
        assert source.describe().origin == environment.toolchain().paths["coqlib"]
        assert source.describe().version.startswith("8.16")
    assert theorem.id == "Bool/Bool.v:bool_dec"
    assert theorem.project == "coq-stdlib"
    assert theorem.metadata["area"] == "Bool"


@pytest.mark.parametrize("version", ["8.20", pytest.param("9.2", marks=pytest.mark.rocq9)])
def test_ids_are_the_same_in_every_version(version: str, coqlib: str) -> None:
    install = require_coq(version, "coqtop")
    done = subprocess.run([install.bin / "coqc", "-where"], capture_output=True, text=True, check=True)
    for item in ("Bool/Bool.v:bool_dec", "Lists/List.v:rev_involutive", "ZArith/BinInt.v:Z.eq_dec"):
        assert ids(stdlib(done.stdout.strip(), item)) == ids(stdlib(coqlib, item)) == [item]


@pytest.mark.parametrize(
    ("argument", "sources"),
    [
        ("Bool/Bool,Bool/BoolEq.v", ["Bool/Bool.v", "Bool/BoolEq.v"]),
        ("Bool/B*q", ["Bool/BoolEq.v"]),
        ("*/Zeven", ["ZArith/Zeven.v"]),
        ("Numbers/NatInt/NZAdd", ["Numbers/NatInt/NZAdd.v"]),
        ("Unicode,Bool/BoolEq", ["Bool/BoolEq.v"]),
    ],
)
def test_areas_files_and_globs(argument: str, sources: list[str], coqlib: str) -> None:
    found = [theorem.id.partition(":")[0] for theorem in stdlib(coqlib, argument).theorems()]
    assert list(dict.fromkeys(found)) == sources


def test_an_area_is_its_folder(coqlib: str) -> None:
    found = list(stdlib(coqlib, "Numbers/NatInt").theorems())
    assert {theorem.metadata["area"] for theorem in found} == {"Numbers/NatInt"}
    assert len(found) > 100
    twice = stdlib(coqlib, "Bool/BoolEq,Bool/BoolEq:*")
    assert ids(twice) == ids(stdlib(coqlib, "Bool/BoolEq"))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("Arth", r"no area or file Arth in .*Near names: Arith"),
        ("PeanoNat", "Near names: Arith/PeanoNat"),
        ("Arith/PeanoNat:Nat.div2_deccr", r"Near names: Nat\.div2_decr"),
        ("Arith/PeanoNat:Nat.add_comm", "by `Include`"),
    ],
)
def test_stdlib_mistakes(argument: str, message: str, coqlib: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        ids(stdlib(coqlib, argument))


def test_a_library_without_sources(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no sources of the standard library"):
        ids(stdlib(str(tmp_path)))


# -- theorem-list --------------------------------------------------------------------------------------


def listed(path: Path) -> list[Theorem]:
    return list(TheoremList(TheoremListOptions(), str(path)).theorems())


def test_text_list(tmp_path: Path) -> None:
    write(tmp_path / "src" / "A.v", SOURCE)
    path = write(tmp_path / "l.txt", "# chosen\n\nsrc/A.v:M.two # why\nsrc/A.v:one#2\n  src/A.v:four\n")
    assert [t.id for t in listed(path)] == ["A.v:M.two", "A.v:one#2", "A.v:four"]


def test_json_list(tmp_path: Path) -> None:
    file = write(tmp_path / "A.v", SOURCE)
    rows = [
        {"file": "A.v", "name": "two", "id": "second", "split": "test"},
        {"name": "mine", "statement": "Lemma a : True.", "preamble": "Module N.", "options": ["-w", "none"]},
    ]
    path = write(tmp_path / "l.jsonl", "\n".join(json.dumps(row) for row in rows))
    two, mine = listed(path)
    assert (two.id, two.name, two.file, two.metadata["split"]) == ("second", "M.two", str(file), "test")
    assert (mine.id, mine.name, mine.preamble, mine.options) == ("mine", "N.a", "Module N.\n", ("-w", "none"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.txt", "A.v:one\nA.v:oen", r"l\.txt, line 2: no theorem oen"),
        ("l.txt", "A.v:one\n\nA.v:one", r"line 3: A\.v:one is on line 1 already"),
        ("l.txt", "B.v:one", r"line 1: cannot read .*B\.v"),
        ("l.jsonl", '{"file": "A.v", "name": "one"}\n{', r"l\.jsonl, line 2: Expecting"),
        ("l.jsonl", '{"name": "one"}', 'line 1: a row needs either "file"'),
        ("l.jsonl", '{"statement": "Check 1."}', "line 1: not one Coq statement: it does not open a proof"),
        ("l.jsonl", "[]", "line 1: .*valid dictionary"),
        ("l.csv", "", r"is a \.txt file"),
    ],
)
def test_list_mistakes_name_the_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "A.v", SOURCE)
    with pytest.raises(DataError, match=f"(?s){message}"):
        listed(write(tmp_path / name, text))


def test_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read the theorem list"):
        listed(tmp_path / "l.txt")


# -- theorems out of text ------------------------------------------------------------------------------


def test_theorem_from_text() -> None:
    theorem = theorem_from_text("  (* c *) Lemma a : T. (* d *)\n", preamble="Module M. Section S.")
    assert (theorem.id, theorem.name, theorem.statement) == ("M.a", "M.a", "Lemma a : T.")
    assert theorem_from_text("Goal True.").name == "Unnamed_thm"
    assert theorem_from_text("Lemma a : T.", name="row 7").id == "row 7"
    before = "Lemma a : T. Admitted.\n"
    assert theorem_from_text("Definition b : T.", preamble=before).name == "b"


@pytest.mark.parametrize(
    ("statement", "preamble", "message"),
    [
        ("", "", "holds no sentence"),
        ("(* only *)", "", "holds no sentence"),
        ("Lemma a : T", "", "not ended by a dot"),
        ("Lemma a : (* T.", "", "not ended by a dot"),
        ("Lemma a : T. Proof.", "", "holds 2 sentences"),
        ("Definition a := 1.", "", "does not open a proof"),
        ("auto.", "", "does not open a proof"),
        ("-", "", "does not open a proof"),
        ("Lemma a : T.", "Require Import Arith", "preamble's last sentence"),
        ("Lemma a : T.", "Lemma b : T. Proof.", "leaves the proof of b open"),
    ],
)
def test_what_is_not_one_statement(statement: str, preamble: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        theorem_from_text(statement, preamble=preamble)
