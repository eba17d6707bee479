"""``goal-proofstep``: ``{"text": "[GOAL]state[PROOFSTEP]tactic", "theorem", "depth"}``, one row a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from pydantic import Field

from prover_core.contracts.extraction import ReadProblem
from prover_core.data.examples import Example
from prover_core.data.filters import LengthOptions, TokenCounter
from prover_core.data.formats.training import LOST_FIELDS, TrainingFormat, TrainingOptions
from prover_core.data.lines import Problems
from prover_core.data.rows import read_rows
from prover_core.records import ProofRecord, StateRecord, StepRecord

__all__ = ["GoalProofstepFormat", "GoalProofstepOptions"]

_GOAL = "[GOAL]"
_STEP = "[PROOFSTEP]"


class GoalProofstepOptions(LengthOptions):
    """Options of the format ``goal-proofstep``."""

    prover: str = Field(default="coq", description="prover of the proofs, when reading")


class _Row(NamedTuple):
    line: int
    state: str
    tactic: str
    theorem: str
    depth: int


class GoalProofstepFormat(TrainingFormat):
    """Steps as one text each: a JSON list in a file ``*.json``, JSON lines in any other.

    Rows of one theorem with depths counting up from 0 are read as one proof.
    """

    Options = GoalProofstepOptions
    name: ClassVar[str] = "goal-proofstep"

    def __init__(self, options: GoalProofstepOptions | None = None) -> None:
        given = options or GoalProofstepOptions()
        self.options: TrainingOptions = TrainingOptions(mode="steps", **given.model_dump())

    def lost_fields(self) -> tuple[str, ...]:
        kept = {
            "name", "qualified_name", "states (all but the goals asked about)", "line breaks in hypotheses",
        }  # fmt: skip
        lost = tuple(field for field in LOST_FIELDS if field not in kept)
        return (
            *lost,
            "states (structure: they are texts of their focused goals)",
            "structural steps",
            "terminator",
        )

    def row(self, example: Example, definitions: Sequence[str], premises: Sequence[str]) -> dict[str, Any]:
        text = f"{_GOAL}{example.state}{_STEP}{example.answer}"
        return {"text": text, "theorem": example.theorem, "depth": example.depth}

    def length(self, row: Mapping[str, Any], counter: TokenCounter) -> int:
        return counter.count(row["text"])

    def read(
        self, path: Path, *, lenient: bool = False, problems: list[ReadProblem] | None = None
    ) -> Iterator[ProofRecord]:
        proof: list[_Row] = []
        for row in _read(path, Problems(lenient, problems)):
            if proof and (row.theorem != proof[-1].theorem or row.depth != proof[-1].depth + 1):
                yield self._record(path, proof)
                proof = []
            proof.append(row)
        if proof:
            yield self._record(path, proof)

    def _record(self, path: Path, rows: Sequence[_Row]) -> ProofRecord:
        first = rows[0]
        last = len(rows) - 1
        return ProofRecord(
            id=f"{path.name}:{first.line}",
            prover=self.options.prover,
            file=path.name,
            name=first.theorem or f"row_{first.line}",
            statement="",
            states=tuple(StateRecord(text=row.state) for row in rows),
            steps=tuple(
                StepRecord(tactic=row.tactic, before=i, after=i + 1 if i < last else None)
                for i, row in enumerate(rows)
            ),
        )


def _read(path: Path, problems: Problems) -> Iterator[_Row]:
    for line, data in read_rows(path, problems):
        text, theorem, depth = data.get("text"), data.get("theorem", ""), data.get("depth", 0)
        if not (isinstance(text, str) and isinstance(theorem, str) and type(depth) is int):
            problems.report(
                path, line, "a row must have the texts 'text' and 'theorem' and the number 'depth'"
            )
            continue
        state, mark, tactic = text.removeprefix(_GOAL).partition(_STEP)
        if not (text.startswith(_GOAL) and mark):
            problems.report(path, line, f"'text' must be {_GOAL}state{_STEP}tactic")
            continue
        yield _Row(line, state, tactic, theorem, depth)
