"""Hypotheses as Coq prints them."""

from __future__ import annotations

import pytest

from prover_coq.goals import parse_hypothesis
from prover_core.types import Hypothesis


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n : nat", Hypothesis(("n",), "nat")),
        ("n, m' : nat", Hypothesis(("n", "m'"), "nat")),
        ("H : forall x : nat, x = x", Hypothesis(("H",), "forall x : nat, x = x")),
        ("H :\n  a = b", Hypothesis(("H",), "a = b")),
        ("x := 5 : nat", Hypothesis(("x",), "nat", "5")),
        ("f := fun x : nat => S x : nat -> nat", Hypothesis(("f",), "nat -> nat", "fun x : nat => S x")),
        (
            "p := fun x : nat => x : forall y : nat, nat",
            Hypothesis(("p",), "forall y : nat, nat", "fun x : nat => x"),
        ),
        ("g := (fun x : nat => x) 3 : nat", Hypothesis(("g",), "nat", "(fun x : nat => x) 3")),
        ('s := " : " : string', Hypothesis(("s",), "string", '" : "')),
        ("αβ : ℕ → ℕ", Hypothesis(("αβ",), "ℕ → ℕ")),
        ("something else", Hypothesis((), "something else")),
    ],
)
def test_parse_hypothesis(text: str, expected: Hypothesis) -> None:
    assert parse_hypothesis(text) == expected


@pytest.mark.parametrize("text", ["n, m : nat", "x := 5 : nat"])
def test_it_is_shown_as_it_was(text: str) -> None:
    assert str(parse_hypothesis(text)) == text
