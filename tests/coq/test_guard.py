"""The first line of defence: what is and what is not one sentence of the tactic language."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover_coq.guard import RefusalKind, check_tactic, examine_sentence, normalise_tactic
from prover_coq.lexer import split_sentences

TACTICS = [
    "auto",
    "auto.",
    "  simpl; auto with arith.  ",
    "intros n m H; simpl in *.",
    "rewrite -> Nat.add_comm in * |- *",
    "exact (fun x : nat => eq_refl).",
    "set (x := 1)",
    "change Set with Type",
    "exact (fun r => r.(field))",
    "exact {| a := 1 |}",
    "destruct x as [|y [z|]] eqn:E; [> auto | idtac ..]",
    "[> auto | auto ]",
    "(auto; intros)",
    "Hint.foo x",
    "Axiom.of_choice",
    "exact Hint.Axiom",
    'idtac "a. Admitted. b"',
    "auto...",
    "by []",
    "move=> x /=",
    "have -> : x = y by []",
    "ltac2:(auto)",
    "Control.refine (fun () => 'x)",
    "match goal with H : ?x = _ |- _ => rewrite H end",
    "let x := fresh in pose (x := 0)",
    "abstract lia",
    "_foo x",
    "élan",
    "unfold β'",
    "admit'",
    "destruct admitted_before",
    "rewrite (* why. *) H",
    "exact I. (* done. Admitted. *)",
    "(* first. *) auto.",
    "auto (* ( * *)",
    "all: auto",
    "par: auto.",
    "!: auto",
    "2: auto",
    "1-3, 5: lia",
    "[x]: auto",
    "Unshelve",
    "Grab Existential Variables.",
    "-",
    " ++ ",
    "***",
    "{",
    "}",
    "2: {",
    "[x] : {",
    "!: {",
    "apply H;\r\n  auto.",
]

VERNACULAR = [
    "Axiom a : False",
    "Parameter a : False.",
    "Hypothesis a : False.",
    "Variable a : False.",
    "Conjecture a : False.",
    "Context (a : False)",
    "Admitted",
    "Abort.",
    "Abort All.",
    "Restart.",
    "Undo.",
    "Undo 2.",
    "Qed.",
    "Defined.",
    "Save x.",
    "Proof.",
    "Proof using.",
    "Proof (fun x => x).",
    "Goal True.",
    "Lemma l : True.",
    "Definition d := 0.",
    "Let d := 0.",
    "Fixpoint f (n : nat) : nat := n.",
    "Instance i : C.",
    "Existing Instance i.",
    "Next Obligation.",
    "Require Import Classical.",
    "From Coq Require Import Lia.",
    "Import Nat.",
    "Include M.",
    "Module M.",
    "Section S.",
    "End S.",
    'Load "x".',
    "Drop.",
    "Quit.",
    'Redirect "x" Print nat.',
    "Extraction nat.",
    'Extraction "x" nat.',
    "Recursive Extraction nat.",
    "Unset Guard Checking.",
    "Set Printing All.",
    "Unset Universe Checking.",
    "Unset Positivity Checking.",
    "Hint Resolve x.",
    'Notation "x" := y.',
    "Infix x.",
    "Tactic Notation x.",
    "Ltac t := idtac.",
    "Ltac2 t () := ().",
    'Declare ML Module "x".',
    'Add LoadPath "x".',
    'Add Rec LoadPath "x".',
    "Print nat.",
    "Check nat.",
    "Search nat.",
    "SearchPattern nat.",
    "About nat.",
    "Locate nat.",
    "Show.",
    "Show Proof.",
    "Eval compute in 1.",
    "Compute 1.",
    "Time auto.",
    "Timeout 2 auto.",
    "Fail auto.",
    "Succeed auto.",
    "Instructions auto.",
    "Focus.",
    "Unfocus.",
    "Guarded.",
    "Validate Proof.",
    "Existential 1 := I.",
    "Opaque x.",
    "Transparent x.",
    "Strategy 1 [x].",
    "Comments x.",
    "Optimize Heap.",
    'Cd "/".',
    "Pwd.",
    "Reset x.",
    "Reset Initial.",
    "Back 2.",
    "BackTo 2.",
    "Local Axiom a : False.",
    "Global Set X.",
    "Polymorphic Lemma x : True.",
    "Program Lemma x : True.",
    "Monomorphic Axiom a : False.",
    "#[local] Axiom a : False.",
    "#[bypass_check(guard)] Fixpoint f (n : nat) : nat := f n.",
    "HB.instance Definition x := y.",
    "derive nat.",
    "Elpi Command x.",
    "Unshelve Admitted.",
]

CHEATS = [
    "admit",
    "admit.",
    "give_up",
    "auto; admit",
    "all: admit",
    "try (idtac; give_up)",
    "exact ltac:(admit)",
    "Coq.Init.admit",
    'external "sh" "-c" 1',
    "optimize_heap",
    "all: Admitted",
    "2: Qed",
    "! : Abort",
]

SMUGGLED = [
    "exact I. Qed",
    "auto. auto",
    "auto.\tAdmitted",
    "auto.\r\nAdmitted",
    "auto...\nQed",
    "- auto",
    "- - auto",
    "{ auto. }",
    "} auto",
    "2: { auto",
    "auto. (* *) Admitted. (* *)",
    "auto.(* x *) Admitted",
    'auto "" . Admitted',
    'idtac "a" "b. Admitted',
    "auto (*",
    "(* auto",
    "(* (* auto *)",
    'auto (* " *) . Admitted.',
    'auto "',
    "exact lp:{{ x. Admitted. }}",
    "auto.\x00",
    "auto\x0b. Admitted",
    "auto.\x0cAdmitted",
    "auto \ud800",
]

NOTHING = [
    "",
    " ",
    "\n",
    ".",
    " . ",
    "...",
    "all:",
    "all: .",
    "(* nothing *)",
    "(* x *) .",
    '"x"',
    "2",
    "∀ x",
    "=> x",
]


@pytest.mark.parametrize("tactic", TACTICS)
def test_a_tactic_is_let_through(tactic: str) -> None:
    assert check_tactic(tactic) is None
    assert examine_sentence(normalise_tactic(tactic)) is None


@pytest.mark.parametrize("tactic", VERNACULAR + CHEATS + SMUGGLED + NOTHING)
def test_what_is_no_tactic_is_refused_in_words(tactic: str) -> None:
    reason = check_tactic(tactic)
    assert reason
    assert "\n" not in reason


@pytest.mark.parametrize("command", [c for c in VERNACULAR if c[0].isupper() and "." not in c[:3]])
@pytest.mark.parametrize("before", ["all: ", "1,2: ", "par:", "(* x *) ", "\n"])
def test_a_command_cannot_hide_behind_a_selector_or_a_comment(before: str, command: str) -> None:
    if command != "Unshelve Admitted.":
        assert check_tactic(before + command)


@pytest.mark.parametrize("blank", list(" \t\r\n"))
def test_every_blank_of_coq_ends_a_sentence(blank: str) -> None:
    assert check_tactic(f"auto.{blank}Admitted.")
    assert check_tactic(f"auto.{blank}auto.")


def test_the_reason_names_the_culprit() -> None:
    assert "`Axiom`" in (check_tactic("Axiom a : False") or "")
    assert "`admit`" in (check_tactic("split; admit") or "")
    assert "exact I." in (check_tactic("exact I. Qed.") or "")


def test_what_is_sent_has_no_comment_and_one_terminator() -> None:
    assert normalise_tactic(" auto ") == "auto."
    assert normalise_tactic("auto.") == "auto."
    assert normalise_tactic("auto (* c. *)") == "auto."
    assert normalise_tactic('auto. (* " *) Qed. " *)') == "auto."
    assert normalise_tactic(" - ") == "-"
    assert normalise_tactic("2: {") == "2: {"
    assert normalise_tactic("") == ""


PIECES = st.one_of(
    st.sampled_from(["auto", "intros x", ".", ". ", ".\n", "...", "..", "(*", "*)", '"', " ", "\n", "x.y"]),
    st.sampled_from(["Admitted", "admit", "Qed", "Axiom a : False", "-", "{", "}", "2:", "all: ", ";", "("]),
    st.sampled_from([")", ".(", "∀", "lp:{{", "}}", "\x00"]),
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_what_passes_is_one_complete_sentence_without_a_command(text: str) -> None:
    if check_tactic(text) is not None:
        return
    sent = normalise_tactic(text)
    sentences = split_sentences(sent)
    assert [s.text for s in sentences] == [sent]
    assert sentences[0].complete
    assert "(*" not in _outside_strings(sent)
    assert not {"Admitted", "admit", "Qed", "Axiom"} & set(_outside_strings(sent).replace(".", " ").split())


@given(st.text(max_size=40))
def test_any_text_gets_an_answer(text: str) -> None:
    check_tactic(text)
    normalise_tactic(text)


@given(st.text(alphabet=' \t\nab.-{}(*)"', max_size=12))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    if check_tactic(text) is None:
        once = normalise_tactic(text)
        assert normalise_tactic(once) == once
        assert check_tactic(once) is None


def test_long_text_is_read_in_linear_time() -> None:
    """Quadratic time would take minutes here; linear time takes about a second."""
    started = time.perf_counter()
    for unit in ("auto; ", "(* ", '"" ', ". ", "x.", "((", "{", '" (* '):
        check_tactic(unit * (200_000 // len(unit)))
    assert time.perf_counter() - started < 30


def test_it_is_fast_enough_for_the_hot_loop() -> None:
    tactics = [f"rewrite Nat.add_comm, (IHn{i} m) in H; simpl; auto with arith." for i in range(2000)]
    started = time.perf_counter()
    for tactic in tactics:
        assert check_tactic(tactic) is None
    each_us = (time.perf_counter() - started) / len(tactics) * 1e6
    assert each_us < 100  # about 5 us on an idle machine; the margin is for a loaded one


def _outside_strings(text: str) -> str:
    return "".join(text.split('"')[::2])


@pytest.mark.parametrize("sentence", ["Open Scope nat_scope.", "Opaque plus.", "Show."])
def test_harmless_commands_are_refused_without_accusation(sentence: str) -> None:
    refusal = examine_sentence(sentence)
    assert refusal is not None
    assert refusal.kind is RefusalKind.MALFORMED
    assert "command, not a tactic" in refusal.reason
