"""A run in numbers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover_core.store import AttemptRecord, AttemptStatus, RunStore, summarise
from prover_core.store.summary import area_of, summarise_records, summary_schema, wilson_interval


def test_counts_and_times_add_up(store: RunStore, make_record) -> None:
    verdict = {"status": "proved", "axioms": ["classic"]}
    store.append(make_record(0, verdict=verdict, tries=10, seconds_env=1.0, seconds_total=4.0, restarts=1))
    store.append(make_record(1, verdict={"status": "proved"}, tries=30, seconds_env=3.0, seconds_total=6.0))
    store.append(make_record(2, AttemptStatus.FAILED, tries=40, seconds_env=4.0, seconds_model=2.5))
    for n, status in enumerate(AttemptStatus, start=3):
        if status not in (AttemptStatus.PROVED, AttemptStatus.FAILED):
            store.append(make_record(n, status))
    summary = summarise(store)
    assert summary.model_dump(include={s.value for s in AttemptStatus}) == {
        "proved": 2,
        "failed": 1,
        "out_of_budget": 1,
        "rejected": 1,
        "unchecked": 1,
        "crashed": 1,
        "unavailable": 1,
    }
    assert (summary.theorems, summary.attempts, summary.not_attempted) == (10, 8, 2)
    assert (summary.conclusive, summary.rate) == (5, 0.4)
    assert summary.tries == 80 and summary.tries_per_second == 10.0
    assert (summary.seconds_env, summary.seconds_model, summary.restarts) == (8.0, 2.5, 1)
    assert summary.median_seconds_proved == 5.0
    assert summary.axioms == {"classic": 1} and summary.proved_without_axioms == 1
    assert [(a.area, a.theorems, a.proved) for a in summary.areas] == [("Arith", 8, 2)]
    assert json.loads(summary.model_dump_json())["schema_version"] == 1
    assert summary_schema()["properties"].keys() == summary.model_dump().keys()


def test_a_crash_is_not_a_failed_proof(store: RunStore, make_record) -> None:
    store.append(make_record(1))
    for n, status in enumerate(
        [AttemptStatus.CRASHED, AttemptStatus.UNCHECKED, AttemptStatus.UNAVAILABLE], 2
    ):
        store.append(make_record(n, status))
    assert summarise(store).rate == 1.0


def test_a_run_without_results(store: RunStore) -> None:
    summary = summarise(store)
    assert (summary.attempts, summary.not_attempted, summary.rate) == (0, 10, 0.0)
    assert (summary.rate_low, summary.rate_high) == (0.0, 1.0)
    assert summary.median_seconds_proved is None and summary.tries_per_second == 0.0


def test_several_attempts_at_a_theorem(store: RunStore, make_record) -> None:
    store.append(make_record(1, AttemptStatus.FAILED, attempt=1))
    store.append(make_record(1, AttemptStatus.PROVED, attempt=2))
    store.append(make_record(1, AttemptStatus.PROVED, attempt=3))
    summary = summarise(store)
    assert (summary.attempts, summary.proved, summary.theorems_proved, summary.not_attempted) == (3, 2, 1, 9)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_against_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-4)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_rate(case: tuple[int, int]) -> None:
    successes, trials = case
    low, high = wilson_interval(successes, trials)
    assert 0.0 <= low <= successes / trials <= high <= 1.0
    assert low < high


@pytest.mark.parametrize(
    ("fields", "area"),
    [
        ({"theorem_id": "Arith/Plus.v:plus_comm"}, "Arith"),
        ({"theorem_id": "Numbers/Natural/Abstract/NAdd.v:add_0"}, "Numbers/Natural/Abstract"),
        ({"theorem_id": "Arith/Plus.v:plus_comm", "metadata": {"area": "mine"}}, "mine"),
        ({"theorem_id": "Plus.v:plus_comm", "project": "CompCert"}, "CompCert"),
        ({"theorem_id": "/home/me/x.v:t", "project": "mine"}, "mine"),
        ({"theorem_id": "t"}, "(none)"),
    ],
)
def test_areas(make_record, fields: dict[str, object], area: str) -> None:
    assert area_of(make_record(1, **fields)) == area


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.booleans()), max_size=30))
def test_a_theorem_counts_once_where_its_last_attempt_puts_it(attempts: list[tuple[int, str, bool]]) -> None:
    records = [
        AttemptRecord(
            uid=str(n),
            theorem_id=f"t{theorem}",
            name="t",
            statement="s",
            attempt=n,
            status=AttemptStatus.PROVED if proved else AttemptStatus.FAILED,
            metadata={"area": area},
            started_at="",
        )
        for n, (theorem, area, proved) in enumerate(attempts)
    ]
    summary = summarise_records(records, run_dir="", theorems=3)
    area_of_theorem = {theorem: area for theorem, area, _ in attempts}
    proved_theorems = {theorem for theorem, _, proved in attempts if proved}
    assert summary.theorems == max(3, len(area_of_theorem))
    assert summary.not_attempted == max(0, 3 - len(area_of_theorem))
    assert summary.theorems_proved == len(proved_theorems)
    assert {area.area: (area.theorems, area.proved) for area in summary.areas} == {
        area: (
            sum(found == area for found in area_of_theorem.values()),
            sum(area_of_theorem[theorem] == area for theorem in proved_theorems),
        )
        for area in area_of_theorem.values()
    }
