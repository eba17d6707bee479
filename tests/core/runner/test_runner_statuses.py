"""How attempts end: each status by its own cause, and nothing taken for anything else."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from prover_core.builtin.fake import FakeEnvironment
from prover_core.builtin.scripted import ScriptedOptions, ScriptedPolicy
from prover_core.contracts import PolicyRequest, SearchResult, SearchStatus
from prover_core.contracts.events import TheoremStarted
from prover_core.errors import EnvironmentCrashedError, ToolMissingError
from prover_core.search import BestFirstSearch
from prover_core.store import AttemptStatus, RunStore
from prover_core.types import Budget, Limits, Proof, Span, Suggestion, Theorem, Verdict, VerdictStatus


def scripted(*tactics: str) -> ScriptedPolicy:
    return ScriptedPolicy(ScriptedOptions(tactics=tactics))


def test_proved_failed_and_out_of_budget(lab) -> None:
    summary = lab.run()
    records = lab.records()
    assert summary.attempts == 36 and summary.crashed == summary.unchecked == summary.rejected == 0
    proved = {name for name, record in records.items() if record.proved}
    provable = {t.name for t in lab.theorems() if t.metadata["provable"] == "true"}
    assert proved <= provable and len(proved) > 20
    assert records["falsum"].status is AttemptStatus.FAILED
    assert (
        records["and_or_distr"].status is AttemptStatus.OUT_OF_BUDGET
        and "tries" in records["and_or_distr"].detail
    )
    one = records["and_swap"]
    assert one.verdict is not None and one.verdict.status is VerdictStatus.PROVED and one.verdict.checker
    assert one.proof_text.startswith("theorem and_swap : a /\\ b -> b /\\ a.\n  intros.\n")
    assert one.tries > 0 and one.model_calls > 0 and one.nodes > 1 and one.attempt == 1 and one.retries == 0
    assert one.seconds_total >= one.seconds_open + one.seconds_verify
    assert lab.runner is not None and not lab.runner.stopped and lab.runner.problems == ()


def test_solved_in_the_stepping_engine_and_refused_by_the_check_is_rejected(lab) -> None:
    lab.run(lab.theorems("falsum,identity"), policy=scripted("cheat"))
    for record in lab.records().values():
        assert record.status is AttemptStatus.REJECTED
        assert record.verdict is not None and record.verdict.status is VerdictStatus.CHEATED
        assert record.proof == ("cheat.",) and "the check says cheated (cheat" in record.detail


class Checker(FakeEnvironment):
    """A fake prover whose checks are told what to say."""

    def __init__(self, *answers: Verdict | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.checks = 0

    def verify(
        self, theorem: Theorem, proof: Proof, limits: Limits, *, kernel_recheck: bool = False
    ) -> Verdict:
        self.checks += 1
        answer = self.answers[min(self.checks, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


BROKE = Verdict(VerdictStatus.MACHINERY_FAILED, log="coqc: out of memory")
FINE = Verdict(VerdictStatus.PROVED)


@pytest.mark.parametrize(
    ("answers", "status", "checks"),
    [
        ([FINE], "proved", 1),
        ([BROKE, FINE], "proved", 2),
        ([BROKE, BROKE], "unchecked", 2),
        ([EnvironmentCrashedError("died"), FINE], "proved", 2),
        ([EnvironmentCrashedError("died")], "unchecked", 2),
        ([ZeroDivisionError("a bug")], "unchecked", 1),
        ([ToolMissingError("coqc", needed_for="checking", install="apt")], "unchecked", 1),
        ([Verdict(VerdictStatus.UNCHECKED)], "unchecked", 1),
        ([Verdict(VerdictStatus.REJECTED)], "rejected", 1),
        ([Verdict(VerdictStatus.INCOMPLETE)], "rejected", 1),
        ([Verdict(VerdictStatus.CHEATED, forbidden=("ax",))], "rejected", 1),
    ],
)
def test_only_an_agreeing_check_is_proved_and_a_broken_one_is_unchecked(lab, answers, status, checks) -> None:
    environment = Checker(*answers)
    lab.run(lab.theorems("identity"), environment=environment)
    record = lab.records()["identity"]
    assert (record.status.value, environment.checks) == (status, checks)
    assert record.proof and record.proof_text  # a found proof is kept, whatever the check says
    positives = [row for row in RunStore.open(lab.path).trajectory_rows() if row.label == "positive"]
    assert bool(positives) == (status == "proved")


def test_kernel_recheck_is_passed_on(lab) -> None:
    lab.run(lab.theorems("identity"), kernel_recheck=True)
    verdict = lab.records()["identity"].verdict
    assert verdict is not None and verdict.kernel_rechecked is True


def test_a_theorem_that_cannot_be_opened_is_unavailable(lab, tmp_path: Path) -> None:
    broken = Theorem(id="x", name="x", prover="fake", statement="theorem x : (((.")
    missing = Theorem(
        id="y",
        name="y",
        prover="fake",
        statement="theorem y : a.",
        file=str(tmp_path / "no"),
        span=Span(0, 9),
    )
    lab.run([broken, *lab.theorems("identity"), missing])
    records = lab.records()
    assert [records[n].status.value for n in ("x", "y", "identity")] == [
        "unavailable",
        "unavailable",
        "proved",
    ]
    assert records["x"].error_class == "TheoremUnavailableError" and "cannot be opened" in records["x"].error
    assert records["x"].retries == 0


def test_a_prover_that_dies_is_tried_again_and_then_crashed(lab, fake) -> None:
    lab.run(lab.theorems("a*,i*"), environment=fake(crash_on_open="and_*"), crash_retries=2)
    for name, record in lab.records().items():
        if name.startswith("and_"):
            assert (record.status.value, record.retries) == ("crashed", 2)
            assert record.error_class == "EnvironmentCrashedError" and "-9" in record.error
        else:
            assert record.status is not AttemptStatus.CRASHED
    assert lab.log().count('"machinery_failed"') == 3 * 7


def test_a_prover_that_cannot_be_brought_back_while_searching(lab) -> None:
    lab.run(lab.theorems("identity"), policy=scripted("hopeless"), crash_retries=1)
    record = lab.records()["identity"]
    assert (record.status.value, record.retries) == ("crashed", 1)
    assert record.error_class == "EnvironmentCrashedError"


class DiesOnce(FakeEnvironment):
    """Dies at each theorem's first opening."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def open(self, theorem: Theorem, limits: Limits):
        if theorem.id not in self.seen:
            self.seen.add(theorem.id)
            message = "killed"
            raise EnvironmentCrashedError(message, returncode=-9)
        return super().open(theorem, limits)


def test_a_crash_that_does_not_come_again_leaves_no_trace_but_the_count(lab) -> None:
    lab.run(environment=DiesOnce(), workers=3)
    with_crash = lab.records()
    assert {record.retries for record in with_crash.values()} == {1}
    assert not any(record.status is AttemptStatus.CRASHED for record in with_crash.values())
    rows = list(RunStore.open(lab.path).trajectory_rows())
    assert len(rows) == sum(record.tries for record in with_crash.values())


def test_prover_crashes_that_the_session_mends_are_counted(lab, fake) -> None:
    summary = lab.run(lab.theorems("and_*,or_*"), environment=fake(crash_every=7))
    assert summary.restarts > 10 and summary.crashed == 0 and summary.proved >= 8


class Buggy(BestFirstSearch):
    def run(self, session, suggest, budget, observer) -> SearchResult:
        if "->" not in str(session.root.goals):
            message = "a bug of ours"
            raise KeyError(message)
        return super().run(session, suggest, budget, observer)


def test_a_bug_is_a_crash_with_a_traceback_and_the_run_goes_on(lab) -> None:
    summary = lab.run(search=Buggy(), workers=2)
    assert summary.attempts == 36 and 1 < summary.crashed < 10 and summary.proved > 15
    record = lab.records()["falsum"]
    assert (record.error_class, record.retries) == ("KeyError", 0)
    assert "Traceback" in lab.log() and "a bug of ours" in lab.log()


def test_a_policy_that_fails_is_a_crash_and_no_failed_proof(lab) -> None:
    policy = ScriptedPolicy(ScriptedOptions(tactics=("intros.",), fail_after=0))
    summary = lab.run(lab.theorems("and_*"), policy=policy)
    assert summary.crashed == 7 == summary.attempts and summary.failed == 0
    assert {record.error_class for record in lab.records().values()} == {"PolicyFailedError"}


def test_a_policy_with_a_wrong_shape(lab) -> None:
    class Nothing(ScriptedPolicy):
        def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
            return []

    lab.run(lab.theorems("identity"), policy=Nothing())
    assert "0 lists for 1 requests" in lab.records()["identity"].error


def test_a_missing_prover_ends_the_run_with_the_install_line(lab, fake) -> None:
    with pytest.raises(ToolMissingError, match="To get it: leave out"):
        lab.run(environment=fake(installed=False), workers=3)
    assert lab.records() == {}
    lab.run(lab.theorems("identity"))
    assert lab.records()["identity"].proved


def test_a_run_in_which_everything_crashes_is_given_up(lab, fake) -> None:
    theorems = lab.theorems("a*,i*", copies=4)
    summary = lab.run(
        theorems, environment=fake(crash_on_open="*"), crash_retries=0, give_up_after=10, workers=3
    )
    assert 10 <= summary.crashed < 20 and summary.not_attempted == len(theorems) - summary.crashed
    assert lab.runner.stopped
    (problem,) = lab.runner.problems
    assert "10 attempts in a row crashed, the last with EnvironmentCrashedError" in problem
    summary = lab.run(theorems, retry=frozenset({AttemptStatus.CRASHED}))
    assert summary.crashed == 0 and summary.not_attempted == 0


class OnlyMachinery(BestFirstSearch):
    """Says that the prover broke under all, or some, of its tries."""

    broken = 5

    def run(self, session, suggest, budget, observer) -> SearchResult:
        return SearchResult(SearchStatus.EXHAUSTED, tries=5, machinery=self.broken)


def test_an_exhausted_search_in_which_everything_broke_is_no_failed_proof(lab) -> None:
    lab.run(lab.theorems("identity"), search=OnlyMachinery())
    assert lab.records()["identity"].status is AttemptStatus.CRASHED
    OnlyMachinery.broken = 4
    lab.run(lab.theorems("identity"), search=OnlyMachinery(), retry=frozenset({AttemptStatus.CRASHED}))
    record = lab.records()["identity"]
    assert (record.status, record.machinery) == (AttemptStatus.FAILED, 4)


class BadGoodbye(FakeEnvironment):
    """Its sessions cannot be closed, and its proofs cannot be printed."""

    def open(self, theorem: Theorem, limits: Limits):
        session = super().open(theorem, limits)

        def close() -> None:
            message = "pipe is gone"
            raise EnvironmentCrashedError(message)

        session.close = close
        return session

    def render(self, theorem: Theorem, proof: Proof) -> str:
        message = "no printer"
        raise ValueError(message)


def test_a_found_proof_is_not_lost_to_a_broken_close_or_printer(lab) -> None:
    lab.run(lab.theorems("identity"), environment=BadGoodbye())
    record = lab.records()["identity"]
    assert record.proved and record.proof_text == "intros.\ntrivial."
    assert "session_close_failed" in lab.log() and "render_failed" in lab.log()


def test_times_are_accounted_apart(lab, fake) -> None:
    policy = ScriptedPolicy(ScriptedOptions(delay_ms=30))
    lab.run(lab.theorems("identity"), environment=fake(latency_ms=10, open_ms=80), policy=policy)
    record = lab.records()["identity"]
    assert record.seconds_open >= 0.08
    assert record.seconds_env >= 0.01 * record.tries * 0.9
    assert record.seconds_model >= 0.03 * record.model_calls * 0.9
    parts = record.seconds_open + record.seconds_env + record.seconds_model + record.seconds_verify
    assert parts <= record.seconds_total + 0.01


class SlowPremises(FakeEnvironment):
    def open(self, theorem: Theorem, limits: Limits):
        session = super().open(theorem, limits)
        original = session.premises

        def premises(state, limit: int = 50):
            time.sleep(0.05)
            return original(state, limit)[:limit]

        session.premises = premises
        return session


class WantsPremises(ScriptedPolicy):
    """Plays what applies an earlier theorem."""

    def bind(self, environment) -> None:
        self.wants_premises = True
        self.seen: list[int] = []

    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        self.seen += [len(request.premises) for request in requests]
        return [[Suggestion(f"exact {premise.name}") for premise in r.premises][:k] for r in requests]


@pytest.mark.parametrize("limit", [50, 1])
def test_premises_are_asked_for_and_count_as_prover_time(lab, limit: int) -> None:
    preamble = "theorem other : b -> b. theorem lemma : a -> a."
    theorem = FakeEnvironment().theorem("a -> a", name="again", preamble=preamble)
    policy = WantsPremises()
    lab.run([theorem], environment=SlowPremises(), policy=policy, premises=limit)
    record = lab.records()["again"]
    assert policy.seen[0] == min(limit, 2)
    assert record.seconds_env >= 0.05 and record.seconds_model < 0.05


def test_several_attempts_at_each_theorem(lab) -> None:
    summary = lab.run(lab.theorems("and_*"), attempts=3, workers=2)
    assert (summary.attempts, summary.theorems, summary.theorems_proved) == (21, 7, 6)
    keys = [record.key for record in RunStore.open(lab.path).records()]
    assert len(set(keys)) == 21 and {attempt for _, attempt in keys} == {1, 2, 3}


def test_of_theorems_with_one_id_the_first_is_attempted_and_it_is_said(lab) -> None:
    first, second = lab.theorems("identity,falsum")
    twin = dataclasses.replace(second, id=first.id)
    summary = lab.run([first, twin, second])
    assert (summary.attempts, summary.proved) == (2, 1)
    assert lab.recorder.events[0].theorems == 2 and not lab.runner.stopped
    assert lab.runner.problems == (
        "1 theorems have the id of another one before them; only the first was attempted",
    )


def test_theorems_are_begun_in_their_order(lab) -> None:
    lab.run()
    order = [e.theorem.id for e in lab.recorder.events if isinstance(e, TheoremStarted)]
    assert order == [t.id for t in lab.theorems()]


def test_a_time_budget_ends_an_attempt(lab, fake) -> None:
    lab.run(lab.theorems("and_or_distr"), environment=fake(latency_ms=20), budget=Budget(seconds=0.2))
    record = lab.records()["and_or_distr"]
    assert record.status is AttemptStatus.OUT_OF_BUDGET and 0.2 <= record.seconds_total < 2


def test_one_worker_walks_through_a_file(lab, in_file) -> None:
    seen: dict[str, set[int]] = {}
    order: list[str] = []

    class Watches(FakeEnvironment):
        def open(self, theorem: Theorem, limits: Limits):
            seen.setdefault(theorem.metadata["area"], set()).add(threading.get_ident())
            order.append(theorem.id)
            time.sleep(0.002)
            return super().open(dataclasses.replace(theorem, file=None), limits)

    theorems = [
        dataclasses.replace(t, file=f"{n % 4}.v", metadata={"area": str(n % 4)}, preamble="")
        for n, t in enumerate(lab.theorems("and_*,or_*,i*,c*"))
    ]
    lab.run(theorems, environment=Watches(), workers=4, budget=Budget(tries=5))
    first = {
        area: [i for i in order if i in {t.id for t in theorems if t.file == f"{area}.v"}] for area in "0123"
    }
    for area, ids in first.items():
        expected = [t.id for t in theorems if t.file == f"{area}.v"]
        assert sorted(ids) == sorted(expected)
        assert ids[0] == expected[0]
    assert len(seen) == 4 and all(len(workers) <= 2 for workers in seen.values())
