"""Recorded tactics fitted to other states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from knn_records import goal

from prover_core.types import Goal, Hypothesis
from prover_models.knn.goalview import view_goal
from prover_models.knn.slots import Fitter, Recorded, record_tactic
from prover_models.terms import tokenise


def _fitted(tactic: str, source: Goal, target: Goal, premises: tuple[tuple[str, str], ...] = ()) -> list[str]:
    recorded = record_tactic(tactic, view_goal(source), premises)
    return [instance.tactic for instance in Fitter(view_goal(target)).instances(recorded)]


@pytest.mark.parametrize(
    ("tactic", "source", "target", "expected"),
    [
        pytest.param(
            "rewrite IHn.",
            goal("S (n + 0) = S n", n="nat", IHn="n + 0 = n"),
            goal("S (k * 1) = S k", k="nat", IHk="k * 1 = k"),
            "rewrite IHk",
            id="induction-hypothesis-by-role",
        ),
        pytest.param(
            "induction l as [|x l IHl].",
            goal("length (l ++ m) = length l + length m", l="list nat", m="list nat"),
            goal("rev (rev xs) = xs", a="nat", xs="list nat"),
            "induction xs as [|x xs IHl]",
            id="by-type-not-by-letter",
        ),
        pytest.param(
            "destruct H as [x Hx].",
            goal("False", H="exists y : nat, y < 0"),
            goal("False", n="nat", H="n = 0", Hex="exists z : nat, z < 0"),
            "destruct Hex as [x Hx]",
            id="the-letter-is-taken-by-another",
        ),
        pytest.param(
            "intros n m H.",
            goal("forall n m : nat, n < m -> n <= m"),
            goal("forall a b : nat, a <= b -> a < S b"),
            "intros a b H",
            id="intros-follows-the-binders",
        ),
        pytest.param(
            "intros x H.",
            goal("forall x : nat, x = 0 -> x <= 1"),
            goal("forall y : nat, y = 0 -> y < 2", H="True"),
            "intros y H0",
            id="a-taken-name-is-not-introduced-again",
        ),
        pytest.param(
            "apply le_trans with m; [exact H | auto].",
            goal("n <= p", n="nat", m="nat", p="nat", H="n <= m"),
            goal("a <= c", a="nat", b="nat", c="nat", Hab="a <= b"),
            "apply le_trans with b; [exact Hab | auto]",
            id="lemma-names-stay",
        ),
    ],
)
def test_the_best_instance(tactic: str, source: Goal, target: Goal, expected: str) -> None:
    premises = (("Coq.Init.Peano.le_trans", "Coq.Init.Peano"),)
    assert _fitted(tactic, source, target, premises)[0] == expected


def test_nothing_is_proposed_where_nothing_fits() -> None:
    source = goal("False", H="exists y : nat, y < 0")
    assert _fitted("destruct H as [x Hx].", source, goal("True")) == []
    assert _fitted("destruct H as [x Hx].", source, goal("True", A="Type")) == []


def test_two_slots_never_share_a_name() -> None:
    source = goal("n + m = m + n", n="nat", m="nat")
    for tactic in _fitted("destruct n, m.", source, goal("a + b = b + a", a="nat", b="nat")):
        assert sorted(tokenise(tactic)) == [",", "a", "b", "destruct"]
    assert _fitted("destruct n, m.", source, goal("a + a = a", a="nat")) == []


def test_a_lemma_is_called_by_its_module_where_told() -> None:
    source = goal("n + m = m + n", n="nat", m="nat")
    recorded = record_tactic("rewrite add_comm.", view_goal(source), [("M.Nat.add_comm", "M")])
    fitted = [i.tactic for i in Fitter(view_goal(source)).instances(recorded, {"add_comm": ["Nat.add_comm"]})]
    assert fitted == ["rewrite add_comm", "rewrite Nat.add_comm"]


_NAMES = st.sampled_from(["n", "m", "H", "H0", "IHn", "l", "x'", "A", "Hle"])
_TYPES = st.sampled_from(
    ["nat", "list A", "Type", "n = m", "n <= m", "forall x : nat, x = x", "A -> A", "bool", "m = 0"]
)
_CONCLUSIONS = st.sampled_from(
    ["n = m", "forall x y : nat, x = y", "n <= m -> m = 0", "exists k : nat, k = n", "In x' l", ""]
)
_TACTICS = st.sampled_from(
    [
        "induction n as [|n IHn]; simpl; auto.",
        "rewrite <- H in H0.",
        "intros x y.",
        "destruct (le_lt_dec n m) as [Hle|Hlt].",
        "apply H with (x := n).",
        "exists (S m); auto.",
        "intros H0; inversion H0; subst.",
        "unfold not in *; now rewrite IHn, H.",
    ]
)


@st.composite
def _goals(draw: st.DrawFn) -> Goal:
    names = draw(st.lists(_NAMES, unique=True, max_size=6))
    hypotheses = tuple(Hypothesis((name,), draw(_TYPES)) for name in names)
    return Goal(hypotheses, draw(_CONCLUSIONS))


@given(_TACTICS, _goals(), _goals())
def test_instances_speak_of_the_present_state_only(tactic: str, source: Goal, target: Goal) -> None:
    """No name of the source state is left, unless the present one has it or the tactic brings it in."""
    recorded = record_tactic(tactic, view_goal(source), [])
    here = {entry.name for entry in view_goal(target).entries}
    slots = {slot.name for slot in recorded.slots}
    rest = set(tokenise(recorded.text)) - slots
    stems = {token.rstrip("0123456789") for token in rest}
    for instance in Fitter(view_goal(target)).instances(recorded):
        assert 0 < instance.fit <= 1
        assert instance.tactic.strip()
        if not tactic.startswith("intros"):
            told = set(tokenise(instance.tactic))
            introduced = {token for token in told if token.rstrip("0123456789") in stems}
            assert told <= here | rest | introduced


@given(_TACTICS, _goals(), _goals())
def test_equal_input_equal_output(tactic: str, source: Goal, target: Goal) -> None:
    assert _fitted(tactic, source, target) == _fitted(tactic, source, target)


@given(_TACTICS, _goals())
def test_a_tactic_fits_where_it_comes_from(tactic: str, source: Goal) -> None:
    """In its own state a tactic is among its instances, if it clashes with nothing."""
    recorded = record_tactic(tactic, view_goal(source), [])
    fitted = [i.tactic for i in Fitter(view_goal(source), most=4).instances(recorded)]
    bound = {entry.name for entry in view_goal(source).binders}
    if not bound and recorded.slots and not tactic.startswith("intros"):
        words = set(tokenise(recorded.text))
        taken = {entry.name for entry in view_goal(source).hypotheses}
        assert recorded.text in fitted or words & taken - {slot.name for slot in recorded.slots}


@given(st.text(max_size=200), st.text(max_size=80), st.text(max_size=80))
def test_any_text_can_be_read(tactic: str, conclusion: str, kind: str) -> None:
    view = view_goal(Goal((Hypothesis(("h",), kind),), conclusion))
    list(Fitter(view).instances(record_tactic(tactic, view, [("a.b", "a")])))
    assert Recorded("").slots == ()
