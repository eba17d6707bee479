"""The XML protocol, without a prover: what is written can be read; what is read is not believed blindly."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover_coq import protocol_xml as xml
from prover_core.errors import ProtocolError
from prover_core.types import Goal, Goals, Hypothesis

XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
    | st.sampled_from("\n\t<>&\"' ")
)

FAIL_816 = (
    b'<value val="fail" loc_s="6" loc_e="9"><state_id val="4"/><richpp><_><pp>The&nbsp;term&nbsp;'
    b"<constr.variable>a&lt;b</constr.variable>&nbsp;is&nbsp;&quot;odd&quot;.</pp></_></richpp>"
)
FAIL_820 = (
    b'<feedback object="state" route="0"><state_id val="5"/></feedback><value val="fail"><state_id val="4"/>'
    b'<option val="some"><loc line_nb="0" bol_pos="0" line_nb_last="0" bol_pos_last="0" start="6" stop="9"/>'
    b"</option><richpp><_><pp>The&nbsp;term&nbsp;<constr.variable>a&lt;b</constr.variable>&nbsp;is&nbsp;"
    b"&quot;odd&quot;.</pp></_></richpp>"
)


def goal_xml(hypotheses: list[str], conclusion: str, name: str | None = None) -> str:
    goal = ET.Element("goal")
    ET.SubElement(goal, "string").text = "7"
    hyps = ET.SubElement(goal, "list")
    for text in hypotheses:
        ET.SubElement(ET.SubElement(ET.SubElement(hyps, "richpp"), "_"), "pp").text = text
    ET.SubElement(ET.SubElement(ET.SubElement(goal, "richpp"), "_"), "pp").text = conclusion
    option = ET.SubElement(goal, "option", val="some" if name else "none")
    if name:
        ET.SubElement(option, "string").text = name
    return ET.tostring(goal, encoding="unicode").replace(" />", "/>").replace("\u00a0", "&nbsp;")


def answer(focused: str = "", stack: str = "", shelved: str = "", given_up: str = "") -> bytes:
    lists = "".join(
        f"<list>{part}</list>" if part else "<list/>" for part in (focused, stack, shelved, given_up)
    )
    return f'<value val="good"><option val="some"><goals>{lists}</goals></option>'.encode()


@given(XML_TEXT, st.integers(0, 10**9))
def test_a_sentence_survives_the_way_to_the_prover(sentence: str, tip: int) -> None:
    call = ET.fromstring(xml.add_call(sentence, tip))
    text = call.find(".//string")
    state = call.find(".//state_id")
    assert text is not None and (text.text or "") == sentence.replace("\r", "\n")
    assert state is not None and state.get("val") == str(tip)


@given(XML_TEXT, st.integers(0, 10**9))
def test_a_query_survives_the_way_to_the_prover(sentence: str, state: int) -> None:
    text = ET.fromstring(xml.query_call(sentence, state)).find(".//string")
    assert text is not None and (text.text or "") == sentence.replace("\r", "\n")


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[0m", "\ud800"])
def test_what_xml_cannot_carry_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="cannot be sent to coqidetop"):
        xml.add_call(text, 1)


@given(st.lists(st.binary(max_size=30).filter(lambda b: b"<" not in b), max_size=8), st.data())
def test_the_stream_is_split_the_same_whatever_the_chunks(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(body + xml.TERMINATOR for body in bodies) + b"<value val"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    found: list[bytes] = []
    rest = b""
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        answers, rest = xml.split_stream(rest + stream[start:end])
        found += answers
    assert found == bodies
    assert rest == b"<value val"


@pytest.mark.parametrize("answer", [FAIL_816, FAIL_820], ids=["8.16", "8.20"])
def test_a_failure_is_read_in_both_formats(answer: bytes) -> None:
    assert not xml.is_good(answer)
    assert xml.added_id(answer) is None
    assert xml.failure(answer) == 'The term a<b is "odd".'


def test_the_state_that_an_add_made() -> None:
    feedback = b'<feedback object="state" route="0"><state_id val="99"/></feedback>'
    good = b'<value val="good"><pair><state_id val="17"/><union val="in_l"><unit/></union></pair>'
    assert xml.added_id(feedback + good) == 17
    assert xml.init_id(b'<value val="good"><state_id val="1"/>') == 1


def test_goals_by_their_standing() -> None:
    given = answer(
        focused=goal_xml(["n, m : nat", "H : n = m"], "n = m", "left") + goal_xml([], "True"),
        stack=f"<pair><list>{goal_xml([], 'before')}</list><list>{goal_xml([], 'after')}</list></pair>",
        shelved=goal_xml(["x := 5 : nat"], "shelved"),
        given_up=goal_xml([], "given up"),
    )
    assert xml.has_goals(given) is True
    assert xml.goals(given) == Goals(
        focused=(
            Goal((Hypothesis(("n", "m"), "nat"), Hypothesis(("H",), "n = m")), "n = m", "left"),
            Goal((), "True"),
        ),
        unfocused=(Goal((), "before"), Goal((), "after")),
        shelved=(Goal((Hypothesis(("x",), "nat", body="5"),), "shelved"),),
        given_up=(Goal((), "given up"),),
    )


def test_nothing_left_and_no_proof_are_told_apart() -> None:
    done = answer(stack="<pair><list/><list/></pair>")
    none = b'<value val="good"><option val="none"/>'
    assert (xml.has_goals(done), xml.has_goals(none)) == (False, None)
    assert xml.goals(done).solved
    assert xml.goals(none) == Goals()


@given(XML_TEXT.filter(lambda t: t.strip() == t and "\u00a0" not in t and "\r" not in t))
def test_a_conclusion_survives_the_way_back(text: str) -> None:
    (goal,) = xml.goals(answer(goal_xml([], text))).focused
    assert goal.conclusion == text


def test_control_characters_in_a_message_do_no_harm() -> None:
    given = answer(goal_xml([], "a string: \x00")[:-60] + "&nbsp;\x01</pp></_></richpp></goal>")
    with pytest.raises(ProtocolError):
        xml.goals(given)  # cut in two on purpose
    assert "\ufffd" in xml.goals(answer(goal_xml([], "ab").replace("ab", "a\x01b"))).focused[0].conclusion


@given(st.binary(max_size=200).filter(lambda b: b'<value val="' not in b))
def test_garbage_is_a_protocol_error(garbage: bytes) -> None:
    for read in (xml.is_good, xml.added_id, xml.init_id, xml.failure, xml.goals):
        with pytest.raises(ProtocolError):
            read(garbage)


@given(st.integers(1, 300))
def test_a_cut_answer_is_a_protocol_error(end: int) -> None:
    whole = answer(goal_xml(["n : nat"], "n = n"))
    cut = whole[: min(end, len(whole) - 1)]
    with pytest.raises(ProtocolError):
        xml.goals(cut)


def test_what_the_prover_says_besides() -> None:
    said = (
        b'<feedback object="state" route="0"><state_id val="4"/><feedback_content val="message"><message>'
        b'<message_level val="notice"/><option val="none"/><richpp><_><pp>plus_n_O:&nbsp;forall n</pp></_>'
        b"</richpp></message></feedback_content></feedback>"
        b'<feedback object="state" route="0"><state_id val="4"/><feedback_content val="message"><message>'
        b'<message_level val="warning"/><option val="none"/><richpp><_><pp>deprecated</pp></_></richpp>'
        b'</message></feedback_content></feedback><value val="good"><unit/>'
    )
    assert xml.messages(said) == ["plus_n_O: forall n"]
