"""Goals out of ``coqidetop``'s answers, fast, and each distinct goal read once.

An extraction reads a hundred thousand answers, in which most goals come again and again: unfocused ones
stay, and a tactic changes one goal of many. So an answer is cut into its goals by their tags, and goals are
known again by their bytes. The result equals that of :func:`prover_coq.protocol_xml.goals`, which takes the
answer apart as XML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from prover_coq.goals import parse_hypothesis
from prover_core.errors import ProtocolError
from prover_core.records import GoalRecord, HypothesisRecord, StateRecord
from prover_core.types import Goal, Goals

__all__ = ["StateReader", "goal_record", "state_record"]

_GOALS = re.compile(rb"<goals>(.*)</goals>", re.DOTALL)
_GOAL = re.compile(rb"<goal><string>[^<]*</string>(.*?)</goal>", re.DOTALL)
_TEXT = re.compile(rb"<richpp>(.*?)</richpp>", re.DOTALL)
_NAME = re.compile(rb"<string>([^<]*)</string>\s*</option>\s*\Z")
_TAG = re.compile(rb"<[^>]*>")
_SKELETON = re.compile(rb"<list/>|<list>|</list>|\x00")
_MARK = b"\x00"


class StateReader:
    """Reads the answers of one document. Equal states have equal numbers.

    ``max_chars`` bounds each text of a goal (0: no bound); what is cut off is said at its end.
    """

    def __init__(self, read_slowly: Callable[[bytes], Goals] | None = None, *, max_chars: int = 0) -> None:
        """``read_slowly``: the engine's own reader, for answers that are not ``coqidetop``'s."""
        self._read_slowly = read_slowly
        self._max_chars = max_chars
        self._goals: dict[bytes, GoalRecord] = {}
        self._hypotheses: dict[bytes, HypothesisRecord] = {}
        self._numbers: dict[bytes | StateRecord, int] = {}
        self.states: list[StateRecord] = []
        """All that were read, by their numbers."""

    def read(self, answer: bytes) -> int:
        """The number of the state that the answer shows.

        :raises ProtocolError: it shows none.
        """
        if self._read_slowly is not None:
            record = state_record(self._read_slowly(answer), self._max_chars)
            return self._numbered(record, lambda: record)
        found = _GOALS.search(answer)
        if found is None:
            message = f"coqidetop's answer holds no goals: {answer[:200]!r}"
            raise ProtocolError(message)
        body = found[1]
        goals = _GOAL.findall(body)
        skeleton = _GOAL.sub(_MARK, body)
        return self._numbered(_MARK.join([skeleton, *goals]), lambda: self._state(skeleton, goals))

    def _numbered(self, key: bytes | StateRecord, make: Callable[[], StateRecord]) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.states)
            self.states.append(make())
        return number

    def _state(self, skeleton: bytes, goals: list[bytes]) -> StateRecord:
        """The skeleton is four lists: focused, stack, shelved, given up; a mark stands for each goal."""
        lists: list[list[GoalRecord]] = [[]]
        depth = taken = 0
        for part in _SKELETON.findall(skeleton):
            if part == b"<list>":
                depth += 1
            elif part == b"</list>":
                depth -= 1
            elif part == _MARK:
                lists[-1].append(self._goal(goals[taken]))
                taken += 1
            if depth == 0:
                lists.append([])
        if len(lists) != 5 or depth:
            message = f"coqidetop's answer has {len(lists) - 1} lists of goals, not 4"
            raise ProtocolError(message)
        return StateRecord(
            focused=tuple(lists[0]),
            unfocused=tuple(lists[1]),
            shelved=tuple(lists[2]),
            given_up=tuple(lists[3]),
        )

    def _goal(self, body: bytes) -> GoalRecord:
        known = self._goals.get(body)
        if known is None:
            texts = _TEXT.findall(body)
            if not texts:
                message = f"a goal of an unknown form in coqidetop's answer: {body[:200]!r}"
                raise ProtocolError(message)
            name = _NAME.search(body, body.rfind(b"</richpp>"))
            known = self._goals[body] = GoalRecord(
                hypotheses=tuple([self._hypothesis(text) for text in texts[:-1]]),
                conclusion=_cut(_plain(texts[-1]), self._max_chars),
                name=(_plain(name[1]) or None) if name else None,
            )
        return known

    def _hypothesis(self, markup: bytes) -> HypothesisRecord:
        known = self._hypotheses.get(markup)
        if known is None:
            read = parse_hypothesis(_plain(markup))
            known = self._hypotheses[markup] = HypothesisRecord(
                names=read.names,
                type=_cut(read.type, self._max_chars),
                body=None if read.body is None else _cut(read.body, self._max_chars),
            )
        return known


def state_record(goals: Goals, max_chars: int = 0) -> StateRecord:
    """Goals as a record."""
    return StateRecord(
        focused=tuple(goal_record(goal, max_chars) for goal in goals.focused),
        unfocused=tuple(goal_record(goal, max_chars) for goal in goals.unfocused),
        shelved=tuple(goal_record(goal, max_chars) for goal in goals.shelved),
        given_up=tuple(goal_record(goal, max_chars) for goal in goals.given_up),
    )


def goal_record(goal: Goal, max_chars: int = 0) -> GoalRecord:
    """A goal as a record; texts longer than ``max_chars`` are cut, and say so."""
    return GoalRecord(
        hypotheses=tuple(
            HypothesisRecord(
                names=h.names,
                type=_cut(h.type, max_chars),
                body=None if h.body is None else _cut(h.body, max_chars),
            )
            for h in goal.hypotheses
        ),
        conclusion=_cut(goal.conclusion, max_chars),
        name=goal.name,
    )


def _plain(markup: bytes) -> str:
    text = _TAG.sub(b"", markup).replace(b"&nbsp;", b" ").decode(errors="replace")
    return html.unescape(text).strip() if "&" in text else text.strip()


def _cut(text: str, max_chars: int) -> str:
    if not max_chars or len(text) <= max_chars:
        return text
    return f"{text[:max_chars]} [... {len(text) - max_chars} more characters]"
