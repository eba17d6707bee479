"""Proofs that are none: each way to cheat that we know of, against each line of defence, on real provers.

The theorem is as good as ``False`` throughout, so a verdict of "proved" would be a hole, whatever else the
test thinks of it. Each cheat is tried twice: as a proof, which meets the guard first; and past the guard,
straight into the file that is compiled, so that what stands behind the guard is tested by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from toolchains import require_coq

from prover_coq.toolchain import CoqToolchain, find_toolchain
from prover_coq.verify import CoqVerifier
from prover_core.types import Limits, Proof, Span, Theorem, Verdict, VerdictStatus

CHEATED = VerdictStatus.CHEATED
INCOMPLETE = VerdictStatus.INCOMPLETE
REJECTED = VerdictStatus.REJECTED

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


def theorem(
    statement: str = "Lemma t : claim.",
    preamble: str = "Definition claim := False.\n",
    options: tuple[str, ...] = (),
) -> Theorem:
    return Theorem(id="t", name="t", prover="coq", statement=statement, preamble=preamble, options=options)


def assert_not_proved(verdict: Verdict, status: VerdictStatus) -> None:
    assert not verdict.proved
    assert verdict.status is status, (verdict.forbidden, verdict.log)
    assert bool(verdict.forbidden) == (status is CHEATED)


THEOREM = theorem()


@dataclass(frozen=True)
class Cheat:
    """``text``: what stands between ``Proof.`` and ``Qed.``."""

    name: str
    text: str
    guarded: VerdictStatus = CHEATED
    """Verdict on it as a proof."""
    unguarded: VerdictStatus | None = CHEATED
    """Verdict on it with the guard out of the way; ``None``: cheated or rejected, by version of Coq."""
    theorem: Theorem = THEOREM


SECTION = theorem(preamble="Definition claim := False.\nSection S.\nVariable n : nat.\n")

CHEATS = [
    # nothing is proved, and it looks as if
    Cheat("admitted", "Admitted. Lemma u : True. Proof. exact I."),
    Cheat("admit", "admit.", INCOMPLETE, INCOMPLETE),
    Cheat("give_up", "give_up.", INCOMPLETE, INCOMPLETE),
    Cheat("admit in a term", "exact ltac:(admit).", INCOMPLETE, REJECTED),
    Cheat("admit among tacticals", "try (idtac; unshelve admit).", INCOMPLETE, INCOMPLETE),
    Cheat("nothing", "", INCOMPLETE, INCOMPLETE),
    Cheat("shelve", "shelve.", INCOMPLETE, INCOMPLETE),
    Cheat("admit obligations", "Admit Obligations. exact I.", INCOMPLETE),
    # another theorem is proved
    Cheat("abort and restart", "Abort. Lemma t : True. Proof. exact I."),
    Cheat("abort all", "Abort All. Definition t : True. Proof. exact I."),
    Cheat("redefined after abort", "Abort. Definition t := I. Lemma u : True. Proof. exact I."),
    Cheat("reset the definition", "Reset claim. Definition claim := True. Lemma t : claim. Proof. exact I."),
    Cheat("nested lemma", "Lemma u : True. Proof. exact I. Qed. exact u.", unguarded=None),
    Cheat(
        "shadowed name",
        "Abort. Module M. Definition claim := True. Lemma t : claim. Proof. exact I. Qed. End M. Import M. "
        "Lemma u : True. Proof. exact I.",
    ),
    Cheat("shadowed by a notation", "Abort. Notation claim := True. Lemma t : claim. Proof. exact I."),
    Cheat(
        "shadowed by a section",
        "Abort. Section Z. Let claim := True. Lemma t : claim. Proof. exact I. Qed. End Z. "
        "Lemma u : True. Proof. exact I.",
    ),
    Cheat("saved under the name", "Abort. Goal True. exact I. Save t. Goal True. exact I."),
    # new assumptions
    Cheat("axiom", "Axiom boom : False. exact boom."),
    Cheat("parameter", "Parameter boom : False. exact boom."),
    Cheat("conjecture", "Conjecture boom : False. exact boom."),
    Cheat("hypothesis", "Hypothesis boom : False. exact boom."),
    Cheat("local axiom", "Local Axiom boom : False. exact boom."),
    Cheat("axiom with an attribute", "#[local] Axiom boom : False. exact boom."),
    Cheat("axiom after abort", "Abort. Axiom t : claim. Lemma u : True. Proof. exact I."),
    Cheat("admitted lemma", "Abort. Lemma b : False. Admitted. Lemma t : claim. Proof. exact b."),
    Cheat("variable of an open section", "Hypothesis boom : False. exact boom.", theorem=SECTION),
    Cheat("context of an open section", "Context (boom : False). exact boom.", theorem=SECTION),
    Cheat(
        "section that is left open",
        "Abort. Section Z. Hypothesis boom : False. Lemma t : claim. Proof. exact boom.",
    ),
    Cheat(
        "section variable discharged",
        "Abort. Section Z. Hypothesis boom : False. Lemma t : claim. Proof. exact boom. Qed. End Z. "
        "Lemma u : True. Proof. exact I.",
    ),
    Cheat(
        "instance of a declared module",
        "Abort. Module Type T. Axiom b : False. End T. Declare Module D : T. Lemma t : claim. "
        "Proof. exact D.b.",
    ),
    # weaker checks
    Cheat("guard off", "Unset Guard Checking. exact ((fix f (n : nat) : claim := f n) 0)."),
    Cheat(
        "positivity off",
        "Abort. Unset Positivity Checking. Inductive I := c : (I -> False) -> I. Set Positivity Checking. "
        "Definition d (i : I) : False := match i with c g => g i end. Lemma t : claim. "
        "Proof. exact (d (c d)).",
    ),
    Cheat("universes off", "Unset Universe Checking. exact (let T : Type := Type in fun x : T => x)."),
    Cheat(
        "bypass_check",
        "Abort. #[bypass_check(guard)] Fixpoint f (n : nat) : claim := f n. Lemma t : claim. "
        "Proof. exact (f 0).",
    ),
    # reaching out
    Cheat("loads a file", 'Load "FOLDER/evil.v".'),
    Cheat("redirects output", 'Redirect "FOLDER/written" Print nat. exact I.'),
    Cheat("ml plugin", 'Declare ML Module "evil". exact I.'),
    Cheat("drop", "Drop."),
    Cheat("quit", "Quit."),
    Cheat("load path", 'Add LoadPath "FOLDER" as Evil. exact I.', unguarded=None),
    # tricks with the text
    Cheat("comment in the way", "(* hides. *) Axiom boom : False. (* and more. *) exact boom."),
    Cheat(
        "string in a comment", 'idtac (* " *) . Axiom boom : False. (* " *). exact boom.', REJECTED, REJECTED
    ),
    Cheat("comment never closed", "exact I. (* ", REJECTED, REJECTED),
    Cheat("string never closed", 'exact I. idtac ".', REJECTED, REJECTED),
    Cheat("command behind a selector", "1: Axiom boom : False. exact boom.", CHEATED, REJECTED),
    Cheat("time", "Time Axiom boom : False. exact boom."),
    Cheat("fail", "Fail exact I. exact I."),
    Cheat("qed too early", "exact I. Qed. Lemma u : True. Proof. exact I.", CHEATED, REJECTED),
    # printing what the check would like to read
    Cheat(
        "prints an answer",
        'Axiom boom : False. idtac "Closed under the global context". exact boom.',
    ),
    Cheat(
        "prints a report of its own",
        'Axiom boom : False. idtac "Chars 60 - 70 [auto.] 0. secs (0.u,0.s)". exact boom.',
    ),
    # what is not there yet
    Cheat("the theorem itself", "exact t.", REJECTED, REJECTED),
    Cheat("qualified, the theorem itself", "exact Candidate.t.", REJECTED, REJECTED),
    Cheat("endless recursion", "fix f 1. exact f.", REJECTED, REJECTED),
    Cheat("unguarded recursion", "exact ((fix f (n : nat) : claim := f n) 0).", REJECTED, REJECTED),
]


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A folder with a file that would prove anything if it were loaded."""
    (tmp_path / "evil.v").write_text("Axiom boom : False. exact boom.\n")
    return tmp_path


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
def test_the_guard_and_all_behind_it(cheat: Cheat, verifier: CoqVerifier, evil: Path) -> None:
    text = cheat.text.replace("FOLDER", str(evil))
    verdict = verifier.verify(cheat.theorem, Proof((), text=f"Proof. {text} Qed."), LIMITS)
    assert_not_proved(verdict, cheat.guarded)
    assert not list(evil.glob("written*"))


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
def test_all_that_is_behind_the_guard(cheat: Cheat, verifier: CoqVerifier, evil: Path) -> None:
    text = cheat.text.replace("FOLDER", str(evil))
    verdict = verifier.check_script(cheat.theorem, ["Proof.", text, "Qed."], LIMITS)
    if cheat.unguarded is None:
        assert verdict.status in (CHEATED, REJECTED)
    else:
        assert_not_proved(verdict, cheat.unguarded)


@pytest.mark.parametrize("cheat", [c for c in CHEATS if c.guarded is CHEATED], ids=lambda cheat: cheat.name)
def test_a_cheat_in_a_single_tactic_is_refused_by_the_guard(cheat: Cheat, verifier: CoqVerifier) -> None:
    verdict = verifier.verify(cheat.theorem, Proof(("idtac", cheat.text)), LIMITS)
    assert_not_proved(verdict, CHEATED)
    assert verdict.checker == "guard"


# -- cheats of which the proof itself is innocent -------------------------------------------------------


def test_an_axiom_of_the_library_that_proves_anything(verifier: CoqVerifier, root: str) -> None:
    weak = theorem(preamble=f"From {root} Require Import Compat.AdmitAxiom.\nDefinition claim := False.\n")
    verdict = verifier.verify(weak, Proof(("exact proof_admitted",)), LIMITS)
    assert_not_proved(verdict, CHEATED)
    assert verdict.axioms == (f"{root}.Compat.AdmitAxiom.proof_admitted",)


def test_a_library_that_the_proof_loads(verifier: CoqVerifier, root: str) -> None:
    script = ["Proof.", f"From {root} Require Import Compat.AdmitAxiom.", "exact proof_admitted.", "Qed."]
    verdict = verifier.check_script(theorem(), script, LIMITS)
    assert_not_proved(verdict, CHEATED)
    assert any("loads a library" in reason for reason in verdict.forbidden)
    assert any("command" in reason for reason in verdict.forbidden)


@pytest.mark.parametrize(
    ("preamble", "tactic", "what"),
    [
        ("Unset Guard Checking.", "exact ((fix f (n : nat) : claim := f n) 0)", "guarded"),
        (
            "Unset Guard Checking. Fixpoint f (n : nat) : False := f n. Set Guard Checking.",
            "exact (f 0)",
            "guarded",
        ),
        (
            "Unset Positivity Checking. Inductive I := c : (I -> False) -> I. Set Positivity Checking. "
            "Definition d (i : I) : False := match i with c g => g i end.",
            "exact (d (c d))",
            "positive",
        ),
    ],
    ids=["guard off at the theorem", "guard off before it", "positivity off before it"],
)
def test_checks_that_the_file_itself_switched_off(
    preamble: str, tactic: str, what: str, verifier: CoqVerifier
) -> None:
    weak = theorem(preamble=f"Definition claim := False.\n{preamble}\n")
    verdict = verifier.verify(weak, Proof((tactic,)), LIMITS)
    assert_not_proved(verdict, CHEATED)
    assert what in verdict.forbidden[0]


def test_universes_that_the_file_itself_switched_off(verifier: CoqVerifier) -> None:
    weak = theorem("Lemma t : Type.", "Unset Universe Checking.\n")
    verdict = verifier.verify(weak, Proof(("exact Type",)), LIMITS)
    assert_not_proved(verdict, CHEATED)
    assert "unsafe hierarchy" in verdict.forbidden[0]


def test_type_in_type_on_the_command_line(verifier: CoqVerifier) -> None:
    verdict = verifier.verify(theorem("Lemma t : True.", "", ("-type-in-type",)), Proof(("exact I",)), LIMITS)
    assert_not_proved(verdict, CHEATED)


def test_a_lemma_that_stands_later_in_the_file(verifier: CoqVerifier, tmp_path: Path) -> None:
    file = tmp_path / "Late.v"
    statement = "Lemma t : forall n : nat, n = 1 -> 1 = n."
    file.write_text(
        f"{statement}\nProof. intros n H. symmetry. exact H. Qed.\n"
        "Lemma late : forall n : nat, n = 1 -> 1 = n.\nProof. exact t. Qed.\n"
    )
    found = Theorem(
        id="t", name="t", prover="coq", statement=statement, file=str(file), span=Span(0, len(statement))
    )
    assert verifier.verify(found, Proof(("intros n H", "symmetry", "exact H")), LIMITS).proved
    for circular in ("exact late", "exact t", "exact Late.late", "exact Late.t"):
        assert_not_proved(verifier.verify(found, Proof((circular,)), LIMITS), REJECTED)


def test_an_allowed_name_on_an_axiom_of_ones_own(verifier: CoqVerifier) -> None:
    """The allow-list goes by the full name, and what the proof declares is no axiom of the library."""
    text = (
        "Abort. Module Classical_Prop. Axiom classic : False. End Classical_Prop. "
        "Lemma t : claim. Proof. exact Classical_Prop.classic."
    )
    assert_not_proved(verifier.check_script(theorem(), ["Proof.", text, "Qed."], LIMITS), CHEATED)


def test_with_an_empty_allow_list_no_axiom_passes(
    verifier: CoqVerifier, toolchain: CoqToolchain, root: str
) -> None:
    classical = theorem("Lemma t : forall P, P \\/ ~ P.", f"From {root} Require Import Classical_Prop.\n")
    strict = CoqVerifier(toolchain, frozenset())
    assert verifier.verify(classical, Proof(("exact classic",)), LIMITS).proved
    verdict = strict.verify(classical, Proof(("exact classic",)), LIMITS)
    assert_not_proved(verdict, CHEATED)
    assert verdict.axioms == (f"{root}.Logic.Classical_Prop.classic",)


# -- each later line of defence by itself ----------------------------------------------------------------


def test_printing_like_coq_only_makes_it_worse(verifier: CoqVerifier) -> None:
    fine = theorem("Lemma t : True.", "")
    report = "\n".join(f"Chars {n} - {n + 1} [auto.] 0. secs (0.u,0.s)" for n in range(600))
    assert_not_proved(verifier.verify(fine, Proof((f'idtac "{report}"', "exact I")), LIMITS), CHEATED)
    assert verifier.verify(fine, Proof(('idtac "Error: x"', 'idtac "Axioms:"', "exact I")), LIMITS).proved
