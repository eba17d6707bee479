"""``result.json``: written whole, read back, and left alone where it is not one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prover_core.errors import DataError, UserError
from prover_core.evaluation import BudgetResult, IterationResult, TheoremResult, result_schema, statement_hash
from prover_core.evaluation.gather import load_result
from prover_core.evaluation.results import RESULT_VERSION


def example() -> IterationResult:
    theorem = TheoremResult(
        id="a", name="a", statement_hash="0", statuses=("proved", "crashed", "failed", "not_made")
    )
    budget = BudgetResult(
        budget="5t",
        kind="tries",
        limits={"tries": 5.0},
        method="run",
        attempts=4,
        planned=1,
        evaluated=1,
        proved=1,
        rate=1.0,
        rate_low=0.2,
        rate_high=1.0,
        theorems=(theorem,),
    )
    return IterationResult(env="fake", model="scripted", budgets=(budget,))


def test_there_and_back(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    example().save(file)
    assert IterationResult.load(file) == example().model_copy(
        update={"created": IterationResult.load(file).created}
    )
    assert IterationResult.load(tmp_path) == IterationResult.load(file)
    assert load_result(tmp_path).comparable() == example().comparable()
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_counts_of_a_theorem() -> None:
    theorem = example().budgets[0].theorems[0]
    assert (theorem.n, theorem.c) == (2, 1)
    assert (theorem.first(1), theorem.first(2), theorem.first(4)) == ((1, 1), (1, 1), (2, 1))
    written = json.loads(example().model_dump_json())["budgets"][0]["theorems"][0]
    assert (written["n"], written["c"]) == (2, 1)


def test_a_name_is_one_line() -> None:
    assert example().model_copy(update={"name": " a\n b|c\t"}).label == "a b|c"
    assert example().model_copy(update={"name": " \n"}).label == "fake scripted"


def test_the_hash_is_of_the_statement_and_not_of_its_white_space() -> None:
    assert statement_hash("Lemma a :\n  b.") == statement_hash("Lemma a : b.")
    assert statement_hash("Lemma a : b.") != statement_hash("Lemma a : c.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"kind": "polyprover-evaluation", "schema_ver', "is not JSON"),
        ("\x00\x01", "is not JSON"),
        ("", "is not JSON"),
        ('{"rate": NaN}', "is not JSON"),
        ("[1, 2]", "no result of an evaluation"),
        ('{"accuracy": 0.5}', "no result of an evaluation"),
        ('{"kind": "polyprover-evaluation", "schema_version": 1}', "is damaged"),
        ('{"kind": "polyprover-evaluation", "schema_version": 99}', "later polyprover"),
        ('{"kind": "polyprover-evaluation", "schema_version": "99"}', "is damaged: schema_version"),
        ('{"kind": "polyprover-evaluation", "schema_version": 0}', "is damaged: schema_version"),
        ('{"kind": "polyprover-evaluation"}', "is damaged: schema_version"),
        (example().model_dump_json().replace('"crashed"', '"slept"'), "no attempt ends as 'slept'"),
        pytest.param("[" * 100_000, "is not JSON", id="deep"),
    ],
)
def test_what_is_no_result_is_named_and_left_alone(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "result.json"
    file.write_text(text)
    before = file.stat()
    with pytest.raises(DataError, match=said) as error:
        IterationResult.load(file)
    assert str(file) in str(error.value)
    assert file.read_text() == text
    assert file.stat().st_mtime_ns == before.st_mtime_ns


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_bytes(b"\xff\xfe\x80PAR1")
    with pytest.raises(DataError, match="is not JSON"):
        load_result(file)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no"):
        load_result(tmp_path / "nothing.json")
    with pytest.raises(DataError, match="neither an evaluation nor a run"):
        load_result(tmp_path)
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(UserError, match="has not ended; go on with it"):
        load_result(tmp_path)


def test_unknown_fields_of_a_later_minor_version_are_passed_over(tmp_path: Path) -> None:
    data = json.loads(example().model_dump_json()) | {"new_field": 3}
    data["budgets"][0]["another"] = [1]
    (tmp_path / "result.json").write_text(json.dumps(data))
    assert IterationResult.load(tmp_path).schema_version == RESULT_VERSION


def test_the_schema_describes_every_field() -> None:
    schema = result_schema()
    assert {"budgets", "toolchain", "run_dirs", "iteration"} <= set(schema["properties"])
    json.dumps(schema)
