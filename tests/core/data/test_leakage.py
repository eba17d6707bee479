"""Copies are found under other names and other white space; what only looks alike is not one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof_records import coq_proof, texts

from prover_core.data.leakage import find_leaks
from prover_core.data.normalise import hashes, proof_text, statement_shape, statement_text, tokenise
from prover_core.records import ProofRecord, StepRecord

SAME_TEXT = [
    ("Lemma a : forall n, n = n.", "a", "Theorem  b :\n  forall n, n = n.", "b"),
    ("Lemma a : forall n, n = n.", "a", "Local Lemma a (* why (* not *) *) : forall n,n=n .", "a"),
    ("Lemma Nat.a : True.", "Nat.a", "#[local] Fact x : True.", "x"),
    ("theorem a (n : Nat) : n = n", "a", "theorem b (n : Nat) : n = n -- so it is", "b"),
    ("theorem a : /- why -/ True", "a", "theorem b : True", "b"),
]
SAME_SHAPE = [
    ("Lemma a : forall n, n = n.", "a", "Lemma b : forall m, m = m.", "b"),
    ("Lemma a (n m : nat) : n <= m -> n <= S m.", "a", "Lemma b (x y : nat) : x <= y -> x <= S y.", "b"),
    (
        "Lemma a : forall (A : Type) (x y : A), x = y.",
        "a",
        "Lemma a : forall (B : Type) (u v : B), u = v.",
        "a",
    ),
    ("Lemma a : exists n, P (fun k => k + n).", "a", "Lemma a : exists j, P (fun i => i + j).", "a"),
    ("Lemma a {A} [B : Set] : A -> B.", "a", "Lemma a {A} [C : Set] : A -> C.", "a"),
    ("theorem a : ∀ n : Nat, ∃ m, n < m", "a", "theorem b : ∀ x : Nat, ∃ y, x < y", "b"),
]
OTHER_SHAPE = [
    ("Lemma a : forall n m, n + m = m.", "a", "Lemma a : forall n m, m + n = m.", "a"),
    ("Lemma a : forall n, n = n.", "a", "Lemma a : forall n, n = 0.", "a"),
    ("Lemma a : P x.", "a", "Lemma a : P y.", "a"),  # free names are names of things
    ("Lemma a : forall n, f n = n.", "a", "Lemma a : forall n, g n = n.", "a"),
    ('Lemma a : s = "x".', "a", 'Lemma a : s = "y".', "a"),
    ('Lemma a : s = "(*".', "a", 'Lemma a : s = "(* *)".', "a"),
    ("Lemma a : x <= y.", "a", "Lemma a : x < = y.", "a"),
]


@pytest.mark.parametrize(("left", "left_name", "right", "right_name"), SAME_TEXT)
def test_white_space_comments_and_names_do_not_count(
    left: str, left_name: str, right: str, right_name: str
) -> None:
    assert statement_text(left, left_name) == statement_text(right, right_name) != ""


@pytest.mark.parametrize(("left", "left_name", "right", "right_name"), SAME_SHAPE)
def test_bound_names_do_not_count(left: str, left_name: str, right: str, right_name: str) -> None:
    assert statement_text(left, left_name) != statement_text(right, right_name)
    assert statement_shape(left, left_name) == statement_shape(right, right_name)


@pytest.mark.parametrize(("left", "left_name", "right", "right_name"), OTHER_SHAPE)
def test_what_is_different_stays_so(left: str, left_name: str, right: str, right_name: str) -> None:
    assert statement_shape(left, left_name) != statement_shape(right, right_name)


@given(texts, texts)
def test_any_text_has_tokens_and_a_shape(text: str, name: str) -> None:
    assert all(token.strip() for token in tokenise(text))
    statement_shape(text, name)


@given(st.lists(st.sampled_from(["forall", "x", "y", ":", ",", "(", ")", "nat", "=", "."]), max_size=12))
def test_spacing_never_changes_a_shape(words: list[str]) -> None:
    assert statement_shape(" ".join(words)) == statement_shape("\n\t ".join(words))


def test_bullets_and_proof_do_not_count_in_proofs() -> None:
    bare = tuple(
        StepRecord(tactic=t)
        for t in ("induction n.", "now  auto.", "rewrite (* so *) lemma_0.", "reflexivity.")
    )
    assert proof_text(coq_proof(0)) == proof_text(coq_proof(0, steps=bare))
    assert proof_text(coq_proof(0)) != proof_text(coq_proof(1))


def test_hashes_of_nothing_are_nothing() -> None:
    assert hashes(coq_proof(0, statement="Lemma plus_0.", steps=())) == ("", "", "")


def records() -> list[ProofRecord]:
    short = coq_proof(0).steps[1:2]
    spaced = "Theorem x : forall n,  n + 0 = 0 + n."
    return [
        coq_proof(0, id="train0"),
        coq_proof(0, id="test0", project="other", statement=spaced, name="x", steps=short),
        coq_proof(1, id="train1", steps=short),
        coq_proof(1, id="test1", statement="Lemma y : forall k, k + 1 = 1 + k.", name="y", steps=short),
        coq_proof(2, id="train2"),
        coq_proof(2, id="val2", statement="Lemma z : True.", name="z"),
        coq_proof(3, id="nowhere"),
        coq_proof(3, id="train3"),
        coq_proof(4, id="test4"),
    ]  # fmt: skip


def test_leaks_are_counted_by_what_is_the_same() -> None:
    where = {r.id: r.id.rstrip("0123456789") for r in records() if r.id != "nowhere"}
    report = find_leaks(records(), where)
    assert report.sizes == {"train": 4, "test": 3, "val": 1}
    found = {key: set(leaks.ids) for key, leaks in report.leaks.items() if leaks.ids}
    assert found == {
        ("test", "text"): {"test0"},
        ("test", "shape"): {"test0", "test1"},  # one-step proofs are alike by nature: no leak of proofs
        ("val", "proof"): {"val2"},
    }
    assert report.leaks["test", "shape"].examples == (("test0", "train0"), ("test1", "train1"))
    assert report.train_copies == {"train0", "train1"}
    assert report.across_projects == {"text": 1, "shape": 1, "proof": 0}
    data = report.as_data()
    assert {
        "part": "val",
        "same": "proof",
        "count": 1,
        "share": 1.0,
        "examples": [["val2", "train2"]],
    } in data["leaks"]


def test_without_copies_nothing_leaks() -> None:
    records_ = [coq_proof(i) for i in range(30)]
    where = {r.id: "test" if i % 3 == 0 else "train" for i, r in enumerate(records_)}
    report = find_leaks(records_, where)
    assert not any(leaks.ids for leaks in report.leaks.values())
    assert not report.train_copies
