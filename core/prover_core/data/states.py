"""States as text, and between records and the values that policies see.

The text of a recorded state is the text that the same state has at search time
(:class:`prover_core.types.Goals`), so that what a model was trained on is what it will be asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from prover_core.records import GoalRecord, HypothesisRecord, StateRecord
from prover_core.types import Goal, Goals, Hypothesis

__all__ = [
    "goal_text",
    "hypotheses_text",
    "state_record",
    "state_text",
    "to_goal",
    "to_goals",
]


def state_text(state: StateRecord) -> str:
    """The focused goals, separated by blank lines; ``no goals`` where there is none."""
    return state.text if state.text is not None and not state.focused else str(to_goals(state))


def goal_text(goal: GoalRecord) -> str:
    """Hypotheses one per line, oldest first, then ``⊢`` and the conclusion."""
    return str(to_goal(goal))


def hypotheses_text(goal: GoalRecord) -> str:
    """Hypotheses one per line, oldest first; empty where there is none."""
    return "\n".join(str(_hypothesis(h)) for h in goal.hypotheses)


def to_goals(state: StateRecord) -> Goals:
    """The goals as policies see them."""
    return Goals(
        focused=_goals(state.focused),
        unfocused=_goals(state.unfocused),
        shelved=_goals(state.shelved),
        given_up=_goals(state.given_up),
    )


def to_goal(goal: GoalRecord) -> Goal:
    """The goal as policies see it."""
    return Goal(tuple(_hypothesis(h) for h in goal.hypotheses), goal.conclusion, goal.name)


def state_record(goals: Goals) -> StateRecord:
    """The record of what a session shows."""
    return StateRecord(
        focused=_records(goals.focused),
        unfocused=_records(goals.unfocused),
        shelved=_records(goals.shelved),
        given_up=_records(goals.given_up),
    )


def _goals(goals: Iterable[GoalRecord]) -> tuple[Goal, ...]:
    return tuple(to_goal(goal) for goal in goals)


def _hypothesis(h: HypothesisRecord) -> Hypothesis:
    return Hypothesis(h.names, h.type, h.body)


def _records(goals: Iterable[Goal]) -> tuple[GoalRecord, ...]:
    return tuple(
        GoalRecord(
            hypotheses=tuple(HypothesisRecord(names=h.names, type=h.type, body=h.body) for h in g.hypotheses),
            conclusion=g.conclusion,
            name=g.name,
        )
        for g in goals
    )
