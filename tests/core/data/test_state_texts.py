"""States as text: what policies see, and back as far as there is a way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from proof_records import goals, states

from prover_core.data.examples import goal_of_state, parse_prompt, parse_proof, prompt_text, proof_script
from prover_core.data.states import (
    goal_text,
    hypothesis_text,
    parse_hypothesis,
    state_record,
    state_text,
    to_goals,
)
from prover_core.records import GoalRecord, HypothesisRecord, ProofRecord, StateRecord, StepRecord


@given(states)
def test_a_state_reads_as_it_does_at_search_time(state: StateRecord) -> None:
    assert state_record(to_goals(state)) == state.model_copy(update={"text": None})
    if state.focused or state.text is None:
        assert state_text(state) == str(to_goals(state))
    else:
        assert state_text(state) == state.text


def test_texts() -> None:
    hypotheses = (
        HypothesisRecord(names=("n", "m"), type="nat"),
        HypothesisRecord(names=("k",), type="nat", body="n + m"),
    )
    goal = GoalRecord(hypotheses=hypotheses, conclusion="k = 0")
    assert goal_text(goal) == "n, m : nat\nk := n + m : nat\n⊢ k = 0"
    assert state_text(StateRecord(focused=(goal, goal))) == f"{goal_text(goal)}\n\n{goal_text(goal)}"
    assert state_text(StateRecord()) == "no goals"
    assert state_text(StateRecord(text="as printed")) == "as printed"


@pytest.mark.parametrize(
    "hypothesis",
    [
        HypothesisRecord(names=("n",), type="nat"),
        HypothesisRecord(names=("n", "m'", "x.y"), type="forall x : nat, x = x"),
        HypothesisRecord(names=("f",), type="nat -> nat", body="fun x : nat => x"),
        HypothesisRecord(names=("f",), type="forall x : A, P x", body="fun (x : A) => g (x : A)"),
        HypothesisRecord(names=("f",), type="Prop", body="forall x y : nat, exists z : nat, x = z"),
        HypothesisRecord(
            names=("f",), type="T", body="match x as y in (_ : A) return B with | C => d : nat end"
        ),
        HypothesisRecord(names=("f",), type="nat", body="let x := 1 in x"),
        HypothesisRecord(names=("f",), type="∀ x : ℕ, x = x", body="λ x : ℕ, x"),
        HypothesisRecord(names=("odd thing without a colon",), type=""),
    ],
    ids=hypothesis_text,
)
def test_hypotheses_come_back(hypothesis: HypothesisRecord) -> None:
    assert parse_hypothesis(hypothesis_text(hypothesis)) == hypothesis


@given(goals)
def test_any_prompt_can_be_taken_apart_without_an_error(goal: GoalRecord) -> None:
    parse_prompt(prompt_text(goal, definitions=["a : b"], premises=["c : d"]))


def test_a_prompt_comes_back() -> None:
    goal = GoalRecord(hypotheses=(HypothesisRecord(names=("n",), type="nat"),), conclusion="n =\n\n  n")
    for definitions in ((), ("d : nat",)):
        for premises in ((), ("p : nat", "q : True")):
            prompt = parse_prompt(prompt_text(goal, definitions=definitions, premises=premises))
            assert prompt is not None
            assert (prompt.goal, prompt.definitions, prompt.premises) == (goal, definitions, premises)
    assert parse_prompt("Prove it.") is None


@pytest.mark.parametrize(
    ("text", "hypotheses", "conclusion"),
    [
        ("n : nat\nH : n = 0\n⊢ 0 = n", 2, "0 = n"),
        ("  n : nat\n  ============================\n  n = n", 1, "n = n"),
        ("True", 0, "True"),
        ("⊢ True", 0, "True"),
    ],
)
def test_the_goal_of_a_state_that_is_only_text(text: str, hypotheses: int, conclusion: str) -> None:
    goal = goal_of_state(StateRecord(text=text))
    assert goal is not None
    assert (len(goal.hypotheses), goal.conclusion) == (hypotheses, conclusion)


@pytest.mark.parametrize(
    "sentences",
    [
        ["intros.", "auto."],
        ["-", "+", "auto.", "{", "simpl.", "}", "*", "reflexivity."],
        ["2:{", "auto.", "}", "[goal]: {", "auto.", "}", "all: auto."],
        ["rewrite a,\n  b.", "- auto."],
        ["-", "--", "***", "auto."],
    ],
    ids=repr,
)
def test_a_script_comes_back(sentences: list[str]) -> None:
    sentences = [s for s in sentences if s != "- auto."]
    record = ProofRecord(
        id="i",
        prover="coq",
        file="f",
        name="n",
        statement="s",
        terminator="Qed",
        steps=tuple(StepRecord(tactic=s) for s in sentences),
    )
    steps, terminator = parse_proof(proof_script(record))
    assert ([s.tactic for s in steps], terminator) == (sentences, "Qed")
