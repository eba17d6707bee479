"""Finding theorems in source text."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toolchains import CoqInstall, require_coq

from prover_coq.document import TheoremDecl, parse_document, read_source
from prover_coq.lexer import strip_comments
from prover_coq.project import logical_name
from prover_core.errors import DataError


def theorems(source: str) -> list[TheoremDecl]:
    return list(parse_document(source).theorems)


def briefly(source: str) -> list[tuple[str, str, str]]:
    return [(decl.kind, decl.qualified_name, decl.terminator) for decl in theorems(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Lemma a : T. Proof. auto. Qed.", ("Lemma", "a", "Qed")),
        ("Theorem a x (H : x = x) : T. auto. Qed.", ("Theorem", "a", "Qed")),
        ("Corollary a : T. Admitted.", ("Corollary", "a", "Admitted")),
        ("Remark a : T. Abort.", ("Remark", "a", "Abort")),
        ("Fact a : T. Abort All.", ("Fact", "a", "Abort")),
        ("Proposition a : T. Proof. auto. Save.", ("Proposition", "a", "Save")),
        ("Property a : T. Proof (fun x => x).", ("Property", "a", "Proof term")),
        ("Example a : T. Proof foo.", ("Example", "a", "Proof term")),
        ("Lemma a : T. Proof using H. auto. Qed.", ("Lemma", "a", "Qed")),
        ("Lemma a : T. Proof with auto. trivial... Qed.", ("Lemma", "a", "Qed")),
        ("Lemma a : T. Proof using x with auto. trivial... Defined.", ("Lemma", "a", "Defined")),
        ("Definition a : T. exact x. Defined.", ("Definition", "a", "Defined")),
        ("Definition a : let x := 1 in x = x. auto. Qed.", ("Definition", "a", "Qed")),
        ("Definition a (f := fun x => x) : let fix g n := n in T. auto. Qed.", ("Definition", "a", "Qed")),
        ("Definition a : {| f := 1 |} = b. auto. Qed.", ("Definition", "a", "Qed")),
        ("Fixpoint a (n : nat) {struct n} : T. Proof. auto. Defined.", ("Fixpoint", "a", "Defined")),
        ("Let a : T. Proof. auto. Qed.", ("Let", "a", "Qed")),
        ("Let Fixpoint a (n : nat) : T. auto. Qed.", ("Let Fixpoint", "a", "Qed")),
        ("Instance a : C x. Proof. auto. Qed.", ("Instance", "a", "Qed")),
        ("#[refine] Instance a : C := {}. Proof. auto. Qed.", ("Instance", "a", "Qed")),
        ("Instance : Proper (eq ==> eq) f. Proof. auto. Qed.", ("Instance", "Proper_instance_0", "Qed")),
        ("Instance: forall x, A x -> M.C x. auto. Qed.", ("Instance", "C_instance_0", "Qed")),
        ("Global Instance a {x} : C x | 3. auto. Qed.", ("Instance", "a", "Qed")),
        ("Local Polymorphic Lemma a@{u} : T. auto. Qed.", ("Lemma", "a", "Qed")),
        ('#[local, deprecated(note="Use ]. b.")] Lemma a : T. auto. Qed.', ("Lemma", "a", "Qed")),
        ("#[global]\n#[universes(polymorphic)]\nLemma a : T. auto. Qed.", ("Lemma", "a", "Qed")),
        ("Time Lemma a : T. auto. Time Qed.", ("Lemma", "a", "Qed")),
        ("Lemma (* b *) a (* : *) : T. auto. (* x *) Qed (* y *).", ("Lemma", "a", "Qed")),
        ("Program Lemma a : T. auto. Qed.", ("Program Lemma", "a", "Qed")),
        ("#[program] Definition a : T. auto. Qed.", ("Program Definition", "a", "Qed")),
        ("Lemma a : A with b : B. Proof. auto. auto. Qed.", ("Lemma", "a", "Qed")),
        ("Add Morphism f with signature eq ==> eq as a. auto. Qed.", ("Add Morphism", "a", "Qed")),
        (
            "Add Parametric Morphism A : (f A) with signature (eq ==> eq) as a. auto. Qed.",
            ("Add Parametric Morphism", "a", "Qed"),
        ),
        ("Derive p SuchThat (p = 1) As a. auto. Qed.", ("Derive", "a", "Qed")),
        ("Derive p in (p = 1) as a. auto. Qed.", ("Derive", "a", "Qed")),
        ("Function a n {wf lt n} : nat := n. Proof. auto. Defined.", ("Function", "a", "Defined")),
        ("Equations? a (n : nat) : nat := a n := n. Proof. auto. Qed.", ("Equations", "a", "Qed")),
        ("Goal T. auto. Qed.", ("Goal", "Unnamed_thm", "Qed")),
        ("Goal T. auto. Save a.", ("Goal", "a", "Save")),
        ("Obligation 2 of a. auto. Qed.", ("Obligation", "a_obligation_2", "Qed")),
        ("Lemma é₁' : T. auto. Qed.", ("Lemma", "é₁'", "Qed")),
        ("Lemma a : T.\r\nProof.\r\nauto.\r\nQed.\r\n", ("Lemma", "a", "Qed")),
        ("Lemma a : T.", ("Lemma", "a", "")),
        ("Lemma a : T. Proof. auto.", ("Lemma", "a", "")),
    ],
)
def test_one_theorem(source: str, expected: tuple[str, str, str]) -> None:
    assert briefly(source) == [expected]


@pytest.mark.parametrize(
    "source",
    [
        "Definition a := 1. Check a.",
        "Definition a : T := let x := 1 in x.",
        "Program Definition a : T := 1.",
        "Program Instance a : C := {}. Check a.",
        "Instance a : C := {}. Check a.",
        "Instance a : C := {}.",
        "Existing Instance a. Declare Instance b : C.",
        "Fixpoint a n := n with b n := n.",
        "Let a := 1.",
        "Function a n := n. Check a.",
        "Equations a (n : nat) : nat := a n := n. Check a.",
        "Obligation Tactic := auto. Solve Obligations with auto. Solve All Obligations.",
        "Add Ring r : t. Add Field f : t.",
        "Derive Inversion a with T.",
        "Fail Lemma a : T.",
        "(* Lemma a : T. Proof. auto. Qed. *)",
        'Check "Lemma a : T. Proof. auto. Qed."',
        "Parameter a : T. Axiom b : T. Hypothesis c : T.",
        'Proof Mode "Classic". Goals.',
        "Qed. Proof. - { } auto.",
    ],
)
def test_what_opens_no_proof(source: str) -> None:
    assert briefly(source) == []


def test_spans_and_lines() -> None:
    source = "(* é *)\nLemma a : T.\n (* why *) Proof.\n  - auto.\n  - auto.\n  Qed. (* end *)\n"
    (decl,) = theorems(source)
    assert source[decl.statement.start : decl.statement.end] == "Lemma a : T."
    assert decl.proof is not None
    assert source[decl.proof.start : decl.proof.end] == "Proof.\n  - auto.\n  - auto.\n  Qed."
    assert (decl.line, decl.proof_sentences) == (2, 4)


def test_modules_and_sections() -> None:
    source = """
    Module Type T. Lemma a : X. Admitted. End T.
    Module M (X : T). Section S. Lemma a : X. Qed. End S. End M.
    Module N := M X.
    Module Export P <: T. Module Import Q. Lemma a : X. Qed. End Q. Lemma a : X. Qed. End P.
    Module R : T with Definition t := nat. Lemma a : X. Qed. End R.
    Module Type U := T with Definition t := nat.
    Declare Module V : T.
    Include M.
    Section S. Lemma a : X. Qed. Lemma a : X. Qed. End S.
    """
    found = theorems(source)
    assert [(d.qualified_name, d.sections, d.abstract) for d in found] == [
        ("T.a", (), True),
        ("M.a", ("S",), True),
        ("P.Q.a", (), False),
        ("P.a", (), False),
        ("R.a", (), True),
        ("a", ("S",), False),
        ("a#2", ("S",), False),
    ]
    assert found[2].modules == ("P", "Q")
    assert {d.name for d in found} == {"a"}


def test_nested_proofs_end_inside_out() -> None:
    source = "Lemma a : A. Proof. Lemma b : B. Proof. tb. Qed. ta. ta. Defined."
    assert [(d.name, d.terminator, d.proof_sentences) for d in theorems(source)] == [
        ("a", "Defined", 2),
        ("b", "Qed", 1),
    ]


def test_obligations_are_named_after_their_program() -> None:
    source = """
    Program Definition f : T := g. Next Obligation. auto. Qed. Next Obligation. auto. Defined.
    Program Instance i : C. Next Obligation of i. auto. Qed. Final Obligation. auto. Qed.
    """
    assert briefly(source) == [
        ("Next Obligation", "f_obligation_1", "Qed"),
        ("Next Obligation", "f_obligation_2", "Defined"),
        ("Next Obligation", "i_obligation_1", "Qed"),
        ("Final Obligation", "i_obligation_2", "Qed"),
    ]


def test_anonymous_goals_are_numbered_as_in_coq() -> None:
    names = [d.name for d in theorems("Goal A. Qed. Goal B. Qed. Goal C. Abort.")]
    assert names == ["Unnamed_thm", "Unnamed_thm0", "Unnamed_thm1"]


def test_an_end_that_closes_nothing_is_harmless() -> None:
    assert briefly("End X. Module M. End Y. Lemma a : T. Qed. End M.") == [("Lemma", "M.a", "Qed")]


WORDS = st.sampled_from(
    "Lemma a : T := . Proof Qed Defined. Admitted. auto. Module Type End Section M (X S. Instance Program "
    'Definition Next Obligation. Goal Let with - { } (* *) " #[x] let in Fail Time Abort Save'.split(" ")
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(WORDS, max_size=50).map(" ".join)))
def test_any_text_gives_ordered_unique_theorems(source: str) -> None:
    found = theorems(source)
    names = [d.qualified_name for d in found]
    assert len(set(names)) == len(names)
    assert [d.statement.start for d in found] == sorted(d.statement.start for d in found)
    for decl in found:
        assert decl.line == source.count("\n", 0, decl.statement.start) + 1
        if decl.proof is not None:
            assert decl.statement.end <= decl.proof.start < decl.proof.end <= len(source)


# -- against Coq ---------------------------------------------------------------------------------------

VERSIONS = ["8.16", "8.20", pytest.param("9.2", marks=pytest.mark.rocq9)]
NAMED_FILES = """
    Arith/PeanoNat Bool/Bool Classes/CMorphisms Classes/CRelationClasses Lists/List Lists/SetoidPermutation
    Logic/ClassicalFacts Numbers/DecimalFacts QArith/QArith_base Sorting/Heap Sorting/Permutation
    Structures/GenericMinMax Vectors/VectorSpec ZArith/BinInt
""".split()


def library(install: CoqInstall) -> Path:
    where = subprocess.run([install.bin / "coqc", "-where"], capture_output=True, text=True, check=True)
    root = Path(where.stdout.strip())
    modern = root / "user-contrib" / "Stdlib"
    return modern if modern.is_dir() else root / "theories"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_proof_of_the_library_is_accounted_for(version: str) -> None:
    """Each ``Qed`` and its like ends exactly one theorem, and each theorem is ended."""
    files = sorted(library(require_coq(version, "coqtop")).rglob("*.v"))
    total = 0
    for file in files:
        document = parse_document(read_source(file))
        enders = {
            sentence.end
            for sentence in document.sentences
            if re.match(r"(?:Time\s+)?(?:Qed|Defined|Admitted|Save|Abort)\b", strip_comments(sentence.text))
        }
        ends = [d.proof.end for d in document.theorems if d.proof and d.terminator != "Proof term"]
        assert sorted(ends) == sorted(enders), file
        assert all(d.closed for d in document.theorems), file
        total += len(document.theorems)
    assert total > 12_000


@pytest.mark.parametrize("version", VERSIONS)
def test_names_are_coqs_names(version: str) -> None:
    """Coq knows each theorem by the name that was read off its text."""
    install = require_coq(version, "coqtop")
    commands: list[str] = []
    expected: set[str] = set()
    for name in NAMED_FILES:
        file = library(install) / f"{name}.v"
        if not file.is_file():
            continue  # a few files move between versions
        module = ".".join(logical_name(file, ()))
        commands.append(f"Require {module}.")
        for decl in parse_document(read_source(file)).theorems:
            if not decl.abstract and "Obligation" not in decl.kind and not decl.kind.startswith("Let"):
                expected.add(f"{module}.{decl.qualified_name}")
    commands += [f"Locate {name}." for name in sorted(expected)]
    done = subprocess.run(
        [install.bin / "coqtop", "-q"],
        input="\n".join(commands) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    located = set(re.findall(r"Constant\s+(\S+)", done.stdout))
    assert expected - located == set()
    assert len(expected) > 1000


# -- reading files -------------------------------------------------------------------------------------


def test_read_source_drops_the_mark_and_keeps_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.v"
    file.write_bytes(b"\xef\xbb\xbfLemma a : T.\r\n(* \xc3\xa9 *)")
    assert read_source(file) == "Lemma a : T.\r\n(* é *)"


def test_read_source_names_file_and_offset_of_bad_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a.v"
    file.write_bytes(b"Lemma \xe9.")
    with pytest.raises(DataError, match=rf"{re.escape(str(file))} is not UTF-8.*0xe9 at offset 6"):
        read_source(file)


def test_read_source_says_why_a_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_source(tmp_path / "missing.v")
