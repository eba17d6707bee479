"""``prover eval``: what it leaves, prints and refuses; several sources, by project."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from prover_core.evaluation import IterationResult

FAKE = ("eval", "--env", "fake", "--model", "scripted", "--no-trajectories")
TWO = ("--data", "fake:and_*", "--data", "fake:or_*")


def test_what_it_leaves(call: Any, here: Path) -> None:
    words = ("--data", "fake", "--budgets", "5,40", "--attempts", "3", "--temperature", "1.5", "--out", "e")
    answer = call(*FAKE, *words, "--name", "mine", "--iteration", "2", "--split-name", "valid")
    assert answer.code == 0, answer.err
    assert {p.name for p in (here / "e").iterdir()} == {"lock", "plan.json", "result.json", "runs"}
    result = IterationResult.load(here / "e")
    assert (result.label, result.iteration, result.split, result.attempts) == ("mine", 2, "valid", 3)
    assert [each.k for each in result.budgets[0].pass_at] == [1, 2]
    small, large = result.budgets
    assert (small.method, small.derived_from, large.method) == ("derived", "40t", "run")
    assert large.planned == 36 == len(large.theorems)
    assert large.evaluated == 36
    assert sum(large.statuses.values()) == 36 * 3
    assert sum(large.failures.values()) == 36 * 3 - large.statuses["proved"]
    assert large.pass_at[0].value == pytest.approx(sum(t.c / t.n for t in large.theorems) / 36)
    assert large.pass_at[0].low < large.pass_at[0].value < large.pass_at[0].high
    assert large.costs.seconds_total >= large.costs.seconds_search > 0
    assert result.toolchain is not None and result.toolchain.prover == "fake"
    assert max(map(len, answer.out.splitlines())) <= 80
    assert "prover compare e OTHER" in answer.out
    spaced = call(*FAKE, "--data", "fake", "--limit", "1", "--budgets", "5", "--out", "of two words").out
    assert "prover compare 'of two words' OTHER" in spaced
    assert "prover summary 'of two words/runs/fake/5t'" in spaced


def test_attempts_differ_and_are_the_same_when_made_again(call: Any, here: Path) -> None:
    words = (*FAKE, "--data", "fake", "--budgets", "25", "--attempts", "4", "--temperature", "2")
    assert call(*words, "--out", "a").code == 0
    assert call(*words, "--out", "b", "--workers", "3").code == 0
    assert call(*words, "--out", "c", "--seed", "1").code == 0
    a, b, c = (IterationResult.load(here / name).budgets[0].theorems for name in "abc")
    assert any(len(set(theorem.statuses)) > 1 for theorem in a)
    assert [t.statuses for t in a] == [t.statuses for t in b]
    assert [t.statuses for t in a] != [t.statuses for t in c]


@pytest.mark.slow
def test_ray_finds_the_same(call: Any, here: Path) -> None:
    pytest.importorskip("ray")
    words = (*FAKE, "--data", "fake", "--budgets", "5,40", "--attempts", "2", "--temperature", "1.5")
    assert call(*words, "--out", "local").code == 0
    answer = call(*words, "--executor", "ray", "--workers", "2", "--out", "ray")
    assert answer.code == 0, answer.err
    assert (
        IterationResult.load(here / "ray").comparable() == IterationResult.load(here / "local").comparable()
    )
    assert call("eval", "--out", "ray", "--resume", "--executor", "local").code == 0


def test_attempts_that_draw_nothing_are_said_to(call: Any, here: Path) -> None:
    assert call(*FAKE, "--data", "fake", "--attempts", "2", "--budgets", "9", "--out", "e").code == 0
    assert any("ended alike" in note for note in IterationResult.load(here / "e").notes)


def test_a_model_that_counts_no_tokens_is_said_to(call: Any, here: Path) -> None:
    words = (*FAKE, "--data", "fake:and_*", "--budgets", "50,90", "--budget-unit", "tokens")
    assert call(*words, "--out", "e").code == 0
    result = IterationResult.load(here / "e")
    assert [each.method for each in result.budgets] == ["run", "run"]
    assert any("counts no tokens" in note for note in result.notes)
    assert call(*words, "--set", "env.crash_on_open=*", "--crash-retries", "0", "--out", "f").code == 0
    assert not any("tokens" in note for note in IterationResult.load(here / "f").notes)  # nobody knows


def test_json_is_the_result_alone(call: Any, here: Path) -> None:
    answer = call(*FAKE, "--data", "fake", "--limit", "3", "--budgets", "9", "--out", "e", "--json")
    printed = json.loads(answer.out)
    assert printed == json.loads((here / "e/result.json").read_text())
    assert "[3/3]" in answer.err


def test_by_project_one_that_cannot_be_read_is_told_and_the_rest_goes_on(call: Any, here: Path) -> None:
    words = ("--by", "project", "--budgets", "9,30", "--out")
    answer = call(*FAKE, *TWO, "--data", "fake:nothing_like_it", *words, "e")
    assert answer.code == 0, answer.err
    assert "--data fake:nothing_like_it is left out" in answer.err
    result = IterationResult.load(here / "e")
    assert [bool(source.problem) for source in result.sources] == [False, False, True]
    projects = result.budgets[1].projects
    assert [p.project for p in projects] == ["fake:and_*", "fake:or_*", "fake:nothing_like_it"]
    assert [p.theorems for p in projects] == [7, 6, 0]
    assert all(0 < p.proved <= p.evaluated for p in projects[:2])
    assert "no built-in theorem matches" in projects[2].problem
    assert "left out: fake:nothing_like_it" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    alone = call(*FAKE, "--data", "fake:nothing_like_it", *words, "e2")
    assert alone.code == 2  # nothing else goes on, so it is an error
    none = call(*FAKE, "--data", "fake:nothing", "--data", "fake:neither", *words, "e3")
    assert none.code == 2 and "none of the sources can be used" in none.err


def test_a_project_whose_prover_dies_is_in_the_table(call: Any, here: Path) -> None:
    crash = ("--set", "env.crash_on_open=or_*", "--crash-retries", "0")
    assert call(*FAKE, *TWO, *crash, "--by", "project", "--budgets", "9", "--out", "e").code == 0
    budget = IterationResult.load(here / "e").budgets[0]
    assert [(p.theorems, p.evaluated) for p in budget.projects] == [(7, 7), (6, 0)]
    assert "died while opening" in budget.projects[1].problem
    assert budget.excluded == 6 and budget.planned == 13 and budget.evaluated == 7
    assert budget.failures["crashed.EnvironmentCrashedError"] == 6
    words = ("--attempts", "2", "--temperature", "1.5", "--by", "project", "--budgets", "9,40", "--out", "f")
    shown = call(*FAKE, *TWO, *crash, *words).out
    assert (
        "pass@2 leaves out theorems with fewer than 2 conclusive attempts: 6 with 9t, 6 with 40t"
        in " ".join(shown.split())
    )
    assert "(median: of a theorem, its attempts together)" in shown
    only = call(*FAKE, "--data", "fake:or_*", *crash, "--attempts", "2", "--budgets", "9", "--out", "g").out
    assert "9t           0   0     -  0.0 to 100.0 %" in only
    assert re.search(r"^9t +- +-$", only, re.MULTILINE)  # no pass@k of no theorem


def test_a_source_on_which_nothing_works_is_given_up_and_the_rest_goes_on(call: Any, here: Path) -> None:
    words = ("--set", "env.crash_on_open=and_*", "--crash-retries", "0", "--set", "data.copies=5")
    answer = call(*FAKE, *TWO, *words, "--by", "project", "--budgets", "9", "--out", "e")
    assert answer.code == 0, answer.err
    assert "--data fake:and_* was given up with 9t: 25 attempts in a row crashed" in answer.err
    result = IterationResult.load(here / "e")
    broken, whole = result.budgets[0].projects
    assert (broken.theorems, broken.evaluated, whole.theorems, whole.evaluated) == (35, 0, 30, 30)
    assert result.budgets[0].statuses["not_made"] == 10
    assert [bool(source.problem) for source in result.sources] == [True, False]
    alone = call(*FAKE, "--data", "fake:and_*", *words, "--budgets", "9", "--out", "e2")
    assert alone.code == 3 and "25 attempts in a row" in alone.err


def test_published_figures_stand_beside(call: Any, here: Path) -> None:
    (here / "success.csv").write_text("sucess_num, total_num\nfake:or_*, 40, 139 \nother, 1, 2\nall, 41, 141")
    (here / "intersection.json").write_text('{"fake:or_*": ["fake:or_left", "x"]}')
    words = ("--by", "project", "--published", "success.csv", "--budgets", "30", "--out")
    answer = call(*FAKE, *TWO, *words, "e")
    assert answer.code == 0, answer.err
    none, one = IterationResult.load(here / "e").budgets[0].projects
    assert one.published is not None and none.published is None
    assert (one.published.proved, one.published.total, one.published.same_ids) == (40, 139, 1)
    assert (one.published.same_evaluated, one.published.same_proved) == (1, 1)
    assert "40/139" in answer.out and "PUBLISHED" in answer.out
    assert "of 139 theorems; the list of ids has 2" in one.published.note
    for text, said in (
        ("one, many, 3", "line 1: expected"),
        ("a,1,2\na,1,2", "line 2: a has"),
        ("a,3,2", "3 of 2"),
    ):
        (here / "success.csv").write_text(text)
        bad = call(*FAKE, *TWO, *words, "e2")
        assert bad.code == 2 and said in bad.err, bad.err
        assert not (here / "e2").exists()  # told before anything is searched


def test_the_same_ids_in_two_sources_stay_apart(call: Any, here: Path) -> None:
    first, second = ("--data", "fake:and_*"), ("--data", "fake:and_i*")
    assert call(*FAKE, *first, *second, "--budgets", "9", "--out", "e").code == 0
    budget = IterationResult.load(here / "e").budgets[0]
    ids = {theorem.id for theorem in budget.theorems}
    assert len(ids) == 9 == budget.planned
    assert {"fake:and_i*/fake:and_imp", "fake:and_*/fake:and_imp", "fake:and_swap"} <= ids
    # the other way round they are called the same, so that a comparison sets each beside itself
    assert call(*FAKE, *second, *first, "--budgets", "9", "--out", "f").code == 0
    assert {theorem.id for theorem in IterationResult.load(here / "f").budgets[0].theorems} == ids


def test_resume_with_other_settings_is_refused(call: Any, here: Path) -> None:
    words = (*FAKE, "--data", "fake", "--limit", "3", "--out", "e")
    assert call(*words, "--budgets", "9").code == 0
    again = call(*words, "--budgets", "9")
    assert again.code == 2 and "--resume" in again.err
    assert call(*words, "--budgets", "9", "--resume", "--workers", "2").code == 0
    other = call(*words, "--budgets", "10", "--seed", "4", "--resume")
    assert other.code == 2
    assert "budgets: '9t' there, '10t' now" in other.err and "seed: 0 there, 4 now" in other.err
    assert call("eval", "--out", "e", "--resume").code == 0


def test_a_folder_of_something_else_is_left_alone(call: Any, here: Path) -> None:
    (here / "e").mkdir()
    (here / "e" / "thesis.tex").write_text("x")
    answer = call(*FAKE, "--data", "fake", "--out", "e", "--resume")
    assert answer.code == 2 and "thesis.tex" in answer.err
    assert [p.name for p in (here / "e").iterdir()] == ["thesis.tex"]
    for place in ("e/thesis.tex", "e/thesis.tex/below"):
        answer = call(*FAKE, "--data", "fake", "--out", place)
        assert answer.code == 2 and f"{place} cannot be used as --out" in answer.err
    (here / "d").mkdir()
    (here / "d" / "plan.json").write_text('{"kind": "shopping list"}')
    answer = call("eval", "--out", "d", "--resume")
    assert answer.code == 2 and "plan.json is damaged" in answer.err
    assert (here / "d" / "plan.json").read_text() == '{"kind": "shopping list"}'
    one = call(*FAKE, "--data", "fake", "--limit", "1", "--budgets", "9", "--out", "f")
    assert "on fake: 1 theorem\n" in one.out
    plan = here / "f" / "plan.json"
    plan.write_text(plan.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    later = call("eval", "--out", "f", "--resume")
    assert later.code == 2 and "plan.json is damaged, or of a later polyprover: schema_version" in later.err


def test_every_mistake_at_once_and_nothing_is_made(call: Any, here: Path) -> None:
    words = (
        "eval",
        "--env",
        "fake",
        "--model",
        "scriptd",
        "--data",
        "fake",
        "--budgets",
        "0,x",
        "--k",
        "2,z",
    )
    words += ("--by", "area", "--published", "no.csv", "--workers", "0", "--retry", "crashed", "--out", "e")
    answer = call(*words)
    assert answer.code == 2
    for said in ("scriptd", "'0t'", "'x'", "--k 'z'", "--k 2", "--by area", "no.csv", "workers", "--retry"):
        assert said in answer.err, said
    assert not (here / "e").exists()
    assert "--data is missing" in call("eval", "--env", "fake", "--model", "scripted").err
    assert "--resume needs --out" in call("eval", "--resume").err


def test_retry_makes_broken_attempts_again(call: Any, here: Path) -> None:
    crash = ("--set", "env.crash_on_open=and_imp", "--crash-retries", "0")
    assert call(*FAKE, *TWO, *crash, "--budgets", "9", "--out", "e").code == 0
    before = IterationResult.load(here / "e")
    answer = call("eval", "--out", "e", "--resume", "--retry", "crashed")
    assert answer.code == 0 and "[1/1]" in answer.err
    assert IterationResult.load(here / "e").comparable() == before.comparable()
