"""Fixtures of the run store's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prover_core.contracts.search import StepEvent
from prover_core.store import AttemptRecord, AttemptStatus, Provenance, RunStore
from prover_core.store.records import new_uid, utc_now
from prover_core.types import Advanced, Goal, Goals, ProofState, Rejected, Solved, Suggestion

MakeRecord = Callable[..., AttemptRecord]


@pytest.fixture
def make_record() -> MakeRecord:
    """A record of attempt ``n``."""

    def make(n: int = 0, status: AttemptStatus = AttemptStatus.PROVED, **fields: object) -> AttemptRecord:
        data: dict[str, object] = {
            "uid": new_uid(),
            "theorem_id": f"Arith/Plus.v:lemma_{n}",
            "name": f"lemma_{n}",
            "statement": f"Lemma lemma_{n} : True.",
            "status": status,
            "started_at": utc_now(),
        }
        return AttemptRecord.model_validate(data | fields)

    return make


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    """A new run, open for writing."""
    with RunStore.create(tmp_path / "run", {"env": "fake"}, Provenance(theorems=10), fsync=False) as made:
        yield made


@pytest.fixture
def proof_steps() -> list[StepEvent]:
    """Four tactics tried: refused, led on, led to a known state, solved. The proof's path is (0, 1, 2)."""
    root = ProofState(None, 0, Goals(focused=(Goal((), "A -> A"),)))
    inner = ProofState(None, 1, Goals(focused=(Goal((), "A"),)))
    return [
        StepEvent(
            0, root, Suggestion("lia.", -2.0), Rejected("cannot find witness " * 50, seconds=0.25), None
        ),
        StepEvent(0, root, Suggestion("intros h.", -0.1, "intros"), Advanced(inner, 0.001), 1),
        StepEvent(0, root, Suggestion("intro h.", -0.2), Advanced(inner, 0.001), None, duplicate=True),
        StepEvent(1, inner, Suggestion("exact h.", -0.3), Solved(inner, 0.001), 2),
    ]
