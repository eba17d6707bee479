"""The environment kit on real provers: coqidetop of Coq 8.16, 8.20 and Rocq 9.2, sertop of Coq 8.20."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from toolchains import require_coq

from prover_coq.environment import CoqEnvironment
from prover_coq.options import CoqOptions
from prover_core.contracts import ProofEnvironment
from prover_core.testing import EnvironmentContract
from prover_core.types import Goal, Hypothesis, Limits

_FALSE = "Lemma kit_example : forall n : nat, n = 0."
_SOURCE = """\
(* Lemma hidden : True. *)
Definition twice (n : nat) : nat := n + n.

Lemma kit_one : forall n : nat, twice n = n + n.
Proof.
  reflexivity.
Qed.

Lemma kit_two (α : nat) : twice α = twice α. Proof. reflexivity. Qed.

Lemma kit_three : twice 1 = 2.
Proof. apply kit_one. Qed.
"""


class CoqExamples(EnvironmentContract):
    """The examples of the kit in Coq's language."""

    backend: ClassVar[Literal["idetop", "serapi"]] = "idetop"
    version: ClassVar[str]

    provable = (
        "Lemma kit_example : forall n m : nat, n = m -> m = n.",
        ["intros n m H.", "symmetry", "exact H."],
    )
    unprovable = _FALSE
    cheats: ClassVar[Sequence[tuple[str, str | Sequence[str]]]] = [
        ("admitted", "intros.\nAdmitted."),
        ("admit", ["intros.", "admit."]),
        ("give_up", ["intros.", "give_up."]),
        ("shelve", ["intros.", "shelve."]),
        ("abort and restart", "Abort.\nLemma kit_example : True.\nProof. exact I."),
        ("axiom", "Axiom all : forall n : nat, n = 0.\nexact all."),
        ("parameter", "Parameter all : forall n : nat, n = 0.\nexact all."),
        ("hypothesis", "Hypothesis all : forall n : nat, n = 0.\nexact all."),
        ("smuggled sentence", ["intros n. Axiom all : forall n : nat, n = 0.", "apply all."]),
        ("hidden terminator", ["intros n (* . *) . Admitted. (* *)"]),
        ("guard off", "Unset Guard Checking.\nfix F 1.\nexact F."),
        ("guard off in a tactic", ["Unset Guard Checking.", "fix F 1.", "exact F."]),
        ("no guard at all", ["fix F 1.", "exact F."]),
        ("load", 'Load "something".'),
        ("shadowed equality", 'Notation "x = y" := True.\nexact (fun _ => I).'),
    ]
    changed_statement = "Abort.\nLemma kit_example : forall n : nat, n = n.\nProof.\nreflexivity."
    rejected_tactic = "exact I."
    parse_error_tactic = "intros )."
    forbidden_tactics = (
        "Axiom all : False.",
        "Abort.",
        "Admitted.",
        "Qed.",
        "Restart.",
        "Undo.",
        "intros. intros.",
        'Load "prefix".',
        'Redirect "file" Check nat.',
        "Set Nested Proofs Allowed.",
        "Drop.",
        "(* nothing *)",
        "",
    )
    giving_up_tactics = ("admit.", "give_up.", "shelve.")
    branching = (
        "Lemma kit_example : forall n m : nat, n + m = m + n.",
        [
            "intros n.",
            "intros n m.",
            "induction n.",
            "intros a b; simpl.",
            "idtac",
            "intros n m; destruct m.",
        ],
    )
    two_routes = (
        "Lemma kit_example : forall n m : nat, n = m -> m = n.",
        ["intros n m H."],
        ["intros n.", "idtac.", "intros m H."],
    )
    structured = (
        "Lemma kit_example : forall (A B : Prop) (n : nat), A /\\ B -> n = n -> A.",
        ["intros A B n H E.", "set (k := n) in E."],
        Goal(
            (
                Hypothesis(("A", "B"), "Prop"),
                Hypothesis(("n",), "nat"),
                Hypothesis(("H",), "A /\\ B"),
                Hypothesis(("k",), "nat", "n"),
                Hypothesis(("E",), "k = k"),
            ),
            "A",
        ),
    )
    unicode = ("Lemma kit_example : forall α : nat, α = α.", ["intros β.", "exact (eq_refl β)."])
    not_a_statement = "Check nat. Check bool."
    bad_preamble = "Definition broken : nat := true.\n"
    source = (".v", _SOURCE, ["kit_one", "kit_two", "kit_three"])
    hanging_tactic = "do 1000000000 idtac."
    memory_tactic = "let x := eval cbv in (Nat.pow 2 26) in idtac."
    axiomatic = (
        "Lemma kit_example : forall P : Prop, P \\/ ~ P.",
        ["intros P.", "apply classic."],
        frozenset({"classic"}),
    )
    axiomatic_preamble = "Require Import Coq.Logic.Classical.\n"
    limits = Limits(memory_mb=2048, open_timeout_s=60, verify_timeout_s=60)

    def make_environment(self) -> ProofEnvironment:
        program = "coqidetop" if self.backend == "idetop" else "sertop"
        return CoqEnvironment(CoqOptions(backend=self.backend, bin=require_coq(self.version, program).bin))

    def make_uninstalled(self) -> ProofEnvironment:
        return CoqEnvironment(CoqOptions(backend=self.backend, bin=Path("/no/coq/here")))


class TestIdetop816(CoqExamples):
    version = "8.16"


class TestIdetop820(CoqExamples):
    version = "8.20"


class TestSerapi820(CoqExamples):
    version = "8.20"
    backend = "serapi"


@pytest.mark.rocq9
class TestIdetop92(CoqExamples):
    version = "9.2"
    axiomatic_preamble = "From Stdlib Require Import Classical.\n"
