"""The portfolio's templates: each turns a goal's context into tactics of one kind.

A template is a named generator. Its name is the ``source`` of what it proposes, and the key of its prior in
:mod:`prover_coq.portfolio_priors`; what it yields beside each tactic is a penalty for being a less likely
instance of the same kind (the third variable in view, the tenth lemma).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from prover_coq.portfolio_context import Context, Fact, Lemma, Variable, names_of, symbols_of
from prover_coq.portfolio_view import TypeKind, view_term

__all__ = ["TEMPLATES", "Instances", "Template"]

Instances: TypeAlias = Iterator[tuple[str, float]]
"""Tactics, each with its penalty (0.0 or more, in units of natural log-probability)."""
Template: TypeAlias = Callable[[Context], Instances]

_MOST_VARIABLES: Final = 6
_MOST_FACTS: Final = 8
_MOST_FORWARD: Final = 16
_STEP: Final = 0.25
"""Penalty from one instance to the next."""


# --- closing: they end the goal or fail (or change nothing) ----------------------------------------


def _close(context: Context) -> Instances:
    yield "auto", 0.0
    yield "easy", 0.01
    yield "congruence", 0.02


def _close_hints(context: Context) -> Instances:
    yield "auto with *", 0.0
    yield "solve [timeout 1 (eauto with *)]", 0.4


def _close_arithmetic(context: Context) -> Instances:
    yield "lia", 0.0
    yield "lra", 0.3
    yield "intuition lia", 0.5
    yield "timeout 1 nia", 1.0


def _close_algebra(context: Context) -> Instances:
    if context.view.head in ("=", "=="):
        yield "intros; ring", 0.0
        yield "intros; field", 0.3


def _close_logic(context: Context) -> Instances:
    yield "tauto", 0.0
    yield "intuition congruence", 0.1
    yield "solve [intuition eauto]", 0.4
    yield "solve [timeout 1 firstorder]", 0.7


def _close_using(context: Context) -> Instances:
    safe = [lemma.name for lemma in _applicable(context) if lemma.determined][:6]
    if safe:
        yield f"solve [timeout 1 (auto using {', '.join(safe)})]", 0.0
    names = [lemma.name for lemma in _applicable(context)[:4]]
    if names:
        yield f"solve [timeout 1 (eauto 4 using {', '.join(names)})]", 0.8


def _close_hammer(context: Context) -> Instances:
    if context.hammer:
        yield "sauto", 0.0
        yield "hammer", 0.5


# --- opening: structure of the conclusion ------------------------------------------------------------


def _intros(context: Context) -> Instances:
    if not context.introduced or context.view.head in ("~", "<>"):
        yield "intros", 0.0
    if context.view.head in ("~", "<>"):
        yield "intro", 0.0


def _split(context: Context) -> Instances:
    if context.view.head in ("/\\", "<->", "∧", "↔"):
        yield "split", 0.0
        yield "split; intros", 0.2


def _choose(context: Context) -> Instances:
    if context.view.head in ("\\/", "∨", "sumbool", "sumor", "{", "or"):
        yield "left", 0.0
        yield "right", 0.0


def _witness(context: Context) -> Instances:
    if context.view.head not in ("exists", "{", "ex", "sig", "sigT"):
        return
    yield "eexists", 0.0
    candidates = [v.name for v in context.data() if not v.bound]
    for place, name in enumerate([*candidates, "0", "nil"][:_MOST_VARIABLES]):
        yield f"exists {name}", _STEP * place


def _constructor(context: Context) -> Instances:
    if context.view.head not in ("=", "<->", "/\\", "\\/", "exists", "False", "~", "<>"):
        yield "solve [constructor; auto]", -0.3
        yield "constructor", 0.0
        yield "solve [econstructor; eauto]", 0.2
        yield "constructor 2", 0.4
        yield "econstructor", 0.8


def _decide(context: Context) -> Instances:
    if context.view.body.startswith("{") or context.view.head == "decidable":
        yield "decide equality", 0.0


def _simplify(context: Context) -> Instances:
    yield "simpl", 0.0
    yield "simpl in *", 0.3
    yield "cbn", 1.0


def _unfold(context: Context) -> Instances:
    hypotheses = {name for h in context.goal.hypotheses for name in h.names}
    names = [name for name in context.view.constants if name not in hypotheses]
    for place, name in enumerate(names[:4]):
        yield f"unfold {name}", _STEP * place
        yield f"unfold {name} in *", _STEP * place + 0.5


def _congruent(context: Context) -> Instances:
    view = context.view
    if view.head == "=":
        alike = view_term(view.left).head == view_term(view.right).head
        yield "f_equal", 0.0 if alike else 2.0
        yield "symmetry", 1.5
    if context.facts and view.head != "False":
        yield "exfalso", 2.0


def _intuition(context: Context) -> Instances:
    yield "intuition", 0.0
    if any(fact.view.head in ("/\\", "exists", "\\/") for fact in context.facts):
        yield (
            "repeat match goal with H : _ /\\ _ |- _ => destruct H | H : exists _, _ |- _ => destruct H end",
            0.0,
        )


# --- variables ---------------------------------------------------------------------------------------


def _inductive(context: Context) -> list[tuple[Variable, float]]:
    """Variables for an induction, each with its penalty."""
    hypotheses = [fact.name for fact in context.facts if fact.inductive]
    nested = 0.5 * len(hypotheses)
    data = [v for v in context.data() if not v.boolean]
    found = []
    for place, variable in enumerate(data[:_MOST_VARIABLES]):
        again = 1.5 if f"IH{variable.name}" in hypotheses else 0.0
        absent = 0.0 if variable.in_goal else 1.0
        found.append((variable, _STEP * place + nested + again + absent))
    return found


def _induction(context: Context) -> Instances:
    for variable, penalty in _inductive(context):
        yield f"induction {variable.name}", penalty


def _induction_close(context: Context) -> Instances:
    """Whole inductions in one step: what is left of them, if anything, is small."""
    variables = _inductive(context)
    for variable, penalty in variables:
        name = variable.name
        yield f"induction {name}; simpl; intros; auto with *", penalty
        yield f"solve [induction {name}; simpl; intros; auto; congruence]", penalty + 0.1
        yield (
            f"solve [induction {name}; simpl; intros; try rewrite IH{name}; auto with *]",
            penalty + 0.2,
        )
        yield f"induction {name}; simpl in *; intros; try congruence; intuition", penalty + 0.8
    for (one, penalty), (two, _) in itertools.permutations(variables[:3], 2):
        if one.type == two.type and one.bound and two.bound:
            yield f"induction {one.name}; destruct {two.name}; simpl; intros; auto with *", penalty + 0.4


def _induction_general(context: Context) -> Instances:
    """Induction on an introduced variable, with another one generalised."""
    variables = [(v, penalty) for v, penalty in _inductive(context) if not v.bound]
    for (one, penalty), (two, _) in itertools.permutations(variables[:4], 2):
        if one.name in two.type.split():
            continue
        start = f"generalize dependent {two.name}; induction {one.name}"
        yield f"{start}; simpl; intros; auto with *", penalty
        if one.type == two.type:
            yield f"{start}; destruct {two.name}; simpl; intros; auto with *", penalty


def _destruct(context: Context) -> Instances:
    for place, variable in enumerate(context.data()[:_MOST_VARIABLES]):
        yield f"destruct {variable.name}", _STEP * place


def _destruct_close(context: Context) -> Instances:
    data = context.data()
    booleans = [v for v in data if v.boolean]
    if booleans:
        names = ", ".join(v.name for v in booleans[:5])
        yield f"destruct {names}; simpl; intros; auto; try discriminate; intuition congruence", 0.0
        yield f"destruct {names}; simpl in *; auto", 0.2
        yield "destr_bool", 0.1
    for variable, penalty in _inductive(context)[:3]:
        yield f"destruct {variable.name}; simpl in *; intros; auto with *", 0.3 + penalty
    if len(data) > 1:
        yield f"destruct {names_of(data[:2])}; simpl; intros; auto; try congruence", 0.5


def _scrutinee(context: Context) -> Instances:
    place = 0
    for term in context.view.scrutinees[:3]:
        yield f"destruct ({term}) eqn:?", _STEP * place
        yield f"destruct ({term})", _STEP * place + 0.3
        yield f"destruct ({term}) eqn:?; simpl in *; auto; try congruence", _STEP * place + 0.2
        place += 1
    for fact in context.facts[:_MOST_FACTS]:
        for term in fact.view.scrutinees[:1]:
            yield f"destruct ({term}) eqn:?", _STEP * place + 0.5
            place += 1


# --- facts -------------------------------------------------------------------------------------------


def _facts(context: Context) -> tuple[Fact, ...]:
    return context.facts[:_MOST_FACTS]


def _rewrite_ih(context: Context) -> Instances:
    for fact in _facts(context):
        if fact.inductive:
            yield f"rewrite {fact.name}", 0.0
            yield f"now rewrite {fact.name}", 0.02
            yield f"rewrite {fact.name}; auto with *", 0.1
            yield f"rewrite <- {fact.name}", 0.3


def _apply_ih(context: Context) -> Instances:
    for fact in _facts(context):
        if fact.inductive:
            yield f"apply {fact.name}", 0.0
            yield f"apply {fact.name}; auto with *", 0.1
            yield f"eapply {fact.name}", 0.5


def _rewrite_fact(context: Context) -> Instances:
    for place, fact in enumerate(_facts(context)):
        if fact.equation and not fact.inductive:
            yield f"rewrite {fact.name}", _STEP * place
            yield f"rewrite <- {fact.name}", _STEP * place + 0.4
            yield f"rewrite {fact.name} in *", _STEP * place + 0.6


def _apply_fact(context: Context) -> Instances:
    for place, fact in enumerate(_facts(context)):
        if not fact.inductive and (fact.view.prefix or fact.view.head in ("<->", "~", "<>")):
            yield f"apply {fact.name}", _STEP * place
            yield f"eapply {fact.name}", _STEP * place + 0.4


def _case_fact(context: Context) -> Instances:
    """Take apart what is conjunction, disjunction, existential or an inductive predicate."""
    for place, fact in enumerate(_facts(context)):
        if fact.view.head in ("/\\", "∧", "exists", "∃", "False", "<->") and fact.plain:
            yield f"destruct {fact.name}", 0.0
        elif fact.view.head in ("\\/", "∨") and fact.plain:
            yield f"destruct {fact.name}", 0.3 + _STEP * place


def _invert_fact(context: Context) -> Instances:
    for place, fact in enumerate(_facts(context)):
        if fact.plain and fact.view.head not in ("/\\", "\\/", "exists", "<->", "~", "<>"):
            yield f"inversion {fact.name}; subst; auto", _STEP * place
            yield f"inversion_clear {fact.name}; subst; simpl in *; auto", _STEP * place + 0.2


def _induct_fact(context: Context) -> Instances:
    for place, fact in enumerate(_facts(context)):
        head = fact.view.head
        if fact.plain and (head in ("<=", "le") or head[:1].isupper()):
            yield f"induction {fact.name}", _STEP * place
            yield f"induction {fact.name}; simpl; auto with *", _STEP * place + 0.2
    if "p" in context.view.prefix:
        yield "induction 1", 0.3
        yield "induction 1; simpl; intros; auto with *", 0.3
        yield "destruct 1", 0.6


def _subst(context: Context) -> Instances:
    if any(fact.view.head == "=" and fact.plain for fact in context.facts):
        yield "subst", 0.0
        yield "subst; simpl in *; auto", 0.2


# --- lemmas ------------------------------------------------------------------------------------------


def _applicable(context: Context) -> list[Lemma]:
    return sorted((m for m in context.lemmas if m.applies > 0), key=lambda m: -m.applies)


def _apply_lemma(context: Context) -> Instances:
    if not context.introduced:
        return
    for place, lemma in enumerate(_applicable(context)[:24]):
        penalty = (1 - lemma.applies) + 0.04 * place
        yield f"apply {lemma.name}", penalty
        if not lemma.determined:
            yield f"eapply {lemma.name}", penalty + 0.5


def _rewrite_lemma(context: Context) -> Instances:
    if not context.introduced:
        return
    ranked = sorted((m for m in context.lemmas if m.rewrites > 0.5), key=lambda m: -m.rewrites)
    for place, lemma in enumerate(ranked[:24]):
        penalty = 2 * (1 - lemma.rewrites) + 0.04 * place
        yield f"rewrite {lemma.name}", penalty
        yield f"now rewrite {lemma.name}", penalty


def _rewrite_lemma_back(context: Context) -> Instances:
    if not context.introduced:
        return
    ranked = sorted((m for m in context.lemmas if m.rewrites_back > 0.5), key=lambda m: -m.rewrites_back)
    for place, lemma in enumerate(ranked[:16]):
        penalty = 2 * (1 - lemma.rewrites_back) + 0.04 * place
        yield f"rewrite <- {lemma.name}", penalty


def _lemma_in_fact(context: Context) -> Instances:
    """Forward steps: a lemma whose last premise, or one side, has the fact's relation."""
    place = 0
    for fact in context.facts[:4]:
        if fact.view.prefix or fact.inductive:
            continue
        for lemma in context.lemmas:
            if place >= _MOST_FORWARD:
                return
            view = lemma.view
            if view.head == "<->" and fact.view.head in view_term(view.left).symbols:
                yield f"apply {lemma.name} in {fact.name}", 0.08 * place
                place += 1
            elif view.premises and view_term(view.premises[-1]).head == fact.view.head != "=":
                yield f"apply {lemma.name} in {fact.name}", 0.08 * place
                place += 1
            elif view.head == "=" and symbols_of(view.left) <= fact.view.symbols:
                yield f"rewrite {lemma.name} in {fact.name}", 0.08 * place + 0.4
                place += 1


def _destruct_lemma(context: Context) -> Instances:
    """Case analysis by a lemma that decides something about variables in view."""
    place = 0
    data = [v.name for v in context.variables if not v.bound and v.kind != TypeKind.SORT]
    for lemma in context.lemmas:
        if lemma.view.body.startswith("{") or lemma.view.head in ("\\/", "sumbool", "sumor"):
            for one in data[:3]:
                for two in data[:3]:
                    if place < 9 and one != two:
                        yield f"destruct ({lemma.name} {one} {two})", 0.1 * place
                        place += 1


TEMPLATES: Final[dict[str, Template]] = {
    "close": _close,
    "close-hints": _close_hints,
    "close-arithmetic": _close_arithmetic,
    "close-algebra": _close_algebra,
    "close-logic": _close_logic,
    "close-using": _close_using,
    "close-hammer": _close_hammer,
    "intros": _intros,
    "split": _split,
    "choose": _choose,
    "witness": _witness,
    "constructor": _constructor,
    "simplify": _simplify,
    "unfold": _unfold,
    "congruent": _congruent,
    "decide": _decide,
    "intuition": _intuition,
    "induction": _induction,
    "induction-close": _induction_close,
    "induction-general": _induction_general,
    "destruct": _destruct,
    "destruct-close": _destruct_close,
    "scrutinee": _scrutinee,
    "rewrite-ih": _rewrite_ih,
    "apply-ih": _apply_ih,
    "rewrite-fact": _rewrite_fact,
    "apply-fact": _apply_fact,
    "case-fact": _case_fact,
    "invert-fact": _invert_fact,
    "induct-fact": _induct_fact,
    "subst": _subst,
    "apply-lemma": _apply_lemma,
    "rewrite-lemma": _rewrite_lemma,
    "rewrite-lemma-back": _rewrite_lemma_back,
    "lemma-in-fact": _lemma_in_fact,
    "destruct-lemma": _destruct_lemma,
}
"""Source name -> template."""
