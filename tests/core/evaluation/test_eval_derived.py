"""A smaller budget read from the run of the largest gives what a run of its own gives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from prover_core.builtin.fake import FakeEnvironment
from prover_core.contracts import Search, SearchObserver, SearchStatus
from prover_core.evaluation import IterationResult
from prover_core.evaluation.budgets import parse_budgets, plan_runs
from prover_core.evaluation.derive import under
from prover_core.evaluation.tally import Tally
from prover_core.plugins.manager import installed_plugins
from prover_core.store import AttemptRecord, RunStore
from prover_core.types import Budget, Limits, ProofState, Suggestion

FAKE = ("eval", "--env", "fake", "--model", "scripted", "--data", "fake", "--no-trajectories")


def theorems(result: IterationResult) -> dict[str, Any]:
    """Everything that a budget found, by budget."""
    found = {}
    for budget in result.comparable()["budgets"]:
        del budget["method"], budget["derived_from"]
        found[budget["budget"]] = budget
    return found


@pytest.mark.parametrize(
    ("search", "budgets"),
    [
        ("best-first", "1,2,7,20,33,60"),
        ("best-first", "1c,3c,6c"),
        ("depth-first", "3,20,33,60"),
        ("beam", "3,20,33,60"),
        ("mcts", "3,20,33,60"),
        ("and-or", "3,20,33,60"),
    ],
)
def test_derived_is_as_if_run(call: Any, here: Path, search: str, budgets: str) -> None:
    words = (*FAKE, "--search", search, "--budgets", budgets, "--attempts", "2", "--temperature", "1.5")
    words += ("--skip", "fake:p*", "--limit", "20")
    assert call(*words, "--out", "derived").code == 0
    assert call(*words, "--out", "run", "--separate").code == 0
    derived, run = IterationResult.load(here / "derived"), IterationResult.load(here / "run")
    assert [each.method for each in derived.budgets].count("derived") == len(derived.budgets) - 1
    assert all(each.method == "run" for each in run.budgets)
    assert theorems(derived) == theorems(run)
    proved = [each.proved for each in run.budgets]
    assert proved == sorted(proved) and proved[0] < proved[-1]
    for ours, theirs in zip(derived.budgets, run.budgets, strict=True):  # what they cost is close, too
        assert ours.costs.tries == pytest.approx(theirs.costs.tries, rel=0.35, abs=30)
        if "tries" in ours.limits:
            assert max(ours.costs.tries, theirs.costs.tries) <= ours.limits["tries"] * 2 * ours.planned


DRAFTS = (
    "intros. trivial. trivial.",
    "intros H. destruct H. split. exact H. assumption.",
    "intros a b. left. trivial. right.",
    "intros. destruct h. right. trivial. left. trivial.",
)


@pytest.mark.parametrize("search", ["palm", "sample-proofs"])
def test_of_whole_proofs_too(call: Any, here: Path, search: str) -> None:
    (here / "proofs.json").write_text(json.dumps({"*": DRAFTS}))
    words = ("eval", "--env", "fake", "--model", "scripted-proofs", "--set", "policy.file=proofs.json")
    words += (
        "--data",
        "fake",
        "--limit",
        "20",
        "--search",
        search,
        "--budgets",
        "2,5,20",
        "--no-trajectories",
    )
    assert call(*words, "--out", "derived").code == 0
    assert call(*words, "--out", "run", "--separate").code == 0
    derived, run = IterationResult.load(here / "derived"), IterationResult.load(here / "run")
    assert theorems(derived) == theorems(run)
    assert [each.method for each in derived.budgets] == ["derived", "derived", "run"]
    assert 0 < run.budgets[0].proved < run.budgets[2].proved


def test_a_search_that_does_not_say_is_run_for_each_budget(call: Any, here: Path) -> None:
    words = (*FAKE, "--budgets", "2c,4c", "--set", "search.siblings=2", "--out", "e")
    assert call(*words).code == 0
    result = IterationResult.load(here / "e")
    assert [each.method for each in result.budgets] == ["run", "run"]
    assert sorted(result.run_dirs) == ["runs/fake/2c", "runs/fake/4c"]


class Paid:
    """A ``suggest`` that counts a hundred tokens for each answer."""

    def __init__(self, tactic: str, *, whole: bool) -> None:
        self.answer = Suggestion(tactic, -1.0, "paid", whole=whole)
        self.tokens_used = 0

    def __call__(self, states: Sequence[ProofState]) -> list[list[Suggestion]]:
        self.tokens_used += 100 * len(states)
        return [[self.answer] for _ in states]


@pytest.mark.parametrize("name", installed_plugins().searches.names())
def test_limits_on_tokens_are_run_each(name: str) -> None:
    # what the answer that used the last of them proposed is tried: the total of a search with a larger
    # limit does not tell what a smaller one would have found
    search = installed_plugins().searches.get(name)()
    assert isinstance(search, Search)
    found = {}
    for limit in (50, 1000):
        with FakeEnvironment() as environment:
            search.bind(environment)
            suggest = Paid("trivial", whole=search.takes == "proofs")
            with environment.open(environment.theorem("True", name="t"), Limits()) as session:
                result = search.run(session, suggest, Budget(tokens=limit), SearchObserver())
        found[limit] = (result.status, result.tokens)
    assert found[50] == found[1000] == (SearchStatus.FOUND, 100)
    planned = plan_runs(parse_budgets("50 tokens,1000 tokens"), search.anytime(8))
    assert [run.budget.text for run in planned] == ["50 tokens", "1000 tokens"]


def test_seconds_are_read_from_the_time_of_the_proof(call: Any, here: Path) -> None:
    words = (*FAKE, "--budgets", "0.05,0.2,1", "--budget-unit", "seconds", "--set", "env.latency_ms=2")
    assert call(*words, "--limit", "12", "--out", "e").code == 0
    small, middle, large = IterationResult.load(here / "e").budgets
    with RunStore.open(here / "e" / large.run_dirs[0]) as store:
        records = list(store.records())
    for budget, limit in ((small, 0.05), (middle, 0.2)):
        by_hand = [r.theorem_id for r in records if r.proved and r.used and r.used.seconds <= limit]
        assert [t.id for t in budget.theorems if t.proved] == by_hand
        assert budget.costs.seconds_search <= 12 * limit + 1e-6
    assert small.proved <= middle.proved <= large.proved > 0


def record(**changes: Any) -> AttemptRecord:
    used = {"tries": 50, "model_calls": 5, "tokens": 700, "seconds": 2.0}
    fields = {
        "uid": "u",
        "theorem_id": "t",
        "name": "t",
        "statement": "s",
        "status": "proved",
        "used": used,
        "tries": 64,
        "started_at": "2026-01-01",
    }
    return AttemptRecord.model_validate_json(json.dumps(fields | changes))


@pytest.mark.parametrize(
    ("changes", "budget", "status"),
    [
        ({}, "50t", "proved"),
        ({}, "49t", "out_of_budget"),
        ({}, "5c", "proved"),
        ({}, "4c", "out_of_budget"),
        ({}, "2s", "proved"),
        ({}, "1.9s", "out_of_budget"),
        ({}, "701 tokens", "proved"),
        ({}, "700 tokens", "out_of_budget"),
        ({}, "50t+2s", "proved"),
        ({}, "50t+1s", "out_of_budget"),
        ({"status": "rejected"}, "50t", "rejected"),
        ({"status": "unchecked"}, "50t", "unchecked"),
        ({"status": "unchecked"}, "49t", "out_of_budget"),  # it would not have come to the check
        ({"status": "failed"}, "51t", "failed"),
        ({"status": "failed"}, "50t", "out_of_budget"),  # the limit is looked at first
        ({"status": "out_of_budget"}, "60t", "out_of_budget"),
        ({"status": "crashed", "used": None}, "1t", "crashed"),  # nobody knows when it would have broken
        ({"status": "unavailable", "used": None}, "1t", "unavailable"),
    ],
)
def test_what_an_attempt_says_about_a_smaller_budget(
    changes: dict[str, Any], budget: str, status: str
) -> None:
    run = parse_budgets("1000t")[0]
    view = under(record(**changes), parse_budgets(budget)[0], run)
    assert view.status.value == status


def test_a_proof_within_a_smaller_budget_took_no_more_tries_than_it_allows() -> None:
    # 64 siblings were handed over, of which the 50th was the proof; with 55 tries no more than 55 had been
    run = parse_budgets("1000t")[0]
    assert [under(record(), parse_budgets(text)[0], run).tries for text in ("50t", "55t", "99t")] == [
        50,
        55,
        64,
    ]


def test_the_median_of_a_project_is_of_what_was_attempted() -> None:
    budget = parse_budgets("1000t")[0]
    tally = Tally(budget, attempts=1)
    theorems = [record(theorem_id=id).as_theorem() for id in "tuv"]
    tally.plan(theorems, project="p")
    tally.add(under(record(seconds_total=4.0), budget, budget))
    (project,) = tally.result([1], by_project=True).projects
    assert (project.theorems, project.evaluated, project.seconds_median) == (3, 1, 4.0)
