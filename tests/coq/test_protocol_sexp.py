"""The s-expression protocol, without a prover."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover_coq import protocol_sexp as sexp
from prover_core.errors import ProtocolError
from prover_core.types import Goal, Goals, Hypothesis

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)))
SEXPS = st.recursive(TEXT, lambda inner: st.lists(inner, max_size=4), max_leaves=20)

ADDED = b"(Answer 4 Ack)\x00(Answer 4(Added 17((fname ToplevelInput)(bp 0)(ep 9))NewAddTip))\x00(Answer 4"
FAILED = (
    b"(Answer 27 Ack)\x00(Feedback((doc_id 0)(span_id 9)(route 0)(contents(Message(level Error)(loc())(pp("
    b'Pp_string"(str x)"))(str"no")))))\x00(Answer 27(CoqExn((loc())(stm_ids((12 21)))(backtrace('
    b'Backtrace()))(exn("Logic_monad.TacticFailure(_)"))(pp(Pp_string"(str"))(str"The term \\"a\\\\b\\" is '
    b'\\226\\136\\128.\\nNo."))))\x00(Answer 27'
)


def run_answers(focused: str, existentials: str = "") -> tuple[bytes, bytes]:
    first = b"(Answer 5 Ack)\x00"
    if existentials:
        first += (
            b"(Feedback((doc_id 0)(span_id 3)(route 0)(contents(Message(level Notice)(loc())(pp("
            + existentials.encode()
            + b'))(str"")))))\x00'
        )
    second = b"(Answer 6 Ack)\x00(Answer 6(ObjList((CoqString%s))))\x00(Answer 6" % (
        b" " + focused.encode() if focused.isalnum() else sexp.quote(focused)
    )
    return first + b"(Answer 5(ObjList()))\x00(Answer 5", second


def entry(name: str, context: list[str], conclusion: str, standing: str, number: int = 1) -> str:
    boxes = "(Pp_print_break 2 0)".join(
        f"(Pp_box(Pp_hovbox 2)(Pp_glue((Pp_string {sexp.quote(text).decode()}))))" for text in context
    )
    return (
        f'(Pp_box(Pp_hovbox 0)(Pp_glue((Pp_string"Existential {number} =")(Pp_print_break 1 0)'
        f'(Pp_box(Pp_hovbox 2)(Pp_glue((Pp_string"{name} :")(Pp_print_break 1 0)(Pp_box(Pp_hovbox 0)(Pp_glue('
        f"(Pp_string [)(Pp_box(Pp_hvbox 0)(Pp_glue({boxes})))(Pp_print_break 1 0)"
        f'(Pp_string"|- ")(Pp_tag constr.variable(Pp_string {sexp.quote(conclusion).decode()}))'
        f'(Pp_string ])))))))(Pp_string"{standing}"))))'
    )


@given(SEXPS)
def test_what_is_written_can_be_read(value: sexp.Sexp) -> None:
    assert sexp.parse(sexp.dump(value)) == value


@given(TEXT)
def test_a_quoted_text_is_one_atom(text: str) -> None:
    assert sexp.parse(sexp.quote(text)) == text
    assert b"\n" not in sexp.quote(text)
    assert b"\x00" not in sexp.quote(text)


@given(TEXT, st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_sentence_survives_the_way_to_the_prover(sentence: str, tip: int, new: int) -> None:
    command = sexp.parse(sexp.add_command(sentence, tip, new))
    assert command == ["Add", [["newtip", str(new)], ["ontop", str(tip)]], sentence]


def test_text_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(ProtocolError, match="cannot be sent to sertop"):
        sexp.add_command("\ud800", 1, 2)


@pytest.mark.parametrize("data", [b"", b"(", b")", b"a b", b'"abc', b"(a))", b'("\\', b"()()"])
def test_what_is_no_expression_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="not one s-expression"):
        sexp.parse(data)


@given(st.binary(max_size=60))
def test_reading_garbage_ends(garbage: bytes) -> None:
    try:
        sexp.parse(garbage)
    except ProtocolError:
        pass


@given(st.binary(max_size=100))
def test_garbage_is_no_answer(garbage: bytes) -> None:
    for read in (sexp.is_good, sexp.added_id, sexp.failure):
        with pytest.raises(ProtocolError):
            read(garbage)
    with pytest.raises(ProtocolError):
        sexp.goals(b"x Ack)" + garbage, garbage)


@given(st.lists(st.binary(max_size=30).filter(lambda b: b"\x00" not in b), max_size=8), st.data())
def test_the_stream_is_split_the_same_whatever_the_chunks(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(body + sexp.TERMINATOR for body in bodies) + b"(Answer"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    found: list[bytes] = []
    rest = b""
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        answers, rest = sexp.split_stream(rest + stream[start:end])
        found += answers
    assert found == bodies
    assert rest == b"(Answer"


def test_added_and_failed() -> None:
    assert sexp.is_good(ADDED)
    assert sexp.added_id(ADDED) == 17
    assert not sexp.is_good(FAILED)
    assert sexp.added_id(FAILED) is None
    assert sexp.failure(FAILED) == 'The term "a\\b" is ∀.\nNo.'


def test_a_failure_of_one_word() -> None:
    answer = b"(Answer 2 Ack)\x00(Answer 2(CoqExn((pp(Pp_string Timeout!))(str Timeout!))))\x00(Answer 2"
    assert sexp.failure(answer) == "Timeout!"


def test_the_word_coqexn_in_a_goal_is_no_failure() -> None:
    first, second = run_answers('\n  H : "(Answer 1(CoqExn((" = x\n============================\nTrue')
    assert sexp.is_good(second)
    assert len(sexp.goals(first, second).focused) == 1


def test_goals_in_focus() -> None:
    first, second = run_answers(
        "\n  H : n = m ->\n      m = n\n  s := 3 : nat\n  n, m : nat\n============================\n"
        "n =\nn\nnone\n============================\nTrue\nnone\n============================\nFalse\n\n"
        "  x : nat\n============================\nx = x"
    )
    assert sexp.has_goals(first, second) is True
    assert sexp.goals(first, second) == Goals(
        focused=(
            Goal(
                (
                    Hypothesis(("n", "m"), "nat"),
                    Hypothesis(("s",), "nat", body="3"),
                    Hypothesis(("H",), "n = m ->\n      m = n"),
                ),
                "n =\nn",
            ),
            Goal((), "True"),
            Goal((), "False"),
            Goal((Hypothesis(("x",), "nat"),), "x = x"),
        )
    )


def test_shelved_given_up_and_unfocused_goals() -> None:
    entries = "Pp_force_newline".join(
        (
            entry("?k", ["n : nat", "H : n |- n"], "nat", " (shelved)"),
            entry("?Goal", ["n : nat"], "n = n", "", 2),
            entry("?Goal0", ["n : nat"], "m = m", "", 3),
            entry("?Goal1", [], "False", " (given up)", 4),
        )
    )
    first, second = run_answers("\n  n : nat\n============================\nn = n", f"(Pp_glue({entries}))")
    found = sexp.goals(first, second)
    assert [g.conclusion for g in found.focused] == ["n = n"]
    assert found.unfocused == (Goal((Hypothesis(("n",), "nat"),), "m = m", "?Goal0"),)
    assert found.shelved == (Goal((Hypothesis(("n",), "nat"), Hypothesis(("H",), "n |- n")), "nat", "?k"),)
    assert found.given_up == (Goal((), "False", "?Goal1"),)


def test_nothing_left_and_no_proof_are_told_apart() -> None:
    first, second = run_answers("", "Pp_empty")
    assert sexp.has_goals(first, second) is False
    assert sexp.goals(first, second).solved
    no_proof = b'(Answer 1 Ack)\x00(Answer 1(CoqExn((str"%s"))))\x00(Answer 1' % sexp.NO_PROOF.encode()
    assert sexp.has_goals(no_proof, b"(Answer 2 Ack)\x00(Answer 2(ObjList()))\x00(Answer 2") is None
    assert sexp.goals(no_proof, b"") == Goals()


def test_what_the_prover_says_besides() -> None:
    said = (
        b"(Answer 8 Ack)\x00(Feedback((doc_id 0)(span_id 7)(route 0)(contents(Message(level Notice)(loc())"
        b'(pp(Pp_string x))(str"plus_n_O: forall n, n = n + 0")))))\x00'
        b"(Feedback((doc_id 0)(span_id 7)(route 0)(contents(Message(level Warning)(loc())"
        b"(pp(Pp_string y))(str deprecated)))))\x00(Answer 8(ObjList()))"
        b"\x00(Answer 8"
    )
    assert sexp.messages(said) == ["plus_n_O: forall n, n = n + 0"]


def test_states_are_cancelled_first_first() -> None:
    assert sexp.parse(sexp.cancel_command([3, 9, 4])) == ["Cancel", ["3", "4", "9"]]
