"""Which theorems are attempted."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from prover_core.runner import select_theorems
from prover_core.types import Theorem


def theorem(n: int) -> Theorem:
    return Theorem(id=f"Arith/P{n % 3}.v:Nat.lemma_{n}", name=f"Nat.lemma_{n}", prover="fake", statement="s")


ALL = [theorem(n) for n in range(50)]


def test_globs_match_ids_and_names() -> None:
    assert select_theorems(ALL, only=["Nat.lemma_7"]) == [ALL[7]]
    assert select_theorems(ALL, only=["Arith/P0.v:*"]) == ALL[::3]
    assert select_theorems(ALL, only=["*lemma_1", "*lemma_2"]) == ALL[1:3]
    assert select_theorems(ALL, only=["*_1?"], skip=["*[0-8]"]) == [ALL[19]]
    assert select_theorems(ALL, skip=["*"]) == []
    assert select_theorems(ALL, only=["nat.*"]) == []  # names are case-sensitive


@given(st.integers(0, 60), st.integers())
def test_a_sample_is_in_order_and_the_same_again(size: int, seed: int) -> None:
    sample = select_theorems(ALL, sample=size, seed=seed)
    assert len(sample) == min(size, 50)
    assert [ALL.index(t) for t in sample] == sorted(ALL.index(t) for t in sample)
    assert sample == select_theorems(iter(ALL), sample=size, seed=seed)


@given(st.integers(1, 49), st.integers(), st.integers(0, 49))
def test_one_theorem_more_moves_at_most_one_out(size: int, seed: int, where: int) -> None:
    fewer = ALL[:where] + ALL[where + 1 :]
    before = {t.id for t in select_theorems(fewer, sample=size, seed=seed)}
    after = {t.id for t in select_theorems(ALL, sample=size, seed=seed)}
    assert len(before - after) <= 1


def test_samples_of_other_seeds_differ_and_are_fair() -> None:
    counts = dict.fromkeys((t.id for t in ALL), 0)
    for seed in range(400):
        for chosen in select_theorems(ALL, sample=10, seed=seed):
            counts[chosen.id] += 1
    assert 45 < min(counts.values()) and max(counts.values()) < 120  # 80 expected of each


def test_limit_comes_last_and_reads_no_further() -> None:
    endless = (theorem(n) for n in itertools.count())
    assert select_theorems(endless, limit=3) == ALL[:3]
    assert select_theorems(ALL, sample=10, limit=4) == select_theorems(ALL, sample=10)[:4]
    assert select_theorems(ALL, limit=0) == []
