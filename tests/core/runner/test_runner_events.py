"""What observers are told, in which order; and that a broken one does no harm."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from prover_core.contracts.events import (
    Event,
    ProofFound,
    RunEnded,
    RunObserver,
    RunStarted,
    TheoremDone,
    TheoremStarted,
    WorkerProgress,
)
from prover_core.store import RunStore
from prover_core.types import Budget


def test_the_story_of_a_run(lab) -> None:
    lab.run(workers=4)
    events = lab.recorder.events
    assert lab.recorder.overlaps == 0
    assert isinstance(events[0], RunStarted) and isinstance(events[-1], RunEnded)
    assert (events[0].theorems, events[0].already_done, events[0].workers) == (36, 0, 4)
    assert (events[0].environment, events[0].search) == ("fake", "BestFirstSearch")
    done = [e for e in events if isinstance(e, TheoremDone)]
    assert sorted(e.theorem.id for e in done) == sorted(t.id for t in lab.theorems())
    for end in done:
        at = events.index(end)
        begun = [e for e in events[:at] if isinstance(e, TheoremStarted) and e.theorem == end.theorem]
        assert [e.worker for e in begun] == [end.worker]
        found = isinstance(events[at - 1], ProofFound) and events[at - 1].theorem == end.theorem
        assert found == (end.status == "proved") == bool(end.proof)
    ended = events[-1]
    assert ended.counts == Counter(e.status for e in done)
    assert not ended.stopped and ended.reason == ""


def test_a_theorem_is_on_disk_when_its_end_is_told(lab) -> None:
    missing: list[str] = []

    class Checks(RunObserver):
        def on_event(self, event: Event) -> None:
            if isinstance(event, TheoremDone):
                recorded = {record.theorem_id for record in RunStore.open(lab.path).records()}
                if event.theorem.id not in recorded:
                    missing.append(event.theorem.id)

    lab.run(lab.theorems("a*,i*"), observers=[Checks()], workers=3)
    assert missing == []


def test_progress_comes_a_few_times_a_second(lab, fake) -> None:
    began = time.monotonic()
    lab.run(lab.theorems("and_or_distr"), environment=fake(latency_ms=5), budget=Budget(seconds=1.2))
    seconds = time.monotonic() - began
    progress = [e for e in lab.recorder.events if isinstance(e, WorkerProgress)]
    assert 4 <= len(progress) <= 4 * seconds + 3
    assert progress[0].phase == "opening" and progress[-1].phase == "searching"
    assert progress[-1].tries > 50 and progress[-1].seconds > 0.8
    assert [e.tries for e in progress] == sorted(e.tries for e in progress)


@pytest.mark.parametrize("kind", [RunStarted, WorkerProgress, ProofFound, TheoremDone, RunEnded])
def test_an_observer_that_raises_is_dropped_and_reported_once(lab, kind: type) -> None:
    told: list[Event] = []

    class Broken(RunObserver):
        def on_event(self, event: Event) -> None:
            told.append(event)
            if isinstance(event, kind):
                message = "display is gone"
                raise BrokenPipeError(message)

    summary = lab.run(observers=[Broken()], workers=3)
    assert summary.attempts == 36
    assert sum(isinstance(event, kind) for event in told) == 1 and isinstance(told[-1], kind)
    assert isinstance(lab.recorder.events[-1], RunEnded)  # the other one heard everything
    (problem,) = lab.runner.problems
    assert "Broken raised BrokenPipeError: display is gone" in problem and kind.__name__ in problem
    assert lab.log().count('"observer_dropped"') == 1


def test_a_run_with_nothing_left_says_so(lab) -> None:
    theorems = lab.theorems("identity")
    lab.run(theorems)
    lab.recorder.events.clear()
    summary = lab.run(theorems)
    start, end = lab.recorder.events
    assert (start.theorems, start.already_done) == (0, 1)
    assert end.counts == {"proved": 1} and not end.stopped
    assert summary.proved == 1
