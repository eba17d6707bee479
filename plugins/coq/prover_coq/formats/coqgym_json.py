"""What a file of CoqGym holds, and its goals to and from ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from prover_core.records import GoalRecord, HypothesisRecord

__all__ = [
    "GymFile",
    "GymGoal",
    "GymGoalIds",
    "GymHypothesis",
    "GymProof",
    "GymStep",
    "Raw",
    "difference",
    "goal_json",
    "goal_record",
    "merge",
]


class Raw(BaseModel):
    model_config = ConfigDict(extra="allow")


class GymGoalIds(Raw):
    fg: list[int]
    bg: list[int]


class GymStep(Raw):
    command: list[str | None]
    goal_ids: GymGoalIds


class GymHypothesis(Raw):
    idents: list[str]
    term: list[str] = []
    type: str


class GymGoal(Raw):
    id: int
    type: str
    hypotheses: list[GymHypothesis]


class GymProof(Raw):
    name: str
    line_nb: int
    steps: list[GymStep]
    goals: dict[str, GymGoal]


class GymFile(Raw):
    filename: str
    coq_project: str
    vernac_cmds: list[list[str | None]] = []
    proofs: list[Any]


def difference(goal: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """What must be added to ``known`` to get ``goal``; all of it, where adding does not do."""
    more = {key: value for key, value in goal.items() if key not in known}
    hypotheses = [
        {key: value for key, value in h.items() if key not in k}
        for h, k in zip(goal["hypotheses"], known["hypotheses"], strict=True)
    ]
    rest: dict[str, Any] = {}
    if more:
        rest["goal"] = more
    if any(hypotheses):
        rest["hypotheses"] = hypotheses
    return rest if merge(known, rest) == goal else {"whole": goal}


def merge(known: dict[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    if "whole" in rest:
        return dict(rest["whole"])
    more = rest.get("hypotheses") or [{} for _ in known["hypotheses"]]
    if len(more) != len(known["hypotheses"]):
        return known
    hypotheses = [k | m for k, m in zip(known["hypotheses"], more, strict=True)]
    more = rest.get("goal") or {}
    return {**known, "hypotheses": hypotheses, **more}


def goal_record(goal: GymGoal) -> GoalRecord:
    hypotheses = tuple(
        HypothesisRecord(names=tuple(h.idents), type=h.type, body=h.term[0] if h.term else None)
        for h in goal.hypotheses
    )
    return GoalRecord(hypotheses=hypotheses, conclusion=goal.type)


def goal_json(goal: GoalRecord, number: int) -> dict[str, Any]:
    hypotheses = [
        {"idents": list(h.names), "term": [] if h.body is None else [h.body], "type": h.type}
        for h in goal.hypotheses
    ]
    return {"id": number, "type": goal.conclusion, "hypotheses": hypotheses}


# --- writing -------------------------------------------------------------------------------------------
