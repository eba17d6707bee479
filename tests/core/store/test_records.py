"""Records: what is written comes back; what a file cannot hold is made writable."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prover_core.store import AttemptRecord, AttemptStatus, attempt_schema
from prover_core.store.records import VerdictRecord, writable_text
from prover_core.types import Span, Verdict, VerdictStatus

ANY_TEXT = st.text(alphabet=st.characters(), max_size=40)  # lone surrogates and control characters included


@given(
    name=ANY_TEXT,
    proof=st.lists(ANY_TEXT, max_size=4),
    metadata=st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=3),
    status=st.sampled_from(AttemptStatus),
)
def test_any_text_survives_a_line(
    name: str, proof: list[str], metadata: dict[str, str], status: AttemptStatus
) -> None:
    record = AttemptRecord(
        uid="0",
        theorem_id=name,
        name=name,
        statement=name,
        status=status,
        started_at="now",
        proof=tuple(proof),
        metadata=metadata,
    )
    line = record.to_line()
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert AttemptRecord.model_validate_json(line) == record
    assert record.name == writable_text(name)


def test_the_theorem_comes_back_complete() -> None:
    record = AttemptRecord(
        uid="0",
        theorem_id="a.v:t",
        name="t",
        prover="coq",
        statement="Lemma t : True.",
        file="/x/a.v",
        span=(10, 25),
        preamble="",
        options=("-Q", "/x", "X"),
        project="X",
        metadata={"area": "A"},
        status=AttemptStatus.PROVED,
        started_at="now",
        proof=("trivial.",),
    )
    theorem = AttemptRecord.model_validate_json(record.to_line()).as_theorem()
    assert theorem.span == Span(10, 25)
    assert theorem.options == ("-Q", "/x", "X")
    assert (theorem.id, theorem.file, theorem.prover) == ("a.v:t", "/x/a.v", "coq")
    assert record.as_proof().tactics == ("trivial.",)


def test_a_verdict_comes_back() -> None:
    verdict = Verdict(VerdictStatus.PROVED, "coqc 8.16", ("classic",), (), True, None, 1.5, "fine")
    assert VerdictRecord.of(verdict).model_dump() == {
        "status": "proved",
        "checker": "coqc 8.16",
        "axioms": ("classic",),
        "forbidden": (),
        "statement_unchanged": True,
        "kernel_rechecked": None,
        "seconds": 1.5,
        "log": "fine",
    }


def test_unknown_fields_of_a_later_version_are_no_mistake_and_a_missing_one_is() -> None:
    whole = {
        "uid": "0",
        "theorem_id": "t",
        "name": "t",
        "statement": "s",
        "status": "failed",
        "started_at": "x",
    }
    assert AttemptRecord.model_validate(whole | {"new_field": 1}).status is AttemptStatus.FAILED
    for field in whole:
        with pytest.raises(ValidationError):
            AttemptRecord.model_validate({k: v for k, v in whole.items() if k != field})


def test_the_schema_is_json_and_describes_the_status() -> None:
    schema = json.loads(json.dumps(attempt_schema()))
    assert set(schema["$defs"]["AttemptStatus"]["enum"]) == {s.value for s in AttemptStatus}
    assert {"schema_version", "theorem_id", "seconds_env", "seconds_model"} <= schema["properties"].keys()


def test_only_what_says_something_about_the_theorem_is_conclusive() -> None:
    assert {s.value for s in AttemptStatus if s.conclusive} == {
        "proved",
        "failed",
        "out_of_budget",
        "rejected",
    }
