"""Ranking lemmas by what they share with a goal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prover_coq.premises import PremiseIndex
from prover_core.types import Goal, Hypothesis

MESSAGES = [
    "Nat.add_comm: forall n m : nat, n + m = m + n",
    "Nat.add_0_r: forall n : nat, n + 0 = n",
    "Nat.mul_comm: forall n m : nat, n * m = m * n",
    "Nat.lt_irrefl: forall x : nat, ~ x < x",
    "le_n: forall n : nat, n <= n",
    "le_S: forall n m : nat, n <= m -> n <= S m",
    "Nat.lt_le_incl: forall n m : nat, n < m -> n <= m",
    "app_nil_r: forall [A : Type] (l : list A),\n           l ++ [] = l",
    "app_assoc: forall [A : Type] (l m n : list A), l ++ m ++ n = (l ++ m) ++ n",
    "app_length: forall [A : Type] (l l' : list A), length (l ++ l') = length l + length l'",
    "rev_length: forall [A : Type] (l : list A), length (rev l) = length l",
    "rev_app_distr: forall [A : Type] (x y : list A), rev (x ++ y) = rev y ++ rev x",
    "in_app_or: forall [A : Type] (l m : list A) (a : A), In a (l ++ m) -> In a l \\/ In a m",
    "in_or_app: forall [A : Type] (l m : list A) (a : A), In a l \\/ In a m -> In a (l ++ m)",
    "nat: Set",
    "length: forall [A : Type], list A -> nat",
    "list_ind: forall (A : Type) (P : list A -> Prop), P [] -> forall l : list A, P l",
    "H: length l = 0",
    "not a result",
    "",
]


def goal(conclusion: str, *hypotheses: str) -> Goal:
    context = []
    for hypothesis in hypotheses:
        name, _, kind = hypothesis.partition(" : ")
        context.append(Hypothesis((name,), kind))
    return Goal(tuple(context), conclusion)


def names(conclusion: str, *hypotheses: str, limit: int = 50) -> list[str]:
    return [p.name for p in PremiseIndex(MESSAGES).rank(goal(conclusion, *hypotheses), limit)]


def test_only_lemmas_are_kept() -> None:
    index = PremiseIndex(MESSAGES)
    assert len(index) == 15  # no type, no function, no scheme, nothing unreadable
    assert {"nat", "length", "list_ind"} & set(names("length (rev l) = length l + 0")) == set()


@pytest.mark.parametrize(
    ("conclusion", "first"),
    [
        ("length (rev l) = length l", "rev_length"),
        ("length (x ++ y) = length x + length y", "app_length"),
        ("rev (a ++ b) = rev b ++ rev a", "rev_app_distr"),
        ("a * b = b * a", "Nat.mul_comm"),
        ("forall a b : nat, a * b = b * a", "Nat.mul_comm"),
        ("a + 0 = a", "Nat.add_0_r"),
        ("l ++ [] = l", "app_nil_r"),
    ],
)
def test_the_lemma_that_is_the_goal_comes_first(conclusion: str, first: str) -> None:
    assert names(conclusion)[0] == first


def test_hypotheses_count_less_than_the_conclusion() -> None:
    found = names("P x", "H0 : In x (l ++ m)")
    assert set(found[:2]) == {"in_app_or", "in_or_app"}
    assert names("length (rev l) = k", "H0 : In x (l ++ m)")[0] == "rev_length"


def test_an_order_read_backwards_is_the_same_order() -> None:
    assert "Nat.lt_irrefl" in names("~ x > x")


def test_what_shares_nothing_is_left_out_and_the_limit_holds() -> None:
    assert names("foo bar") == []
    assert len(names("length (l ++ m) = length m + 0", limit=3)) == 3


def test_hypotheses_that_search_lists_are_no_lemmas() -> None:
    assert "H" in names("length m = 0")
    assert "H" not in names("length m = 0", "H : length l = 0")


def test_statements_are_on_one_line_and_scores_fall() -> None:
    found = PremiseIndex(MESSAGES).rank(goal("l ++ [] = l"), 50)
    assert found[0].statement == "forall [A : Type] (l : list A), l ++ [] = l"
    scores = [premise.score or 0.0 for premise in found]
    assert scores == sorted(scores, reverse=True)
    assert all(premise.source == "Search" for premise in found)


@settings(max_examples=60, deadline=None)
@given(
    messages=st.lists(st.sampled_from(MESSAGES) | st.text(max_size=40), max_size=12),
    text=st.text(max_size=30),
)
def test_any_text_is_ranked_the_same_each_time(messages: list[str], text: str) -> None:
    target = goal(text or "n + m = n", "H1 : n <= m")
    found = PremiseIndex(messages).rank(target, 5)
    assert found == PremiseIndex(messages).rank(target, 5)
    assert len(found) <= 5
