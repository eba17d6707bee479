"""The kit is worth something only if it fails: each of its tests, on a component that breaks its rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from contracts import broken as b
from contracts import broken_components as c
from contracts.examples import FakeExamples

from prover_core.builtin.fake import FakeEnvironment, FakeSource
from prover_core.builtin.scripted import ScriptedPolicy
from prover_core.contracts import DataSource, Policy, ProofEnvironment, Search, Value
from prover_core.search.depth_first import DepthFirstSearch
from prover_core.testing import (
    DataSourceContract,
    EnvironmentContract,
    PolicyContract,
    SearchContract,
    ValueContract,
)


class OnEnvironment(FakeExamples, EnvironmentContract):
    """The environment kit on whatever is put into ``make``."""

    make: ClassVar[Callable[[], ProofEnvironment]]
    gone_within_s = 0.3

    def make_environment(self) -> ProofEnvironment:
        return type(self).make()

    def make_uninstalled(self) -> ProofEnvironment | None:
        return b.WorksUninstalled()


class OnPolicy(PolicyContract):
    make: ClassVar[Callable[[], Policy]]
    example = FakeExamples.provable

    def make_policy(self) -> Policy:
        return type(self).make()

    def make_environment(self) -> ProofEnvironment:
        return FakeEnvironment()


class OnValue(ValueContract):
    make: ClassVar[Callable[[], Value]]
    example = FakeExamples.provable

    def make_value(self) -> Value:
        return type(self).make()

    def make_environment(self) -> ProofEnvironment:
        return FakeEnvironment()


class OnSource(DataSourceContract):
    make: ClassVar[Callable[[], DataSource]]

    def make_source(self) -> DataSource:
        return type(self).make()

    def make_environment(self) -> ProofEnvironment:
        return FakeEnvironment()

    def make_broken(self) -> DataSource:
        return c.IsEmptyWhenBroken()


class OnSearch(SearchContract):
    make: ClassVar[Callable[[], Search]]

    def make_search(self) -> Search:
        return type(self).make()


def session(broken: type[b.FakeSession]) -> Callable[[], ProofEnvironment]:
    return b.with_session(broken)


ENVIRONMENTS: dict[str, tuple[Callable[[], ProofEnvironment], str]] = {
    "test_steps_to_a_solved_state": (session(b.NeverSolves), "should solve"),
    "test_outcomes_carry_their_time": (session(b.InventsTimes), "seconds"),
    "test_rejected_tactic_leaves_everything_as_it_was": (session(b.RejectsInSilence), "says why"),
    "test_parse_error_is_told_from_failure": (session(b.ParseErrorsAreFailures), "PARSE"),
    "test_forbidden_tactics_never_run": (session(b.RunsCommands), "axiom h : False.' ran"),
    "test_given_up_goals_are_not_solved": (session(b.GivenUpIsSolved), "'give_up' does not prove"),
    "test_states_are_stepped_from_in_any_order": (session(b.OnlyGoesForward), "from state"),
    "test_replay_gives_the_same_states": (session(b.LosesTheScript), r"\("),
    "test_siblings_are_what_single_steps_give": (session(b.ChainsSiblings), "'intros h'"),
    "test_children_of_siblings_can_be_stepped": (session(b.SiblingsLeadNowhere), "should be accepted"),
    "test_terminator_is_optional": (session(b.WantsNoTerminator), "Rejected"),
    "test_equal_states_have_equal_fingerprints": (session(b.NumbersItsGoals), "two_routes"),
    "test_goals_are_structured": (session(b.GoalsAreText), "a /"),
    "test_unknown_state_is_an_error": (session(b.TakesAnyState), "DID NOT RAISE"),
    "test_two_sessions_do_not_disturb_each_other": (session(b.SharesItsState), "that state is gone"),
    "test_focus": (session(b.LeavesGoalsOpen), "left an open goal"),
    "test_unicode": (session(b.KnowsOnlyAscii), "should be accepted"),
    "test_huge_tactic": (session(b.ChokesOnLength), "the pipe is full"),
    "test_time_limit_is_kept": (session(b.CallsTimeOutsFailures), "should time out"),
    "test_theorem_that_cannot_be_opened": (b.CrashesOnBrokenFiles, "cannot be opened"),
    "test_what_is_no_statement": (b.TakesAnyStatement, "DID NOT RAISE"),
    "test_theorems_of_a_file": (b.ReversesFiles, "four.b"),
    "test_premises_are_what_stands_before": (session(b.OffersTheTheoremItself), "stand at or after one"),
    "test_right_proof_is_proved": (b.SaysNothingOfTheStatement, "statement_unchanged"),
    "test_wrong_proofs_are_not_proved": (b.BelievesEverything, "does not prove"),
    "test_cheats_are_not_proved": (b.TrustsTheSteppingEngine, "the cheating tactic, after honest work"),
    "test_changed_statement_is_not_proved": (b.LooksOnlyAtTheEnd, "PROVED"),
    "test_solved_is_not_a_verdict": (b.IncompleteIsEnough, "'give_up'"),
    "test_a_check_without_time_is_no_verdict": (b.FailureIsRejection, "ran out of time"),
    "test_whole_proofs": (b.SkipsTexts, "proved"),
    "test_axioms_are_listed": (b.ListsNoAxioms, "classic"),
    "test_kernel_recheck": (b.ClaimsToHaveRechecked, "None"),
    "test_rendered_proof_is_what_was_proved": (b.RendersHalf, "'destruct h.' is missing"),
    "test_unopened_theorem_is_no_failed_proof": (b.FailureIsRejection, "the preamble is broken"),
    "test_toolchain_is_named": (b.HasNoVersion, "not a version"),
    "test_missing_prover_is_said_with_the_command": (FakeEnvironment, "DID NOT RAISE"),
    "test_nothing_survives_close": (b.LeavesAProcess, r"survived close\(\)"),
    "test_nothing_survives_an_exception": (b.ForgetsOpenSessions, "survived an exception"),
    "test_killed_prover_is_brought_back": (
        b.with_process_session(b.ForgetsThePath),
        "Rejected|fingerprint|goals",
    ),
    "test_killed_again_under_the_same_tactic_is_a_crash": (
        b.with_process_session(b.DeathIsRejection),
        "killed 1 times|Crashed",
    ),
    "test_killed_check_is_no_verdict": (b.DeadCheckerRefuses, "REJECTED"),
    "test_killed_while_opening_is_an_error_of_the_machinery": (b.DeathIsBadFile, "killed by SIGKILL"),
    "test_memory_limit": (b.ClaimsLimits, "no process runs under"),
    "test_sandbox": (b.ClaimsLimits, "cut off from the network"),
}
IN_PROCESSES = {b.ForgetsOpenSessions, b.DeadCheckerRefuses, b.DeathIsBadFile, b.ClaimsLimits}

POLICIES: dict[str, tuple[Callable[[], Policy], str]] = {
    "test_one_answer_for_each_request": (c.AnswersOnce, "1 == 6"),
    "test_at_most_so_many_best_first_none_twice": (c.RepeatsItself, "a tactic twice"),
    "test_proposals_are_well_formed": (c.GivesScores, "6.9"),
    "test_same_questions_same_answers": (c.ChangesItsMind, "exact h"),
    "test_fewer_are_the_best_of_more": (c.AnswersAllOrNothing, "0"),
    "test_states_are_left_alone": (c.ClearsGoals, "assert"),
    "test_close_twice": (c.ClosesOnce, "closed already"),
}
VALUES: dict[str, tuple[Callable[[], Value], str]] = {
    "test_one_number_for_each_request": (c.JudgesByPlace, "one by one"),
    "test_numbers_are_log_probabilities": (c.GivesEnergies, "3.5|4.5"),
    "test_same_questions_same_values": (c.IsMoody, "=="),
    "test_states_stay_as_they_are": (c.TidiesStates, "assert"),
    "test_value_closes_twice": (c.ValueClosesOnce, "closed already"),
}
SOURCES: dict[str, tuple[Callable[[], DataSource], str]] = {
    "test_ids_are_unique_and_order_is_stable": (c.ShufflesIds, "a second pass differs"),
    "test_theorems_are_complete": (c.HidesStatements, "statement"),
    "test_description": (c.Miscounts, "7"),
    "test_theorems_can_be_opened": (c.GivesTheProved, "cannot be opened"),
    "test_broken_source_is_said": (FakeSource, "DID NOT RAISE"),
}
SEARCHES: dict[str, tuple[Callable[[], Search], str]] = {
    "test_finds_a_proof": (c.ClaimsShortPaths, "path"),
    "test_budget_of_tries": (c.OverdrawsTries, "<= 1"),
    "test_budget_of_time": (c.ForgetsTheTime, "2.0"),
    "test_budget_of_model_calls": (c.OverdrawsCalls, "<= 4"),
    "test_nothing_left_is_exhausted": (c.CallsItBudget, "OUT_OF_BUDGET"),
    "test_loops_end": (c.GoesRound, "OUT_OF_BUDGET"),
    "test_stops_when_asked": (c.DoesNotListen, "FOUND|OUT_OF_BUDGET|EXHAUSTED"),
    "test_hanging_tactic_does_not_outlast_the_budget": (c.WaitsForHangs, "2.5"),
    "test_trouble_is_tried_like_anything_else": (c.GivesUpOnTrouble, "the prover crashed"),
    "test_errors_of_the_machinery_pass_through": (c.SwallowsErrors, "DID NOT RAISE"),
    "test_runs_do_not_mix": (c.Remembers, "None"),
    "test_observer_sees_every_try": (c.NamesNoNodes, "100"),
}
KITS: list[tuple[type[Any], dict[str, tuple[Callable[[], Any], str]]]] = [
    (OnEnvironment, ENVIRONMENTS),
    (OnPolicy, POLICIES),
    (OnValue, VALUES),
    (OnSource, SOURCES),
    (OnSearch, SEARCHES),
]
CASES = [(kit, name, *table[name]) for kit, table in KITS for name in table]


@pytest.fixture(autouse=True)
def _clean_up() -> Iterator[None]:
    yield
    b.clean_up()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("kit", "name", "make", "message"), CASES, ids=[case[1] for case in CASES])
def test_a_broken_rule_is_caught(kit: type[Any], name: str, make: Callable[[], Any], message: str) -> None:
    processes = make in IN_PROCESSES or "killed" in name or make is b.LeavesAProcess
    subject = type("Subject", (kit,), {"make": staticmethod(make), "has_processes": processes})()
    if name == "test_memory_limit":
        type(subject).memory_tactic = "oom"
    try:
        getattr(subject, name)()
    except pytest.skip.Exception as skipped:
        pytest.fail(f"{name} was skipped: {skipped}")
    except BaseException as error:  # noqa: BLE001 - whatever the kit's test fails with
        found = f"{type(error).__name__}: {error}"
    else:
        pytest.fail(f"{name} passes on {make}")
    assert re.search(message, found), f"fails, but says only: {found}"


@pytest.mark.parametrize(("kit", "table"), KITS, ids=[kit.__name__ for kit, _ in KITS])
def test_every_test_of_the_kit_is_seen_to_fail(kit: type[Any], table: dict[str, object]) -> None:
    tests = {name for name in dir(kit) if name.startswith("test_")}
    assert tests - {"test_overridden_tests_say_why"} == set(table)


def test_every_test_of_the_kit_says_what_to_do() -> None:
    for kit, table in KITS:
        for name in [*table, "test_overridden_tests_say_why"]:
            text = getattr(kit, name).__doc__ or ""
            assert "Troubleshooting:" in text, f"{kit.__name__}.{name}"


class TestOverriding:
    """A kit's test is not switched off in silence."""

    def test_silent_override_fails(self) -> None:
        class Silent(OnSearch):
            make = DepthFirstSearch

            def test_loops_end(self) -> None:
                """Does not matter for us."""

        with pytest.raises(pytest.fail.Exception, match=r"overrides test_loops_end without saying why"):
            Silent().test_overridden_tests_say_why()

    def test_deleted_test_fails(self) -> None:
        class Deleting(OnSearch):
            make = DepthFirstSearch
            test_loops_end = None  # type: ignore[assignment]

        with pytest.raises(pytest.fail.Exception, match="test_loops_end"):
            Deleting().test_overridden_tests_say_why()

    def test_xfail_without_reason_fails(self) -> None:
        class Mute(OnSearch):
            make = DepthFirstSearch

            @pytest.mark.xfail
            def test_loops_end(self) -> None:
                """Does not matter for us."""

        with pytest.raises(pytest.fail.Exception, match="test_loops_end"):
            Mute().test_overridden_tests_say_why()

    def test_xfail_with_reason_is_fine(self) -> None:
        class Honest(OnSearch):
            make = DepthFirstSearch

            @pytest.mark.xfail(reason="loops are bounded by the budget only")
            def test_loops_end(self) -> None:
                super().test_loops_end()

        Honest().test_overridden_tests_say_why()


def test_a_declared_capability_needs_its_example() -> None:
    class Boasting(FakeExamples, EnvironmentContract):
        axiomatic = None
        hanging_tactic = None

        def make_environment(self) -> ProofEnvironment:
            return FakeEnvironment()

    with pytest.raises(pytest.fail.Exception, match="axiomatic"):
        Boasting().test_axioms_are_listed()
    with pytest.raises(pytest.fail.Exception, match="hanging_tactic"):
        Boasting().test_time_limit_is_kept()


def test_the_policy_and_source_used_here_are_sound() -> None:
    """The same kits pass on what the broken ones are made from."""
    sound = type("Sound", (OnPolicy,), {"make": staticmethod(ScriptedPolicy)})()
    for name in POLICIES:
        getattr(sound, name)()
    judge = type("Judge", (OnValue,), {"make": staticmethod(c.CountsGoals)})()
    for name in VALUES:
        getattr(judge, name)()


def test_a_value_that_leaves_states_out_is_caught() -> None:
    subject = type("Subject", (OnValue,), {"make": staticmethod(c.JudgesOnce)})()
    with pytest.raises(AssertionError, match="1 == 6"):
        subject.test_one_number_for_each_request()
