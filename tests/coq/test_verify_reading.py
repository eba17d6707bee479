"""Reading what the compiler says, and proofs as people write them: pure functions, hostile text included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover_coq.axioms import GROUPS, LIBRARY_ROOTS, STDLIB_AXIOMS, library_axioms
from prover_coq.candidate import Region
from prover_coq.guard import Refusal, RefusalKind
from prover_coq.judgement import (
    Assumptions,
    answer,
    declarations_in,
    first_error,
    found_names,
    is_command,
    read_assumptions,
    same_sentences,
    timed_sentences,
)
from prover_coq.script import Script, read_script
from prover_core.types import Proof

# -- Coq's report on its sentences -----------------------------------------------------------------------


def test_sentences_are_read_with_their_places() -> None:
    said = (
        "Chars 0 - 5 [Proof.] 0. secs (0.u,0.s)\nnoise\n"
        "Chars 6 - 10 [(intros~α).] 0.012 secs (0.u,0.s)\n"
        "Chars 11 - 15 [Qed.] 1e-05 secs (0.u,0.s)\nChars 90 - 99 [later.] 0. secs (0.u,0.s)\n"
    )
    seen = timed_sentences(said, Region(0, 50))
    assert [(s.start, s.end, s.text) for s in seen] == [
        (0, 5, "Proof."),
        (6, 10, "(intros~α)."),
        (11, 15, "Qed."),
    ]
    assert same_sentences(seen, [Region(11, 15), Region(0, 5), Region(6, 10)])
    assert not same_sentences(seen, [Region(0, 5), Region(6, 15)])
    assert not same_sentences(seen[:2], [Region(0, 5), Region(6, 10), Region(11, 15)])
    assert not same_sentences([*seen, seen[0]], [Region(11, 15), Region(0, 5), Region(6, 10)])


@pytest.mark.parametrize(
    "text",
    [
        "Axiom~a~:~False.",
        "#[local]~Axiom~a.",
        "Reset~x.",
        "Time~auto.",
        "Open~Scope~nat_scope.",
        "Admitted.",
        "all:~Axiom~x.",
        "(Abort).",
        'Load~"x".',
        "ProofX.",
        "Proof~(fun~x~=>~x).",
        "Unset~Guard~Checking.",
    ],
)
def test_commands_in_coqs_rendering(text: str) -> None:
    assert is_command(text)


@pytest.mark.parametrize(
    "text",
    [
        "Proof.",
        "Proof~using~H.",
        "Proof~~using~(H).",
        "Proof~with~auto.",
        "Qed.",
        "Defined.",
        "Save~t.",
        "-",
        "{",
        "}",
        "2:~{",
        "auto.",
        "(auto).",
        "all:~auto.",
        "Unshelve.",
        "Control.refine~x.",
        "[>auto|].",
        "_x.",
    ],
)
def test_tactics_in_coqs_rendering(text: str) -> None:
    assert not is_command(text)


# -- errors ----------------------------------------------------------------------------------------------


def test_the_first_error_is_found_behind_warnings() -> None:
    said = (
        'File "./a.v", line 1, characters 0-3:\nWarning: old\n[x,y]\n'
        'File "./a.v", line 3, characters 2-7:\nError:\nIn environment\nn : nat\nno.\n'
    )
    error = first_error(said)
    assert error is not None
    assert (error.file, error.line, error.column) == ("./a.v", 3, 2)
    assert error.message == "In environment\nn : nat\nno."
    assert error.offset(b"ab\ncd\n0123456789") == 8
    assert error.offset(b"ab") == 2


def test_a_message_that_looks_like_an_error_does_not_move_the_error() -> None:
    said = (
        'File "./a.v", line 9, characters 2-7:\nError: Tactic failure: \n'
        'File "./a.v", line 1, characters 0-1:\nError: mine.\n'
    )
    error = first_error(said)
    assert error is not None
    assert error.line == 9


def test_errors_without_a_place_and_no_error() -> None:
    error = first_error("Error: There are pending proofs in file ./x.v: t.\n")
    assert error is not None
    assert error.offset(b"x") is None
    assert first_error("") is None
    assert first_error("Killed\n") is None


# -- answers ---------------------------------------------------------------------------------------------


def test_an_answer_stands_between_its_markers_once() -> None:
    begin, end = "No object of basename m_a_begin\n", "No object of basename m_a_end\n"
    assert answer(f"x\n{begin}yes\n{end}z", "m_a") == "yes\n"
    assert answer(f"{begin}{end}", "m_a") == ""
    for broken in (begin, end, f"{end}{begin}", f"{begin}{begin}{end}", f"{begin}{end}{end}", ""):
        assert answer(broken, "m_a") is None


def test_names_that_were_located() -> None:
    said = (
        "Variable n\nConstant A.b.c\n"
        "Constant Coq.Logic.Classical_Prop.classic\n"
        "  (shorter name to refer to it in current context is classic)\n"
        "Constant X.y (shorter name to refer to it in current context is y)\nNo object of basename zz\n"
    )
    assert found_names(said) == {
        "A.b.c": "A.b.c",
        "Coq.Logic.Classical_Prop.classic": "classic",
        "X.y": "y",
    }


def test_assumptions_of_every_sort() -> None:
    assert read_assumptions("Closed under the global context\n") == Assumptions()
    said = (
        "Section Variables:\nn : nat\nAxioms:\nclassic : forall P : Prop, P \\/ ~ P\nlong_name\n  : a type\n"
        "  that goes on\nf is assumed to be guarded.\nI is assumed to be positive.\n"
        "u relies on an unsafe hierarchy.\nx@{u} : Type\n"
    )
    assert read_assumptions(said) == Assumptions(
        axioms=("classic", "long_name", "x"),
        weakened=(
            "f is assumed to be guarded.",
            "I is assumed to be positive.",
            "u relies on an unsafe hierarchy.",
        ),
        variables=("n",),
    )
    theory = read_assumptions("Theory:\n  Type hierarchy is collapsed (logic is inconsistent)\n")
    assert theory is not None
    assert theory.weakened


@pytest.mark.parametrize(
    "said",
    ["", "\n", "something new:\nx : y\n", "x : nat\n", "Closed under the global context\nx : nat\n", "  x\n"],
)
def test_assumptions_that_are_not_understood(said: str) -> None:
    assert read_assumptions(said) is None


@given(st.text(alphabet='ACa:.\n "@{}()', max_size=60))
def test_nothing_that_is_read_makes_the_readers_fail(text: str) -> None:
    read_assumptions(text)
    first_error(text)
    answer(text, "a")
    found_names(text)
    is_command(text)


def test_declarations_by_place() -> None:
    glob = (
        "DIGEST x\nFt\ndef 3:4 <> z\nprf 10:12 M foo\n"
        "binder 14:15 <> x:1\nR20:22 A <> b def\nax 30:33 <> boom\n"
    )
    assert declarations_in(glob, [Region(9, 40)]) == ["prf foo", "ax boom"]
    assert declarations_in(glob, [Region(13, 29)]) == []


# -- scripts ---------------------------------------------------------------------------------------------


def read(text: str, statement: str = "Lemma t : True.") -> Script | Refusal:
    return read_script(Proof((), text=text), statement)


@pytest.mark.parametrize(
    ("text", "sentences", "opening", "ending"),
    [
        ("exact I.", ("exact I.",), "Proof.", ""),
        ("exact I", ("exact I.",), "Proof.", ""),
        ("Proof. exact I. Qed.", ("exact I.",), "Proof.", "Qed."),
        ("(* a. *) Proof.\n exact (* b *) I.\nDefined. (* c *)", ("exact   I.",), "Proof.", "Defined."),
        ("Lemma t :\n True. Proof. exact I. Qed.", ("exact I.",), "Proof.", "Qed."),
        ("Proof using. exact I. Qed.", ("exact I.",), "Proof using.", "Qed."),
        ("Proof using H G. exact I.", ("exact I.",), "Proof using H G.", ""),
        ("Proof using (All - H). exact I.", ("exact I.",), "Proof using (All - H).", ""),
        ("Proof with auto. split... Save.", ("split...",), "Proof with auto.", "Qed."),
        ("Proof using Type with auto. split...", ("split...",), "Proof using Type with auto.", ""),
        ("", (), "Proof.", ""),
        ("split. - auto. - { auto. }", ("split.", "-", "auto.", "-", "{", "auto.", "}"), "Proof.", ""),
    ],
)
def test_what_people_write_around_a_proof(
    text: str, sentences: tuple[str, ...], opening: str, ending: str
) -> None:
    assert read(text) == Script(sentences, opening, ending)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Lemma t : False. Proof. exact I. Qed.", RefusalKind.COMMAND),
        ("exact I. Admitted.", RefusalKind.GIVES_UP),
        ("exact I. Abort.", RefusalKind.GIVES_UP),
        ("Admitted. Lemma u : True. exact I. Qed.", RefusalKind.COMMAND),
        ("exact I. Qed. Qed.", RefusalKind.COMMAND),
        ("Proof. Proof. exact I.", RefusalKind.COMMAND),
        ("Proof (fun x => x).", RefusalKind.COMMAND),
        ("Proof with admit. split...", RefusalKind.GIVES_UP),
        ("Proof with auto. Axiom a : False. split...", RefusalKind.COMMAND),
        ("Proof using H; Axiom. exact I.", RefusalKind.COMMAND),
        ("exact I. (*", RefusalKind.MALFORMED),
    ],
)
def test_what_is_no_proof(text: str, kind: RefusalKind) -> None:
    refusal = read(text)
    assert isinstance(refusal, Refusal)
    assert refusal.kind is kind


# -- the allow-list --------------------------------------------------------------------------------------


def test_every_allowed_axiom_has_a_reason_and_a_full_name() -> None:
    assert all(group.reason and group.names for group in GROUPS)
    assert "Coq.Logic.Classical_Prop.classic" in STDLIB_AXIOMS
    assert "Stdlib.Logic.Classical_Prop.classic" in STDLIB_AXIOMS
    assert len(STDLIB_AXIOMS) == 3 * len(library_axioms("Coq"))
    assert all(axiom.split(".")[0] in LIBRARY_ROOTS for axiom in STDLIB_AXIOMS)
    assert not any("admit" in axiom.lower() for axiom in STDLIB_AXIOMS)
