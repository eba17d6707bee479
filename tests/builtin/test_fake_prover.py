"""The fake prover: its logic is sound, and its two halves agree with each other."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prover_core.builtin.fake import FakeEnvironment, FakeOptions, FakePortfolio, FakeSource
from prover_core.builtin.fake_checker import CheckBroke, NotAProof, check_proof, is_tautology
from prover_core.builtin.fake_language import (
    TacticError,
    parse_preamble,
    parse_statement,
    parse_tactic,
    split_sentences,
)
from prover_core.builtin.logic import (
    And,
    Atom,
    Constant,
    Formula,
    FormulaError,
    Implies,
    Or,
    parse_formula,
    show,
)
from prover_core.contracts import PolicyRequest, ProofSession
from prover_core.errors import (
    ContractError,
    DataError,
    EnvironmentCrashedError,
    TheoremUnavailableError,
    ToolMissingError,
)
from prover_core.types import (
    Advanced,
    Crashed,
    Limits,
    Outcome,
    OutOfMemory,
    Proof,
    Rejected,
    Solved,
    Theorem,
    TimedOut,
    VerdictStatus,
)

LIMITS = Limits(verify_timeout_s=20)
FORMULAS = st.recursive(
    st.sampled_from([Atom("a"), Atom("b"), Atom("β"), Constant(True), Constant(False)]),
    lambda inner: (
        st.builds(Implies, inner, inner) | st.builds(And, inner, inner) | st.builds(Or, inner, inner)
    ),
    max_leaves=8,
)
TACTICS = (
    "trivial assumption intros intro split left right exfalso idtac give_up shelve flaky",
    "destruct h; destruct h1; apply h; apply h1; exact h; clear h; have k : a -> b; classical a; destruct k",
)
SCRIPT = st.lists(
    st.sampled_from([*TACTICS[0].split(), *(tactic.strip() for tactic in TACTICS[1].split(";"))]), max_size=9
)


def far() -> float:
    return time.monotonic() + 20


def run(session: ProofSession, script: list[str]) -> Outcome:
    state, outcome = session.root, None
    for tactic in script:
        outcome = session.step(state, tactic, 5.0)
        if not isinstance(outcome, Advanced | Solved):
            return outcome
        state = outcome.state
    return outcome or Rejected("nothing was tried")


@given(FORMULAS)
def test_what_is_shown_is_what_was_read(formula: Formula) -> None:
    assert parse_formula(show(formula)) == formula


@given(st.text(max_size=40) | st.text("ab~()<->/\\ .:→∧", max_size=40))
def test_no_text_breaks_the_readers(text: str) -> None:
    for reader, error in (
        (parse_formula, FormulaError),
        (parse_statement, FormulaError),
        (parse_preamble, FormulaError),
        (parse_tactic, TacticError),
    ):
        try:
            reader(text)
        except error as caught:
            assert str(caught)


@pytest.mark.parametrize(
    "text", ["(" * 5000 + "a" + ")" * 5000, "~" * 9000 + "a", "a -> " * 3000 + "a", "a" * 20_000]
)
def test_no_size_breaks_the_reader(text: str) -> None:
    with pytest.raises(FormulaError, match=r"deep|long"):
        parse_formula(text)


@settings(max_examples=300, deadline=None)
@given(FORMULAS, SCRIPT)
def test_stepping_and_checking_agree(formula: Formula, script: list[str]) -> None:
    environment = FakeEnvironment()
    theorem = environment.theorem(show(formula), name="t")
    with environment.open(theorem, LIMITS) as session:
        outcome = run(session, script)
    verdict = environment.verify(theorem, Proof(tuple(script)), LIMITS)
    assert isinstance(outcome, Solved) == verdict.proved, f"{outcome} / {verdict}"
    if verdict.proved and not verdict.axioms:
        assert is_tautology(formula, {})


@settings(max_examples=60, deadline=None)
@given(FORMULAS, st.randoms(use_true_random=False))
def test_proofs_found_at_random_are_proofs(formula: Formula, random: Random) -> None:
    environment = FakeEnvironment()
    theorem = environment.theorem(show(formula), name="t")
    with environment.open(theorem, LIMITS) as session:
        state = session.root
        for _ in range(15):
            proposed = [s.tactic for s in FakePortfolio().propose(PolicyRequest(theorem, state))]
            random.shuffle(proposed)
            for outcome in session.try_tactics(state, proposed, 5.0):
                if isinstance(outcome, Solved):
                    verdict = environment.verify(theorem, Proof(session.script(outcome.state)), LIMITS)
                    assert verdict.proved, verdict
                    assert is_tautology(formula, {}), "a proof of what is not true"
                    return
                if isinstance(outcome, Advanced):
                    state = outcome.state
                    break


@pytest.mark.parametrize("theorem", list(FakeSource().theorems()), ids=lambda theorem: theorem.name)
def test_builtin_theorems_are_provable_as_they_say(theorem: Theorem) -> None:
    environment = FakeEnvironment()
    provable = theorem.metadata["provable"] == "true"
    with environment.open(theorem, LIMITS) as session:
        seen, waiting, found = {session.root.fingerprint}, [session.root], None
        for state in waiting:
            for suggestion in FakePortfolio().propose(PolicyRequest(theorem, state)):
                outcome = session.step(state, suggestion.tactic, 1.0)
                if isinstance(outcome, Solved):
                    found = session.script(outcome.state)
                elif isinstance(outcome, Advanced) and outcome.state.fingerprint not in seen:
                    seen.add(outcome.state.fingerprint)
                    waiting.append(outcome.state)
            if found or len(waiting) > 150:
                break
        assert (found is not None) == provable
        if found is not None:
            assert environment.verify(theorem, Proof(found), LIMITS).proved


def test_unsound_scripts_are_refused_by_the_kernel() -> None:
    wrong = [
        ("a -> b", ["intros", "exact h"]),
        ("a \\/ b -> a", ["intros", "destruct h", "assumption", "assumption"]),
        ("(a -> b) -> b", ["intros", "apply h"]),
        ("a", ["exfalso"]),
        ("a /\\ b -> b /\\ c", ["intros", "destruct h", "split", "exact h1", "exact h"]),
    ]
    for formula, script in wrong:
        with pytest.raises(NotAProof):
            check_proof(parse_formula(formula), {}, script, far())
    with pytest.raises(CheckBroke):
        check_proof(parse_formula("a -> a"), {}, ["idtac"] * 3000 + ["intros", "assumption"], far())


def test_recheck_by_truth_table() -> None:
    assert is_tautology(parse_formula("a \\/ ~a"), {})
    assert not is_tautology(parse_formula("a \\/ b"), {})
    assert is_tautology(parse_formula("b"), {"given": parse_formula("a /\\ b")})
    with pytest.raises(CheckBroke):
        is_tautology(parse_formula(" -> ".join(f"x{n}" for n in range(30))), {})


def test_trouble_on_demand() -> None:
    environment = FakeEnvironment()
    theorem = environment.theorem("a -> a", name="t")
    with environment.open(theorem, LIMITS) as session:
        kinds = {
            t: session.step(session.root, t, 0.05) for t in ("sleep 9", "crash", "oom", "flaky", "cheat")
        }
        assert [type(kinds[t]) for t in kinds] == [TimedOut, Crashed, OutOfMemory, Advanced, Solved]
        assert session.stats.restarts == 3
        assert session.stats.interrupts == 1
        session.step(session.root, "flaky", 0.05)
        assert session.stats.restarts == 3, "flaky dies once"
        with pytest.raises(EnvironmentCrashedError):
            session.step(session.root, "hopeless", 0.05)
    with pytest.raises(ContractError, match="closed"):
        session.step(session.root, "intros", 1.0)
    for script, status in (
        (("cheat",), VerdictStatus.CHEATED),
        (("crash",), VerdictStatus.MACHINERY_FAILED),
        (("oom",), VerdictStatus.MACHINERY_FAILED),
        (("give_up",), VerdictStatus.INCOMPLETE),
        (("flaky", "intros", "trivial"), VerdictStatus.PROVED),
        (("intros",), VerdictStatus.REJECTED),
    ):
        assert environment.verify(theorem, Proof(script), LIMITS).status is status, script


def test_options_make_trouble() -> None:
    theorem = FakeEnvironment().theorem("a -> a", name="doomed")
    with pytest.raises(EnvironmentCrashedError):
        FakeEnvironment(FakeOptions(crash_on_open="doo*")).open(theorem, LIMITS)
    with pytest.raises(ToolMissingError, match="To get it"):
        FakeEnvironment(FakeOptions(installed=False)).open(theorem, LIMITS)
    broken = FakeEnvironment(FakeOptions(check_breaks=True)).verify(
        theorem, Proof(("intros", "trivial")), LIMITS
    )
    assert broken.status is VerdictStatus.MACHINERY_FAILED
    with FakeEnvironment(FakeOptions(crash_every=2)).open(theorem, LIMITS) as session:
        for _ in range(6):
            assert isinstance(session.step(session.root, "intros", 1.0), Advanced)
        assert session.stats.restarts == 3
    slow = FakeEnvironment(FakeOptions(latency_ms=40))
    with slow.open(theorem, LIMITS) as session:
        assert session.step(session.root, "intros", 1.0).seconds >= 0.04
        assert isinstance(session.step(session.root, "intros", 0.01), TimedOut)


def test_axioms_can_be_forbidden() -> None:
    proof = Proof(("classical a", "assumption"))
    strict = FakeEnvironment(FakeOptions(allow_axioms=()))
    verdict = strict.verify(strict.theorem("a \\/ ~a", name="t"), proof, LIMITS)
    assert verdict.status is VerdictStatus.CHEATED
    assert verdict.forbidden == verdict.axioms == ("classic",)


def test_theorems_of_a_file_build_on_each_other(tmp_path: Path) -> None:
    path = tmp_path / "list.fake"
    path.write_text(
        "theorem one : a -> b.\n\ntheorem two : a -> b \\/ c.\n intros. left. apply one. trivial.\n"
    )
    environment = FakeEnvironment()
    one, two = environment.theorems_in(path)
    proof = Proof(("intros", "left", "apply one", "trivial"))
    assert environment.verify(two, proof, LIMITS).proved
    assert environment.verify(one, Proof(("intros", "apply two")), LIMITS).status is VerdictStatus.REJECTED
    assert environment.verify(one, Proof(("exact one",)), LIMITS).status is VerdictStatus.REJECTED
    path.write_text("theorem one : a -> c.\n")
    with pytest.raises(TheoremUnavailableError, match="changed"):
        environment.open(one, LIMITS)
    with pytest.raises(DataError):
        environment.theorems_in(tmp_path / "list.v")


def test_sentences() -> None:
    assert split_sentences("a b. c.d e.\nf") == ["a b", "c.d e", "f"]
    assert split_sentences(" . ") == []


def test_source_filters_and_copies() -> None:
    everything = [theorem.name for theorem in FakeSource().theorems()]
    assert len(everything) == len(set(everything)) > 30
    some = [theorem.name for theorem in FakeSource(argument="and_*, or_swap").theorems()]
    assert some == [name for name in everything if name.startswith("and_") or name == "or_swap"]
    with pytest.raises(DataError, match="identity"):
        list(FakeSource(argument="nothing_like_it").theorems())
    first = list(itertools.islice(FakeSource().theorems(), 3))
    assert [theorem.id for theorem in first] == ["fake:true_intro", "fake:identity", "fake:constant"]
