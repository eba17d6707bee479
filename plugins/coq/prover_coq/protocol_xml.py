"""The XML protocol of ``coqidetop`` as pure functions: calls to bytes, answers to values. No process here.

One call gives one ``<value>`` element, with ``<feedback>`` elements before it; there is no root element and
no framing, so the stream is split at ``</value>`` (:data:`TERMINATOR`). An *answer* is what stands between
two terminators, the terminator left out. Coq 8.16 to Rocq 9.2 differ, for the calls used here, only in the
place of a failure's location, which is not read.

The questions asked of every answer (:func:`is_good`, :func:`added_id`, :func:`has_goals`) look at the bytes;
:func:`goals` parses the element, and is meant to be called only for states that somebody looks at.
"""

from __future__ import annotations

import html
import re
from xml.etree.ElementTree import Element, ParseError, fromstring

from prover_coq.goals import parse_hypothesis
from prover_core.errors import ProtocolError
from prover_core.types import Goal, Goals

__all__ = [
    "GOAL_CALL",
    "INIT_CALL",
    "STATUS_CALL",
    "TERMINATOR",
    "add_call",
    "added_id",
    "edit_at_call",
    "failure",
    "goals",
    "has_goals",
    "init_id",
    "is_good",
    "is_syntax_error",
    "messages",
    "query_call",
    "split_stream",
]

TERMINATOR = b"</value>"
INIT_CALL = b'<call val="Init"><option val="none"/></call>'
GOAL_CALL = b'<call val="Goal"><unit/></call>'
"""Executes everything up to the tip and answers with its goals."""
STATUS_CALL = b'<call val="Status"><bool val="false"/></call>'
"""Executes everything up to the tip; a short answer."""

_ADD = (
    b'<call val="Add"><pair><pair><pair><pair><string>%s</string><int>0</int></pair>'
    b'<pair><state_id val="%d"/><bool val="false"/></pair></pair><int>0</int></pair>'
    b"<pair><int>0</int><int>0</int></pair></pair></call>"
)
_EDIT_AT = b'<call val="Edit_at"><state_id val="%d"/></call>'
_QUERY = (
    b'<call val="Query"><pair><route_id val="0"/><pair><string>%s</string>'
    b'<state_id val="%d"/></pair></pair></call>'
)

_VALUE = b'<value val="'
_GOOD = b'<value val="good"'
_FAIL = b'<value val="fail"'
_ADDED = re.compile(rb'<value val="good"><pair><state_id val="(\d+)"')
_INIT = re.compile(rb'<value val="good"><state_id val="(\d+)"')
_FAILED_AFTER = re.compile(rb'<value val="fail"[^>]*><state_id val="(\d+)"')
_TAG = re.compile(r"<[^>]*>")
_MESSAGE = re.compile(
    rb'<message_level val="(?:notice|info|debug)"[^>]*/?>.*?<richpp>(.*?)</richpp>', re.DOTALL
)
# XML 1.0 has no place for these; the prover's own parser minds only the former.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def _escape(text: str) -> bytes:
    """Text as the content of an XML element.

    :raises ProtocolError: it holds a character that XML cannot carry.
    """
    if _CONTROL.search(text):
        message = f"text with control characters cannot be sent to coqidetop: {text[:80]!r}"
        raise ProtocolError(message)
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        message = f"text that is not Unicode cannot be sent to coqidetop: {text[:80]!r}"
        raise ProtocolError(message) from error


def add_call(sentence: str, tip: int) -> bytes:
    """Parse one sentence and put it after state ``tip``, which must be the document's tip.

    :raises ProtocolError: the sentence holds a character that XML cannot carry.
    """
    return _ADD % (_escape(sentence), tip)


def edit_at_call(state_id: int) -> bytes:
    """Go back to a state on the way from the document's start to its tip."""
    return _EDIT_AT % state_id


def query_call(sentence: str, state_id: int) -> bytes:
    """Run a sentence in a state without changing the document.

    :raises ProtocolError: the sentence holds a character that XML cannot carry.
    """
    return _QUERY % (_escape(sentence), state_id)


def split_stream(buffer: bytes) -> tuple[list[bytes], bytes]:
    """The whole answers at the start of ``buffer``, and the rest."""
    answers = buffer.split(TERMINATOR)
    return answers, answers.pop()


def is_good(answer: bytes) -> bool:
    """Whether the call succeeded.

    :raises ProtocolError: this is no answer.
    """
    start = answer.find(_VALUE)
    if start >= 0 and answer.startswith(_GOOD, start):
        return True
    if start < 0 or not answer.startswith(_FAIL, start):
        message = f"coqidetop's answer has no <value>: {_shown(answer)}"
        raise ProtocolError(message)
    return False


def added_id(answer: bytes) -> int | None:
    """The new state's number out of the answer to an ``Add``; ``None``: the sentence was refused.

    :raises ProtocolError: this is no answer to an ``Add``.
    """
    found = _ADDED.search(answer)
    if found:
        return int(found[1])
    if is_good(answer):
        message = f"coqidetop's answer to Add names no state: {_shown(answer)}"
        raise ProtocolError(message)
    return None


def is_syntax_error(answer: bytes) -> bool:
    """Whether a sentence was refused before anything of it was executed; it has used up no number then."""
    found = _FAILED_AFTER.search(answer)
    return found is not None and found[1] == b"0"


def init_id(answer: bytes) -> int:
    """The first state's number out of the answer to ``Init``.

    :raises ProtocolError: this is no answer to ``Init``.
    """
    found = _INIT.search(answer)
    if not found:
        message = f"coqidetop's answer to Init names no state: {_shown(answer)}"
        raise ProtocolError(message)
    return int(found[1])


def failure(answer: bytes) -> str:
    """The error message of an answer that is not good, as plain text."""
    start = answer.find(_VALUE)
    start = answer.find(b"<richpp>", start)
    end = answer.find(b"</richpp>", start)
    if start < 0 or end < 0:
        message = f"coqidetop reports a failure without a message: {_shown(answer)}"
        raise ProtocolError(message)
    return _plain(answer[start:end])


def has_goals(answer: bytes) -> bool | None:
    """Whether any goal, of whatever standing, is open; ``None``: no proof is open.

    For good answers to :data:`GOAL_CALL`.
    """
    if b"<goal>" in answer:
        return True
    return False if b"<goals>" in answer else None


def messages(answer: bytes) -> list[str]:
    """What the prover said besides its answer (what ``Search`` found), warnings left out."""
    return [_plain(found) for found in _MESSAGE.findall(answer)]


def goals(answer: bytes) -> Goals:
    """The goals out of an answer to :data:`GOAL_CALL`; empty where no proof is open.

    :raises ProtocolError: this is no such answer.
    """
    start = answer.find(_VALUE)
    if start < 0 or not answer.startswith(_GOOD, start):
        message = f"coqidetop's answer holds no goals: {_shown(answer)}"
        raise ProtocolError(message)
    body = answer[start:] if answer.endswith(TERMINATOR) else answer[start:] + TERMINATOR
    try:
        value = fromstring(_clean(body))
    except ParseError as error:
        message = f"coqidetop's answer is not XML ({error}): {_shown(answer)}"
        raise ProtocolError(message) from error
    element = value.find("option/goals")
    if element is None:
        if value.find("option") is None:
            message = f"coqidetop's answer holds no goals: {_shown(answer)}"
            raise ProtocolError(message)
        return Goals()
    if len(element) != 4:
        message = f"coqidetop's answer has {len(element)} lists of goals, not 4: {_shown(answer)}"
        raise ProtocolError(message)
    focused, stack, shelved, given_up = element
    return Goals(
        focused=tuple(_goal(item) for item in focused),
        # Each level of focus keeps the goals before and the goals after those in focus.
        unfocused=tuple(_goal(item) for level in stack for side in level for item in side),
        shelved=tuple(_goal(item) for item in shelved),
        given_up=tuple(_goal(item) for item in given_up),
    )


def _goal(item: Element) -> Goal:
    """``<goal>``: number, hypotheses, conclusion, and the name where the prover shows one."""
    if item.tag != "goal" or len(item) < 3:
        message = f"a goal of an unknown form in coqidetop's answer: <{item.tag}> with {len(item)} parts"
        raise ProtocolError(message)
    name = item[3].findtext("string") if len(item) > 3 else None
    return Goal(
        hypotheses=tuple(parse_hypothesis(_text(part)) for part in item[1]),
        conclusion=_text(item[2]),
        name=name or None,
    )


def _text(part: Element) -> str:
    return "".join(part.itertext()).strip()


def _clean(body: bytes) -> str:
    """XML proper: ``&nbsp;`` is declared nowhere, and a message may hold bytes that are no characters."""
    return _NOT_XML.sub("\ufffd", body.replace(b"&nbsp;", b" ").decode(errors="replace"))


def _plain(markup: bytes) -> str:
    text = _TAG.sub("", markup.decode(errors="replace").replace("&nbsp;", " "))
    return html.unescape(text).strip() if "&" in text else text.strip()


def _shown(answer: bytes) -> str:
    """A bounded piece of an answer, for error messages."""
    return repr(answer[:200].decode(errors="replace"))
