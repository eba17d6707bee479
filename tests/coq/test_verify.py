"""The independent check on honest proofs of every shape, and on machinery that breaks under it."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest
from toolchains import require_coq

from prover_coq.document import parse_document, read_source
from prover_coq.project import compile_options
from prover_coq.toolchain import CoqToolchain, find_toolchain
from prover_coq.verify import STDLIB_AXIOMS, CoqVerifier
from prover_core.process import sandbox_available
from prover_core.types import Limits, Proof, Span, Theorem, Verdict, VerdictStatus

LIMITS = Limits(memory_mb=2048, verify_timeout_s=60)


@pytest.fixture(
    params=[
        pytest.param("8.16", id="coq-8.16"),
        pytest.param("8.20", id="coq-8.20"),
        pytest.param("9.2", id="rocq-9.2", marks=pytest.mark.rocq9),
    ]
)
def toolchain(request: pytest.FixtureRequest) -> CoqToolchain:
    return find_toolchain(require_coq(request.param).bin)


@pytest.fixture
def verifier(toolchain: CoqToolchain) -> CoqVerifier:
    return CoqVerifier(toolchain)


@pytest.fixture
def root(toolchain: CoqToolchain) -> str:
    """What the names of the standard library begin with."""
    return "Stdlib" if toolchain.version >= (9,) else "Coq"


def theorem(statement: str, preamble: str = "", name: str = "t", **changes: object) -> Theorem:
    made = Theorem(id=name, name=name, prover="coq", statement=statement, preamble=preamble)
    return replace(made, **changes)  # type: ignore[arg-type]


def in_file(path: Path, name: str) -> tuple[Theorem, str]:
    """A theorem of a source file, and the file's own proof of it."""
    text = read_source(path)
    [decl] = [d for d in parse_document(text).theorems if d.qualified_name == name]
    assert decl.proof is not None
    found = Theorem(
        id=name,
        name=name,
        prover="coq",
        statement=text[decl.statement.start : decl.statement.end],
        file=str(path),
        span=decl.statement,
        options=compile_options(path),
        metadata={"terminator": decl.terminator},
    )
    return found, text[decl.proof.start : decl.proof.end]


def assert_proved(verdict: Verdict) -> None:
    assert verdict.proved, (verdict.status, verdict.forbidden, verdict.log)
    assert verdict.statement_unchanged is True
    assert verdict.forbidden == ()
    assert verdict.checker.startswith("coqc ")
    assert verdict.seconds > 0


MODULE_TYPE = "Module Type S.\nParameter a : nat.\nAxiom az : a = 0.\nEnd S.\n"

SHAPES = {
    "plain": ("Lemma t : forall n : nat, n = n.", "", "intros n. reflexivity."),
    "binders and implicit arguments": (
        "Lemma t {A : Type} (x : A) `(e : x = x) : x = x.",
        "Generalizable All Variables.",
        "exact e.",
    ),
    "section": ("Lemma t : n = 0.", "Section S.\nVariable n : nat.\nHypothesis H : n = 0.", "exact H."),
    "sections in a module": (
        "Lemma t : n = m -> n = 0.",
        "Module M.\nModule N.\nSection S.\nVariable n : nat.\nSection T.\nVariable m : nat.\n"
        "Hypothesis H : m = 0.",
        "intros E. rewrite E. exact H.",
    ),
    "default proof using": (
        "Lemma t : n = 0.",
        'Set Default Proof Using "Type".\nSection S.\nVariable n : nat.\nHypothesis H : n = 0.',
        "Proof using H. exact H. Qed.",
    ),
    "functor": ("Lemma t : X.a = 0.", f"{MODULE_TYPE}Module M (X : S).", "exact X.az."),
    "functor with a theorem of its parameter's name": (
        "Theorem az : a = 0.",
        f"{MODULE_TYPE}Module M (Import X : S).",
        "exact az.",
    ),
    "functor with import": ("Lemma t : a = 0.", f"{MODULE_TYPE}Module M (Import X : S).", "exact az."),
    "module type": ("Lemma t : a = 0.", f"{MODULE_TYPE}Module Type T.\nInclude S.", "exact az."),
    "module with a signature that is not met yet": (
        "Lemma t : True.",
        "Module Type S.\nParameter t u : True.\nEnd S.\nModule M <: S.",
        "exact I.",
    ),
    "sealed module": (
        "Lemma t : True.",
        "Module Type S.\nParameter t : True.\nEnd S.\nModule M : S.",
        "exact I.",
    ),
    "keyword for a name": (
        "Lemma t : X.rem = 0.",
        "Module Type S.\nParameter rem : nat.\nAxiom remz : rem = 0.\nEnd S.\nModule M (Import X : S).\n"
        "Notation \"x 'rem' y\" := (x + y) (at level 40).\nModule Z.\nDefinition r := X.rem.\nEnd Z.",
        "exact remz.",
    ),
    "named instance": ("#[export] Instance t : C 0.", "Class C (n : nat) := c : n = n.", "reflexivity."),
    "anonymous instance": ("#[export] Instance : C 0.", "Class C (n : nat) := c : n = n.", "reflexivity."),
    "anonymous instance beside others": (
        "#[export] Instance : D.C 1.",
        "Module D.\nClass C (n : nat) := c : n = n.\nEnd D.\nLemma C_instance_0 : True. exact I. Qed.\n"
        "Lemma C_instance_1 : True. exact I. Qed.",
        "reflexivity.",
    ),
    "goal beside a lemma of its name": (
        "Goal 0 = 0.",
        "Lemma Unnamed_thm : True. exact I. Qed.",
        "reflexivity.",
    ),
    "definition": ("Definition t : nat.", "", "exact 3. Defined."),
    "fixpoint": (
        "Fixpoint t (n : nat) : nat.",
        "",
        "destruct n as [|m]. - exact 0. - exact (S (t m)). Defined.",
    ),
    "with": (
        "Lemma t : forall n : nat, n = n with u : forall n : nat, n = n.",
        "",
        "- intros [|n]; reflexivity. - intros [|n]; reflexivity.",
    ),
    "goal": ("Goal True.", "", "exact I."),
    "second goal": ("Goal True.", "Goal True. exact I. Qed.", "exact I."),
    "let": ("Let t : n = n.", "Section S.\nVariable n : nat.", "reflexivity."),
    "unicode": (
        "Lemma thé_β : ∀ α : nat, α = α.",
        '(* ∀∃ é *) Notation "∀ x .. y , P" := (forall x, .. (forall y, P) ..)\n'
        "  (at level 200, x binder, y binder, right associativity) : type_scope.\n",
        "intros α. (* é *) reflexivity.",
    ),
    "line ends of another system": (
        "Lemma t :\r\n  True.",
        "(* a *)\r\nDefinition d := 0.\r\n",
        "idtac.\r\n(* b *)\r\nexact I.\r\n",
    ),
    "no newline before it": ("Lemma t : d = 0.", "Definition d := 0.", "reflexivity."),
    "braces, bullets, selectors": (
        "Lemma t : (True /\\ True) /\\ (True /\\ True).",
        "",
        "split. - split. + { exact I. } + exact I. - split. 2: { exact I. } all: exact I.",
    ),
    "unshelve": ("Lemma t : exists n : nat, n = n.", "", "eexists. Unshelve. 2: exact 0. reflexivity."),
    "proof with": ("Lemma t : True /\\ True.", "", "Proof with exact I. split... Qed."),
    "statement given again": (
        "Lemma t : True.",
        "",
        "(* mine *) Lemma t :\n  True. Proof. exact I. Qed.",
    ),
    "no end": ("Lemma t : True.", "", "exact I"),
    "ends in Defined": ("Lemma t : True.", "", "exact I. Defined."),
    "abstract": ("Lemma t : True /\\ 0 = 0.", "", "split; abstract trivial."),
    "universe polymorphism": (
        "Lemma t (A : Type) (x : A) : x = x.",
        "Set Universe Polymorphism.",
        "reflexivity.",
    ),
    "own axiom": ("Lemma t : False.", "Axiom boom : False.", "exact boom."),
    "own axiom in a module": ("Lemma t : False.", "Module A.\nAxiom boom : False.", "exact boom."),
    "own admitted lemma": ("Lemma t : False.", "Lemma boom : False.\nAdmitted.", "exact boom."),
    "names like Coq's answers": (
        "Lemma t : Axioms = Axioms.",
        "Definition Axioms := 0.\nDefinition Chars := 1.",
        'idtac "Axioms:". reflexivity.',
    ),
    "its library's name as prefix": (
        "Lemma t : d = 0.",
        "Module Candidate. Definition d := 0. End Candidate. Definition d := Candidate.d.",
        "reflexivity.",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_honest_proofs_of_every_shape(shape: str, verifier: CoqVerifier) -> None:
    statement, preamble, proof = SHAPES[shape]
    assert_proved(verifier.verify(theorem(statement, preamble), Proof((), text=proof), LIMITS))


def test_a_name_that_another_theorem_has_is_not_asked_about(verifier: CoqVerifier) -> None:
    """Coq names an anonymous goal otherwise than the text suggests, where the name is taken."""
    anonymous = theorem("Goal False.", "Lemma Unnamed_thm : True. exact I. Qed.\nAxiom boom : False.\n")
    verdict = verifier.verify(anonymous, Proof(("exact boom",)), LIMITS)
    assert verdict.axioms == ("Candidate.boom",)


def test_tactics_one_by_one(verifier: CoqVerifier) -> None:
    tactics = ("split", "-", " exact I ", "- ", "exact I. (* done *)")
    assert_proved(verifier.verify(theorem("Lemma t : True /\\ True."), Proof(tactics), LIMITS))


def test_what_is_missing_is_incomplete_and_what_is_wrong_rejected(verifier: CoqVerifier) -> None:
    both = theorem("Lemma t : True /\\ True.")
    for tactics in ((), ("split",), ("split", "exact I"), ("split", "-", "exact I")):
        verdict = verifier.verify(both, Proof(tactics), LIMITS)
        assert verdict.status is VerdictStatus.INCOMPLETE, verdict.log
        assert verdict.statement_unchanged is None
    for tactics in (("exact 0",), ("split", "exact I", "exact I", "exact I"), ("nonsense",), (")",)):
        verdict = verifier.verify(both, Proof(tactics), LIMITS)
        assert verdict.status is VerdictStatus.REJECTED, verdict.log
        assert verdict.forbidden == ()
        assert verdict.log


def test_program_obligations(verifier: CoqVerifier, root: str) -> None:
    module = "Coq.Program.Tactics" if root == "Coq" else "Corelib.Program.Tactics"
    preamble = (
        f"Require {module}.\nObligation Tactic := idtac.\n"
        "Program Definition p : {n : nat | n = 1} * {n : nat | n = 2} := (1, 2).\n"
    )
    first = theorem("Next Obligation.", preamble, "p_obligation_1")
    assert_proved(verifier.verify(first, Proof(("reflexivity",)), LIMITS))
    both = theorem("Next Obligation.", f"{preamble}Next Obligation. reflexivity. Qed.\n", "p_obligation_2")
    assert_proved(verifier.verify(both, Proof(("reflexivity",)), LIMITS))
    assert verifier.verify(both, Proof(("idtac",)), LIMITS).status is VerdictStatus.INCOMPLETE
    lemma = theorem("Program Lemma t : True.", f"Require {module}.\n")
    assert_proved(verifier.verify(lemma, Proof(("exact I",)), LIMITS))


def test_ssreflect(verifier: CoqVerifier) -> None:
    root = "Corelib" if verifier.toolchain.version >= (9,) else "Coq"
    ssr = theorem("Lemma t : forall n : nat, n = n /\\ True.", f"From {root} Require Import ssreflect.\n")
    assert_proved(verifier.verify(ssr, Proof((), text="move=> n /=; split=> //."), LIMITS))


def test_allowed_axioms_are_named_in_full(verifier: CoqVerifier, root: str) -> None:
    classical = theorem("Lemma t : forall P, P \\/ ~ P.", f"From {root} Require Import Classical.\n")
    verdict = verifier.verify(classical, Proof(("intros P", "apply classic")), LIMITS)
    assert_proved(verdict)
    assert verdict.axioms == (f"{root}.Logic.Classical_Prop.classic",)
    assert set(verdict.axioms) <= STDLIB_AXIOMS


def test_the_files_own_axioms_are_named_and_counted_apart(verifier: CoqVerifier) -> None:
    statement, preamble, proof = SHAPES["functor"]
    verdict = verifier.verify(theorem(statement, preamble), Proof((), text=proof), LIMITS)
    assert "X.az" in verdict.axioms
    assert "X.az" in verdict.log
    statement, preamble, proof = SHAPES["own axiom in a module"]
    verdict = verifier.verify(theorem(statement, preamble), Proof((), text=proof), LIMITS)
    assert verdict.axioms == ("Candidate.A.boom",)


def test_the_second_kernel(verifier: CoqVerifier) -> None:
    verdict = verifier.verify(theorem("Lemma t : True."), Proof(("exact I",)), LIMITS, kernel_recheck=True)
    assert_proved(verdict)
    assert verdict.kernel_rechecked is True
    without = verifier.verify(theorem("Lemma t : True."), Proof(("exact I",)), LIMITS)
    assert without.kernel_rechecked is None


@pytest.mark.skipif(sandbox_available() is not None, reason="no sandbox here")
def test_in_a_sandbox(verifier: CoqVerifier, tmp_path: Path) -> None:
    """Also with a project below /tmp, which the sandbox hides."""
    (tmp_path / "_CoqProject").write_text("-Q . Proj\n")
    file = tmp_path / "A.v"
    file.write_text("Definition d := 0.\nLemma t : d = 0.\nProof. reflexivity. Qed.\n")
    found, proof = in_file(file, "t")
    verdict = verifier.verify(
        found, Proof((), text=proof), replace(LIMITS, sandbox=True), kernel_recheck=True
    )
    assert_proved(verdict)


# -- files of libraries and projects ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "name", "recheck"),
    [
        ("Init/Logic.v", "and_comm", True),
        ("Init/Peano.v", "plus_n_O", True),
        ("Bool/Bool.v", "andb_true_iff", True),
        ("Lists/List.v", "app_assoc", False),
    ],
)
def test_the_librarys_own_theorems(file: str, name: str, recheck: bool, verifier: CoqVerifier) -> None:
    lib = verifier.toolchain.coqlib
    path = lib / "theories" / file
    if not path.exists():
        path = lib / "user-contrib" / "Stdlib" / file
    if not path.exists():
        pytest.skip(f"this library is installed without {file}")
    found, proof = in_file(path, name)
    assert_proved(verifier.verify(found, Proof((), text=proof), LIMITS, kernel_recheck=recheck))
    wrong = verifier.verify(found, Proof(("exact Set",)), LIMITS)
    assert wrong.status is VerdictStatus.REJECTED


def test_a_theorem_of_a_project_with_its_compiled_neighbour(verifier: CoqVerifier, tmp_path: Path) -> None:
    (tmp_path / "_CoqProject").write_text("-R src Proj\n")
    source = tmp_path / "src"
    source.mkdir()
    (source / "A.v").write_text("Axiom ax : False.\nDefinition d := 0.\n")
    (source / "B.v").write_text(
        "Require Import Proj.A.\nLemma t : d = 0.\nProof. reflexivity. Defined.\n"
        "Lemma u : False.\nProof. exact ax. Qed.\n"
    )
    toolchain = verifier.toolchain
    code = os.spawnve(
        os.P_WAIT,
        str(toolchain.coqc),
        [str(toolchain.coqc), "-R", str(source), "Proj", str(source / "A.v")],
        toolchain.process_env(),
    )
    assert code == 0
    before = sorted(source.iterdir())
    for name, axioms in (("t", ()), ("u", ("Proj.A.ax",))):
        found, proof = in_file(source / "B.v", name)
        verdict = verifier.verify(found, Proof((), text=proof), LIMITS, kernel_recheck=True)
        assert_proved(verdict)
        assert verdict.axioms == axioms
    assert sorted(source.iterdir()) == before, "the check writes nothing into the project"


def test_defined_stays_defined(verifier: CoqVerifier) -> None:
    """A proof that the file ends in ``Defined`` is checked so, whatever the proof found says."""
    opened = theorem("Definition t : nat.", metadata={"terminator": "Defined"})
    for text in ("exact 3.", "exact 3. Qed.", "exact 3. Defined."):
        assert_proved(verifier.verify(opened, Proof((), text=text), LIMITS))


# -- the machinery breaks --------------------------------------------------------------------------------


def broken(toolchain: CoqToolchain, folder: Path, script: str) -> CoqVerifier:
    program = folder / "coqc"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return CoqVerifier(replace(toolchain, coqc=program))


@pytest.mark.parametrize(
    "script",
    [
        "kill -9 $$",
        "kill -SEGV $$",
        "exit 0",
        "exit 1",
        "exit 137",
        "echo garbage; exit 0",
        "echo garbage >&2; exit 1",
        "head -c 100000 /dev/urandom; exit 0",
        "head -c 100000 /dev/urandom >&2; exit 2",
        'echo "Error: Out of memory." >&2; exit 1',
        'echo "Fatal error: exception Stack_overflow" >&2; exit 2',
        "yes | head -c 30000000; exit 0",
    ],
)
def test_a_compiler_that_breaks_says_nothing_about_the_proof(script: str, tmp_path: Path) -> None:
    toolchain = find_toolchain(require_coq("8.16").bin)
    verdict = broken(toolchain, tmp_path, script).verify(
        theorem("Lemma t : True."), Proof(("exact I",)), LIMITS
    )
    assert verdict.status is VerdictStatus.MACHINERY_FAILED
    assert verdict.log
    assert verdict.statement_unchanged is None


def test_a_compiler_that_hangs_is_stopped(tmp_path: Path) -> None:
    toolchain = find_toolchain(require_coq("8.16").bin)
    hanging = broken(toolchain, tmp_path, f"echo $$ > {tmp_path}/pid; sleep 100 & wait")
    started = time.monotonic()
    verdict = hanging.verify(
        theorem("Lemma t : True."), Proof(("exact I",)), replace(LIMITS, verify_timeout_s=1)
    )
    assert time.monotonic() - started < 5
    assert verdict.status is VerdictStatus.MACHINERY_FAILED
    assert "time" in verdict.log
    assert not Path(f"/proc/{int((tmp_path / 'pid').read_text())}").exists()


def test_a_missing_compiler_or_checker(toolchain: CoqToolchain, tmp_path: Path) -> None:
    gone = CoqVerifier(replace(toolchain, coqc=tmp_path / "coqc"))
    verdict = gone.verify(theorem("Lemma t : True."), Proof(("exact I",)), LIMITS)
    assert verdict.status is VerdictStatus.MACHINERY_FAILED
    assert "coqc" in verdict.log
    unchecked = CoqVerifier(replace(toolchain, coqchk=None))
    verdict = unchecked.verify(theorem("Lemma t : True."), Proof(("exact I",)), LIMITS, kernel_recheck=True)
    assert verdict.status is VerdictStatus.MACHINERY_FAILED
    assert "coqchk" in verdict.log


def test_a_checker_that_says_no_or_breaks(toolchain: CoqToolchain, tmp_path: Path) -> None:
    program = tmp_path / "coqchk"
    expected = {"echo no >&2; exit 1": VerdictStatus.REJECTED, "kill -9 $$": VerdictStatus.MACHINERY_FAILED}
    for script, status in expected.items():
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        verdict = CoqVerifier(replace(toolchain, coqchk=program)).verify(
            theorem("Lemma t : True."), Proof(("exact I",)), LIMITS, kernel_recheck=True
        )
        assert verdict.status is status
        assert verdict.kernel_rechecked is not True


@pytest.mark.parametrize(
    "tactic",
    ["do 1000000000 idtac", "repeat (pose proof I)"],
)
def test_a_proof_that_takes_too_long(tactic: str, verifier: CoqVerifier) -> None:
    limits = replace(LIMITS, verify_timeout_s=1.5)
    started = time.monotonic()
    verdict = verifier.verify(theorem("Lemma t : True."), Proof((tactic, "exact I")), limits)
    assert verdict.status is VerdictStatus.MACHINERY_FAILED
    assert time.monotonic() - started < 4


def test_a_proof_that_takes_too_much_memory(verifier: CoqVerifier) -> None:
    bomb = "let n := eval cbv in (Nat.pow 2 24) in idtac"
    limits = replace(LIMITS, memory_mb=1000, verify_timeout_s=30)
    verdict = verifier.verify(theorem("Lemma t : True."), Proof((bomb,)), limits)
    assert verdict.status is VerdictStatus.MACHINERY_FAILED, verdict.log


def test_a_proof_that_prints_without_end(verifier: CoqVerifier) -> None:
    flood = 'do 400000 idtac "a line that is long enough to fill the buffer"'
    verdict = verifier.verify(theorem("Lemma t : True."), Proof((flood, "exact I")), LIMITS)
    assert verdict.status is VerdictStatus.MACHINERY_FAILED


def test_a_file_that_does_not_compile_up_to_the_theorem(verifier: CoqVerifier) -> None:
    for preamble in ("Definition d := nope.", "Lemma l : False. Proof. exact I. Qed.", "Require Nope.", '"'):
        verdict = verifier.verify(theorem("Lemma t : True.", preamble), Proof(("exact I",)), LIMITS)
        assert verdict.status is VerdictStatus.MACHINERY_FAILED
        assert verdict.log
    verdict = verifier.verify(theorem("Lemma t : nope."), Proof(("exact I",)), LIMITS)
    assert verdict.status is VerdictStatus.MACHINERY_FAILED
    assert "nope" in verdict.log


def test_a_file_that_changed_or_vanished(verifier: CoqVerifier, tmp_path: Path) -> None:
    file = tmp_path / "A.v"
    statement = "Lemma t : True."
    found = theorem(statement, file=str(file), span=Span(0, len(statement)))
    verdict = verifier.verify(found, Proof(("exact I",)), LIMITS)
    assert verdict.status is VerdictStatus.MACHINERY_FAILED
    file.write_text("Lemma t : False.")
    verdict = verifier.verify(found, Proof(("exact I",)), LIMITS)
    assert verdict.status is VerdictStatus.MACHINERY_FAILED
    assert "changed" in verdict.log


def test_no_room_for_the_scratch_folder(
    verifier: CoqVerifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    verdict = verifier.verify(theorem("Lemma t : True."), Proof(("exact I",)), LIMITS)
    assert verdict.status is VerdictStatus.MACHINERY_FAILED


def test_nothing_is_left_behind(
    verifier: CoqVerifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    verifier.verify(theorem("Lemma t : True."), Proof(("exact I",)), LIMITS)
    verifier.verify(theorem("Lemma t : True."), Proof(("exact 0",)), LIMITS)
    assert list(tmp_path.iterdir()) == []
