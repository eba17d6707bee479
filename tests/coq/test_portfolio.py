"""What the portfolio proposes for a goal given as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prover_coq.guard import check_tactic
from prover_coq.portfolio import CoqPortfolio
from prover_coq.portfolio_priors import PRIORS
from prover_coq.portfolio_templates import TEMPLATES
from prover_core.contracts import PolicyRequest
from prover_core.types import Goal, Goals, Hypothesis, Premise, ProofState, Span, Suggestion, Theorem

THEOREM = Theorem(id="t", name="t", prover="coq", statement="Lemma t : True.")


def state(conclusion: str, *hypotheses: str, more: Sequence[str] = ()) -> ProofState:
    """A state whose first goal has hypotheses written ``x y : nat``."""
    context = []
    for hypothesis in hypotheses:
        names, _, kind = hypothesis.partition(" : ")
        context.append(Hypothesis(tuple(names.split()), kind))
    first = Goal(tuple(context), conclusion)
    return ProofState(None, 0, Goals(focused=(first, *(Goal((), text) for text in more))))


def propose(
    conclusion: str, *hypotheses: str, premises: Sequence[tuple[str, str]] = (), theorem: Theorem = THEOREM
) -> list[Suggestion]:
    lemmas = tuple(Premise(name, statement) for name, statement in premises)
    request = PolicyRequest(theorem, state(conclusion, *hypotheses), premises=lemmas)
    return list(CoqPortfolio().propose(request))


def tactics(
    conclusion: str, *hypotheses: str, premises: Sequence[tuple[str, str]] = (), theorem: Theorem = THEOREM
) -> list[str]:
    return [s.tactic for s in propose(conclusion, *hypotheses, premises=premises, theorem=theorem)]


def test_every_template_has_a_prior_and_every_prior_a_template() -> None:
    assert set(PRIORS) == set(TEMPLATES)
    assert all(prior < 0 for prior in PRIORS.values())


@pytest.mark.parametrize(
    ("goal", "hypotheses", "expected"),
    [
        ("n + m = m + n", ("n m : nat",), ["auto", "easy", "congruence", "lia", "intros; ring", "f_equal"]),
        ("forall n m : nat, n + m = m + n", (), ["intros", "induction n", "induction m", "destruct n"]),
        ("forall l : list A, P l", ("A : Type",), ["induction l", "destruct l"]),
        ("forall b c : bool, b && c = c && b", (), ["destr_bool", "destruct b"]),
        ("A /\\ B", ("A B : Prop",), ["split"]),
        ("A <-> B", ("A B : Prop",), ["split", "tauto"]),
        ("A \\/ B", ("A B : Prop",), ["left", "right"]),
        ("exists x : nat, P x", ("n : nat",), ["eexists", "exists n", "exists 0"]),
        ("In x (y :: l)", ("x y : A", "l : list A"), ["constructor", "unfold In", "induction l"]),
        ("~ P", ("P : Prop",), ["intro", "tauto"]),
        ("P -> Q", ("P Q : Prop",), ["intros", "induction 1", "destruct 1"]),
        ("{n = m} + {n <> m}", ("n m : nat",), ["decide equality"]),
        ("Q", ("H : P -> Q",), ["apply H"]),
        ("Q", ("H : P /\\ Q",), ["destruct H"]),
        ("Q", ("H : P \\/ Q",), ["destruct H"]),
        ("Q", ("H : exists x, P x",), ["destruct H"]),
        ("f x = y", ("H : x = y",), ["rewrite H", "rewrite <- H", "subst"]),
        ("S n + m = k", ("IHn : n + m = k",), ["rewrite IHn", "now rewrite IHn"]),
        ("P", ("H : le n m",), ["inversion H; subst; auto", "induction H"]),
        ("(if f x then a else b) = c", (), ["destruct (f x) eqn:?", "destruct (f x)"]),
        ("c", ("H : match g y with 0 => a | S _ => b end = d",), ["destruct (g y) eqn:?"]),
        ("x = y", ("x y : nat", "H : S x = S y"), ["congruence"]),
    ],
)
def test_what_is_proposed(goal: str, hypotheses: tuple[str, ...], expected: list[str]) -> None:
    found = tactics(goal, *hypotheses)
    assert [tactic for tactic in expected if tactic not in found] == []


@pytest.mark.parametrize(
    ("goal", "hypotheses", "absent"),
    [
        ("n = m", ("n m : nat",), ["intros", "split", "left", "eexists", "induction 1", "sauto"]),
        ("P", ("A : Type", "P : Prop"), ["induction A", "destruct A", "apply P"]),
        ("f x = y", ("f : nat -> nat",), ["induction f", "destruct f"]),
        ("forall x : nat, x = y", (), ["f_equal; intros", "apply eq_refl"]),
        ("A /\\ B", (), ["constructor 2", "left"]),
    ],
)
def test_what_is_not_proposed(goal: str, hypotheses: tuple[str, ...], absent: list[str]) -> None:
    assert set(tactics(goal, *hypotheses)) & set(absent) == set()


def test_lemmas_are_applied_and_rewritten_with_where_they_fit() -> None:
    lemmas = [
        ("le_S", "forall n m : nat, n <= m -> n <= S m"),
        ("le_trans", "forall n m p : nat, n <= m -> m <= p -> n <= p"),
        ("add_comm", "forall n m : nat, n + m = m + n"),
        ("in_map", "forall (f : A -> B) l x, In x l -> In (f x) (map f l)"),
    ]
    found = tactics("a + b <= S c", "a b c : nat", premises=lemmas)
    assert {"apply le_S", "eapply le_trans", "rewrite add_comm"} <= set(found)
    assert "eapply le_S" not in found  # nothing would be left to guess
    assert "apply in_map" not in found
    assert found.index("apply le_S") < found.index("apply le_trans")
    assert "solve [timeout 1 (auto using le_S)]" in found  # the other one would make auto run wild
    assert [t for t in tactics("forall a, a <= S c", premises=lemmas) if t.startswith("apply le_")] == []


def test_lemmas_work_forward_in_facts() -> None:
    lemmas = [
        ("in_app_or", "forall (l m : list A) (a : A), In a (l ++ m) -> In a l \\/ In a m"),
        ("in_app_iff", "forall (l l' : list A) (a : A), In a (l ++ l') <-> In a l \\/ In a l'"),
        ("app_nil_r", "forall l : list A, l ++ [] = l"),
    ]
    found = tactics("P", "H : In x (l ++ [])", premises=lemmas)
    assert {"apply in_app_or in H", "apply in_app_iff in H", "rewrite app_nil_r in H"} <= set(found)


def test_cheap_closing_tactics_come_first_and_induction_hypotheses_early() -> None:
    found = tactics(
        "rev (l ++ m) = rev m ++ rev l", "l m : list A", "IHl : forall m, rev (l ++ m) = rev m ++ rev l"
    )
    assert found[:3] == ["auto", "easy", "congruence"]
    assert found.index("rewrite IHl") < 12 < found.index("induction l")


def test_variables_of_the_conclusion_come_before_others() -> None:
    found = tactics("P m", "n : nat", "m : nat")
    assert found.index("induction m") < found.index("induction n")


def test_only_the_first_goal_counts() -> None:
    request = PolicyRequest(THEOREM, state("A /\\ B", more=["exists x, P x"]))
    found = [s.tactic for s in CoqPortfolio().propose(request)]
    assert "split" in found
    assert "eexists" not in found


def test_nothing_to_do_without_goals_but_shelved_ones_are_fetched() -> None:
    done = PolicyRequest(THEOREM, ProofState(None, 0, Goals()))
    assert CoqPortfolio().propose(done) == []
    shelved = PolicyRequest(THEOREM, ProofState(None, 0, Goals(shelved=(Goal((), "nat"),))))
    assert [s.tactic for s in CoqPortfolio().propose(shelved)] == ["Unshelve"]


def test_hammer_is_proposed_where_it_is_loaded(tmp_path: Path) -> None:
    request = PolicyRequest(THEOREM, state("P"))
    for mode, proposed in (("on", True), ("off", False), ("auto", False)):
        found = [s.tactic for s in CoqPortfolio(hammer=mode).propose(request)]  # type: ignore[arg-type]
        assert ("sauto" in found, "hammer" in found) == (proposed, proposed)
    preamble = "From Hammer Require Import Hammer."
    text = Theorem(id="t", name="t", prover="coq", statement="Lemma t : P.", preamble=preamble)
    assert "sauto" in tactics("P", theorem=text)
    file = tmp_path / "a.v"
    file.write_text(f"{preamble}\nLemma t : P.\n", encoding="utf-8")
    start = len(preamble) + 1
    late = Theorem("t", "t", "coq", "Lemma t : P.", file=str(file), span=Span(start, start + 12))
    assert "sauto" in tactics("P", theorem=late)
    early = Theorem("t", "t", "coq", "Lemma t : P.", file=str(file), span=Span(0, 12))
    assert "sauto" not in tactics("P", theorem=early)
    gone = Theorem("t", "t", "coq", "Lemma t : P.", file=str(tmp_path / "gone.v"), span=Span(0, 12))
    assert "sauto" not in tactics("P", theorem=gone)


# --- properties -----------------------------------------------------------------------------------

_IDENT = st.sampled_from(["x", "y'", "n", "H", "IHn", "Heq0", "l", "A", "été", "f_1"])
_TERMS = [
    *(
        "n",
        "S n + m",
        "x :: l ++ []",
        "f (g x) y",
        "fun x => x",
        "(a, b)",
        "- 1",
        "x.(f)",
        "@nil A",
        "?x",
        ")",
    ),
    *("match x with 0 => a | S p => b end", "if b then c else d", "let (a, b) := p in a", "{| a := 1 |}"),
    *('"a. (* b"', '"unclosed', "(* open", "a. b."),
]
_TERM = st.sampled_from(_TERMS)
_PROP = st.one_of(
    st.builds("{} = {}".format, _TERM, _TERM),
    st.builds("{} <= {}".format, _TERM, _TERM),
    st.builds("{} -> {}".format, _TERM, _TERM),
    st.builds("forall ({} {} : {}), {}".format, _IDENT, _IDENT, _TERM, _TERM),
    st.builds("exists {} : {}, {}".format, _IDENT, _TERM, _TERM),
    st.builds("{} /\\ {} \\/ ~ {}".format, _TERM, _TERM, _TERM),
    st.text(max_size=30),
)


@settings(max_examples=150, deadline=None)
@given(
    conclusion=_PROP,
    hypotheses=st.lists(st.tuples(_IDENT | st.text(max_size=5), _PROP), max_size=5),
    premises=st.lists(
        st.tuples(st.sampled_from(["Nat.add_0_r", "le_S", "in_app_iff"]) | st.text(max_size=8), _PROP),
        max_size=5,
    ),
)
def test_whatever_the_goal_proposals_are_single_tactics_in_order(
    conclusion: str, hypotheses: list[tuple[str, str]], premises: list[tuple[str, str]]
) -> None:
    goal = Goal(tuple(Hypothesis((name,), kind) for name, kind in hypotheses), conclusion)
    lemmas = tuple(Premise(name, statement) for name, statement in premises)
    request = PolicyRequest(THEOREM, ProofState(None, 0, Goals(focused=(goal,))), premises=lemmas)
    proposals = CoqPortfolio().propose(request)
    assert proposals == CoqPortfolio().propose(request)
    assert all(check_tactic(s.tactic) is None for s in proposals)
    assert all(s.logprob <= 0 and s.source in TEMPLATES for s in proposals)
    assert len({s.tactic for s in proposals}) == len(proposals)
    scores = [s.logprob for s in proposals]
    assert scores == sorted(scores, reverse=True)
