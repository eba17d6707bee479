"""Best-first search with the portfolio proves real theorems on every prover, and the check agrees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from toolchains import any_coq

from prover_coq.environment import CoqEnvironment
from prover_coq.options import CoqOptions
from prover_core.contracts import PolicyRequest, SearchObserver, SearchStatus
from prover_core.search import BestFirstSearch
from prover_core.types import Budget, Limits, Proof, ProofState, Suggestion, Theorem
from prover_models.portfolio import PortfolioPolicy

PREAMBLE = """Require Import Arith List Bool.
Import ListNotations.
Fixpoint double n := match n with 0 => 0 | S n => S (S (double n)) end.
"""
"""One for all, so that one process serves them all and the lemmas in scope are asked for once."""

STATEMENTS = [
    "Lemma t : forall n : nat, n + 0 = n.",
    "Lemma t n m : n + S m = S (n + m).",
    "Lemma t : forall a b c : bool, a && (b || c) = a && b || a && c.",
    "Lemma t : forall P Q R : Prop, (P -> Q) /\\ (Q -> R) -> P -> R.",
    "Lemma t : forall (A : Type) (l : list A), rev (rev l) = l.",
    "Lemma t : forall (A B : Type) (f : A -> B) l l', map f (l ++ l') = map f l ++ map f l'.",
    "Lemma t : forall (A : Type) (x : A) l l', In x l -> In x (l ++ l').",
    "Lemma t (n m p : nat) : n < m -> m <= p -> n < S p.",
    "Lemma t : forall A (P Q : A -> Prop), (exists x, P x /\\ Q x) -> (exists x, P x) /\\ (exists x, Q x).",
    "Lemma t : forall n m : nat, (n =? m) = (m =? n).",
    "Lemma t : forall x y : option nat, Some x = Some y -> x = y.",
    "Lemma t n : double n = n + n.",
]

UNPROVABLE = "Lemma t : forall n : nat, n = S n."


def _search(environment: CoqEnvironment, theorem: Theorem, budget: Budget) -> tuple[str, tuple[str, ...]]:
    policy = PortfolioPolicy()
    policy.bind(environment)
    with environment.open(theorem, Limits()) as session:

        def suggest(states: Sequence[ProofState]) -> list[list[Suggestion]]:
            requests = [
                PolicyRequest(theorem, state, session.script(state), tuple(session.premises(state)))
                for state in states
            ]
            return policy.suggest(requests, policy.suggestions)

        result = BestFirstSearch().run(session, suggest, budget, SearchObserver())
    return result.status, result.proof.tactics if result.proof is not None else ()


def test_a_dozen_theorems_are_proved(environment: CoqEnvironment) -> None:
    missed = []
    for text in STATEMENTS:
        theorem = environment.theorem(text, preamble=PREAMBLE)
        status, proof = _search(environment, theorem, Budget(seconds=20, tries=2500))
        if status is not SearchStatus.FOUND:
            missed.append(text)
        elif text in STATEMENTS[:3]:  # the check has tests of its own; three show that the two agree
            verdict = environment.verify(theorem, Proof(proof), Limits())
            assert verdict.proved, (text, proof, verdict)
    assert missed == []


@pytest.fixture
def some_environment() -> Iterator[CoqEnvironment]:
    """One prover, for what does not depend on its version."""
    with CoqEnvironment(CoqOptions(bin=any_coq().bin)) as environment:
        yield environment


def test_what_is_false_is_not_proved(some_environment: CoqEnvironment) -> None:
    theorem = some_environment.theorem(UNPROVABLE, preamble=PREAMBLE)
    status, proof = _search(some_environment, theorem, Budget(tries=300))
    assert status is not SearchStatus.FOUND, proof


def test_it_is_deterministic(some_environment: CoqEnvironment) -> None:
    theorem = some_environment.theorem("Lemma t n : double n = n + n.", preamble=PREAMBLE)
    first, second = (_search(some_environment, theorem, Budget(tries=2500)) for _ in range(2))
    assert first == second
    assert first[0] is SearchStatus.FOUND
