"""The kits for whole-proof policies and repair kits: on what ships, and on what breaks their rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest
from contracts import broken_repair as b
from toolchains import require_coq, require_lean

from prover_coq.environment import CoqEnvironment
from prover_coq.options import CoqOptions
from prover_core.builtin.fake import FakeEnvironment
from prover_core.builtin.fake_repair import FakeRepairKit
from prover_core.contracts import FailureClass, ProofEnvironment, WholeProofPolicy
from prover_core.testing import Mistake, RepairKitContract, WholeProofPolicyContract
from prover_lean4.environment import LeanEnvironment
from prover_lean4.options import LeanOptions

SWAP = "a /\\ b -> b /\\ a"


class OnFake:
    """The examples in the language of the fake prover."""

    proof = (SWAP, "theorem t : a. intros h. destruct h. split. assumption. trivial. qed.")
    mistakes: ClassVar[Sequence[Mistake]] = [
        Mistake(SWAP, ["intros h"], "destruct k", FailureClass.UNKNOWN_REFERENCE),
        Mistake("a -> a", [], "intros h k", FailureClass.MISSING_INTROS),
        Mistake("a -> a", ["intros h"], "exact h h", FailureClass.WRONG_ARGUMENTS),
        Mistake("a -> a", ["intros h"], "left", FailureClass.OTHER, mended=False),
    ]
    closable = ("a -> a", ["intros h"])


class OnPolicy(WholeProofPolicyContract):
    make: ClassVar[Callable[[], WholeProofPolicy]]
    examples = ("a -> a", "True")

    def make_policy(self) -> WholeProofPolicy:
        return type(self).make()

    def make_environment(self) -> ProofEnvironment:
        return FakeEnvironment()


class OnKit(OnFake, RepairKitContract):
    make: ClassVar[Callable[[], ProofEnvironment]]

    def make_environment(self) -> ProofEnvironment:
        return type(self).make()


class TestScriptedProofs(OnPolicy):
    make = b.Told


class TestFakeKit(OnKit):
    make = FakeEnvironment


class TestCoqKit(RepairKitContract):
    """Coq 8.16; its own tests say more."""

    proof = (
        "Lemma t : forall A B : Prop, A /\\ B -> B /\\ A.",
        "```coq\nProof.\n intros A B [a b]. (* . *)\n split.\n - exact b.\n - { exact a. }\nQed.\n```",
    )
    mistakes: ClassVar[Sequence[Mistake]] = [
        Mistake("Lemma t : forall n : nat, n = n + 0.", ["intros n."], "apply plus_n_o.",
                FailureClass.UNKNOWN_REFERENCE),
        Mistake("Lemma t : forall n : nat, n = n.", ["intros n."], "destruct n as [|m|k].",
                FailureClass.WRONG_ARGUMENTS),
        Mistake("Lemma t : forall A : Prop, A -> A /\\ A.", ["intros A a.", "split.", "-", "exact a."], "+",
                FailureClass.STRUCTURE),
        Mistake("Lemma t : forall n : nat, n = n.", ["intros n."], "intros m k.",
                FailureClass.MISSING_INTROS),
        Mistake("Lemma t : True.", [], "by auto.", FailureClass.SYNTAX),
    ]  # fmt: skip
    closable = ("Lemma t : forall n : nat, n = n.", ["intros n."])

    def make_environment(self) -> ProofEnvironment:
        return CoqEnvironment(CoqOptions(bin=require_coq("8.16", "coqidetop").bin))


class TestLeanKit(RepairKitContract):
    """A real Lean 4, any version from 4.0.0 of July 2021 on; skipped, and said, where there is none."""

    proof = (
        "theorem t (p q : Prop) : p ∧ q → q ∧ p",
        "```lean4\ntheorem t (p q : Prop) : p ∧ q → q ∧ p := by\n  intro h -- a comment\n  constructor\n"
        "  · exact h.2\n  · have x : p := by\n      exact h.1\n    exact x\n```",
    )
    mistakes: ClassVar[Sequence[Mistake]] = [
        Mistake("theorem t (n m : Nat) (h : n = m) : m = n", [], "exact k.symm",
                FailureClass.UNKNOWN_REFERENCE),
        Mistake("theorem t (n : Nat) : n = n", ["rfl"], "simp", FailureClass.STRUCTURE),
        Mistake("theorem t (p : Prop) (h : p) : p", [], "exact h h", FailureClass.WRONG_ARGUMENTS),
        Mistake("theorem t (n m : Nat) (h : n = m) : m = n", [], "exact h", FailureClass.TYPE_MISMATCH),
        Mistake("theorem t (p : Prop) (h : p) : p", [], "intro k", FailureClass.MISSING_INTROS),
        Mistake("theorem t (p : Prop) : p → p", [], "exact λ h, h", FailureClass.SYNTAX),
        Mistake("theorem t (n : Nat) : n = n", [], "refl", FailureClass.SYNTAX),
        Mistake("theorem t (p : Prop) (h : p) : p", [], "exact id (h", FailureClass.SYNTAX),
    ]  # fmt: skip
    closable = ("theorem t (n : Nat) : n = n", ["skip"])

    def make_environment(self) -> ProofEnvironment:
        return LeanEnvironment(LeanOptions(backend="server", bin=require_lean().bin))


POLICIES: dict[str, tuple[Callable[[], Any], str]] = {
    "test_one_answer_for_each_request": (b.AnswersOnce, "1 == 2"),
    "test_at_most_so_many_best_first_none_twice": (b.RepeatsItself, "a draft twice"),
    "test_proposals_are_well_formed": (b.WritesTexts, "a str instead of a Draft"),
    "test_same_questions_same_answers": (b.ChangesItsMind, "exact h"),
    "test_states_are_left_alone": (b.ClearsGoals, "assert"),
    "test_close_twice": (b.ClosesOnce, "closed already"),
}
KITS: dict[str, tuple[Callable[[], Any], str]] = {
    "test_sentences_of_a_proof_run": (b.with_kit(b.LosesTheEnd), "not all of the proof"),
    "test_any_text_is_split": (b.with_kit(b.GivesBlanks), "a blank sentence"),
    "test_mistakes_are_classified": (b.with_kit(b.EverythingIsSyntax), "is syntax"),
    "test_any_message_has_a_class": (b.with_kit(b.IndexesWords), "IndexError"),
    "test_repairs_are_something_else": (b.with_kit(b.TriesAgain), "no repair of itself"),
    "test_repairs_name_their_class": (b.with_kit(b.CountsNothing), "no class: 'mine'"),
    "test_a_repair_is_accepted": (b.with_kit(b.HasNoIdea), "accepted is False"),
    "test_closing_closes": (b.with_kit(b.ClosesNothing), "nothing closes the goal"),
    "test_a_draft_is_resumed_further_on": (b.with_kit(b.StartsAgain), r"resume\(.., 0, 1\) is 0"),
}
CASES = [(kit, name, *table[name]) for kit, table in ((OnPolicy, POLICIES), (OnKit, KITS)) for name in table]


@pytest.mark.parametrize(("kit", "name", "make", "message"), CASES, ids=[case[1] for case in CASES])
def test_a_broken_rule_is_caught(kit: type[Any], name: str, make: Callable[[], Any], message: str) -> None:
    subject = type("Subject", (kit,), {"make": staticmethod(make)})()
    try:
        getattr(subject, name)()
    except BaseException as error:  # noqa: BLE001 - whatever the kit's test fails with
        found = f"{type(error).__name__}: {error}"
    else:
        pytest.fail(f"{name} passes on {make}")
    assert re.search(message, found), f"fails, but says only: {found}"


@pytest.mark.parametrize(("kit", "table"), [(OnPolicy, POLICIES), (OnKit, KITS)])
def test_every_test_of_the_kit_is_seen_to_fail(kit: type[Any], table: dict[str, object]) -> None:
    tests = {name for name in dir(kit) if name.startswith("test_")}
    assert tests - {"test_overridden_tests_say_why"} == set(table)
    for name in table:
        assert "Troubleshooting:" in (getattr(kit, name).__doc__ or ""), name


def test_the_kit_that_is_broken_here_is_sound() -> None:
    sound = type("Sound", (OnKit,), {"make": staticmethod(b.with_kit(FakeRepairKit))})()
    for name in KITS:
        getattr(sound, name)()
