"""Validation finds each mistake that it is there to find, and none in what is right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from proof_records import coq_proof, declaration

from prover_core.contracts.extraction import ExtractionReport, Extractor, ReplayResult
from prover_core.data.dataset import Dataset
from prover_core.data.stats import DataStats
from prover_core.data.validate import check_proof, validate
from prover_core.errors import DataError
from prover_core.records import PositionRecord, ProofRecord, StateRecord


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Dataset.create(tmp_path / "d", prover="coq", toolchain="t") as dataset:
        for f in range(4):
            name = f"F{f}.v"
            dataset.write_part(
                name,
                "h",
                "t",
                [coq_proof(i, file=name) for i in range(5)],
                [declaration(i) for i in range(3)],
            )
        dataset.finish()
    return tmp_path / "d"


def test_a_good_dataset_has_no_problem(folder: Path) -> None:
    result = validate(folder)
    assert result.ok, result.examples
    assert (result.proofs, result.steps, result.states, result.declarations) == (20, 140, 120, 12)


def step(number: int, **fields: Any) -> dict[str, Any]:
    steps = list(coq_proof(0).steps)
    steps[number] = steps[number].model_copy(update=fields)
    return {"steps": tuple(steps)}


AT = PositionRecord(start=5, end=3, line=1, column=1)
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name is empty"),
    ({"statement": " \n"}, "the statement is empty"),
    (step(1, tactic=" "), "step 1 is empty"),
    (step(1, before=6), "step 1: state 6 (before) is not among its 6"),
    (step(6, after=-1), "step 6: state -1 (after) is not among its 6"),
    (step(6, before=None), "step 6 has a state after it and none before it"),
    (step(3, after=5), "step 4 does not begin in the state that step 3 led to"),
    ({"position": AT}, "the statement has the impossible position 5-3, line 1"),
    (
        {"position": PositionRecord(start=0, end=9, line=1, column=1)},
        "the statement is longer than its position in the file",
    ),
    (
        step(2, position=PositionRecord(start=1, end=2, line=0, column=1)),
        "step 2 has the impossible position 1-2, line 0",
    ),
    (
        step(2, position=PositionRecord(start=9000, end=9001, line=9, column=1)),
        "its steps do not stand in the order of the file",
    ),
    (
        {"position": PositionRecord(start=500, end=900, line=1, column=1)},
        "its first step stands before its statement",
    ),
]


@pytest.mark.parametrize(("fields", "problem"), BROKEN, ids=[problem for _, problem in BROKEN])
def test_a_broken_proof_is_told_of(fields: dict[str, Any], problem: str) -> None:
    assert problem in list(check_proof(coq_proof(0).model_copy(update=fields)))


def test_a_good_proof_is_not() -> None:
    assert list(check_proof(coq_proof(0))) == []
    assert list(check_proof(coq_proof(0, states=(StateRecord(),) * 6, position=None, steps=()))) == []


def problems(folder: Path) -> str:
    result = validate(folder)
    assert not result.ok and result.problems >= 1
    return "\n".join(result.examples)


def test_what_happened_to_files_is_told(folder: Path) -> None:
    part = folder / "proofs/F1.v.jsonl"
    lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b"".join(lines[:3]) + lines[3][:50] + b"\n")
    said = problems(folder)
    assert "F1.v.jsonl:4: not a JSON text" in said
    assert "it was changed or cut" in said
    assert "F1.v: the files hold 3 proofs, not 5; 21 steps, not 35 as parts.json says" in said
    part.unlink()
    assert "F1.v.jsonl: No such file or directory" in problems(folder)


def test_an_id_twice(folder: Path) -> None:
    with Dataset.create(folder, prover="coq") as dataset:
        dataset.write_part("G.v", "h", "t", [coq_proof(2, file="F3.v")])
        dataset.finish()
    assert "F3.v:plus_2: the id occurs twice, in F3.v and in G.v" in problems(folder)


def test_counts_and_tables(folder: Path) -> None:
    manifest = folder / "manifest.json"
    data = json.loads(manifest.read_text())
    data["counts"]["proofs"] = 21
    manifest.write_text(json.dumps(data))
    assert "declarations, failures as (4, 21, 140, 12, 0); there are (4, 20, 140, 12, 0)" in problems(folder)
    (folder / "steps.parquet").write_bytes(b"no")
    assert "steps.parquet: " in problems(folder)
    (folder / "proofs/stray.jsonl").write_text("")
    assert "stray.jsonl belongs to no part" in problems(folder)


def test_unfinished_and_out_of_order(folder: Path) -> None:
    with Dataset.create(folder, prover="coq") as dataset:
        dataset.write_part("G.v", "h", "t", [], [declaration(2), declaration(1)])
    said = problems(folder)
    assert "the extraction was not finished" in said
    assert "G.v: declaration Toy.Plus.lemma_1 is out of order" in said


def test_many_problems_are_counted_and_some_shown(tmp_path: Path) -> None:
    with Dataset.create(tmp_path, prover="coq") as dataset:
        dataset.write_part("G.v", "h", "t", [coq_proof(i, statement="") for i in range(50)])
        dataset.finish()
    result = validate(tmp_path)
    assert (result.problems, len(result.examples)) == (50, 20)


class Replaying(Extractor):
    """Accepts what its rule says: a prover that needs no prover."""

    def __init__(self, refused: str = "", lost: str = "") -> None:
        self.refused, self.lost = refused, lost
        self.asked: list[str] = []

    def extract(self, targets: Sequence[str], out: Path, *, workers: int = 1) -> ExtractionReport:
        raise NotImplementedError

    def replay(self, records: Sequence[ProofRecord]) -> list[ReplayResult]:
        self.asked = [r.id for r in records]
        verdicts = {self.refused: False, self.lost: None}
        return [ReplayResult(r.id, verdicts.get(r.name, True), "why") for r in records]


def test_replay_takes_a_sample_that_is_the_same_every_time(folder: Path) -> None:
    one, two, other = Replaying(), Replaying(), Replaying()
    assert validate(folder, replay=7, extractor=one).ok
    validate(folder, replay=7, extractor=two)
    validate(folder, replay=7, extractor=other, seed=1)
    assert len(one.asked) == len(set(one.asked)) == 7
    assert one.asked == two.asked != other.asked
    everything = Replaying()
    validate(folder, replay=1000, extractor=everything)
    assert len(everything.asked) == 20


def test_a_proof_refused_is_a_failure_and_one_not_tried_is_none(folder: Path) -> None:
    refused = validate(folder, replay=20, extractor=Replaying(refused="plus_3"))
    assert not refused.ok
    assert [r["id"] for r in refused.as_data()["rejected"]] == [f"F{f}.v:plus_3" for f in range(4)]
    lost = validate(folder, replay=20, extractor=Replaying(lost="plus_3"))
    assert lost.ok
    assert (lost.as_data()["accepted"], len(lost.as_data()["not_tried"])) == (16, 4)


def test_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no dataset"):
        validate(tmp_path)


def test_statistics(folder: Path) -> None:
    data = DataStats().take(Dataset.open(folder).proofs()).as_data()
    assert (data["proofs"], data["finished"], data["with_states"], data["files"]) == (20, 20, 20, 4)
    assert (data["steps"], data["structural_steps"], data["premises"], data["distinct_premises"]) == (
        140,
        60,
        20,
        5,
    )
    assert data["tactics"] == {"induction": 20, "now": 20, "rewrite": 20, "reflexivity": 20}
    assert data["steps_of_a_proof"] == {"50%": 4, "90%": 4, "99%": 4, "most": 4}
    assert DataStats().take([]).as_data()["steps_of_a_proof"] == {}
