"""Splits: together what belongs together, the same for the same data, and novel where they say so."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proof_records import coq_proof

from prover_core.data.splits import PARTS, Split, SplitBy, SplitSettings, make_split
from prover_core.errors import ConfigError, DataError
from prover_core.records import PremiseRef, ProofRecord


def corpus(files: int = 60, each: int = 5, projects: int = 12) -> list[ProofRecord]:
    return [
        coq_proof(
            i,
            file=f"F{f}.v",
            project=f"project{f % projects}",
            id=f"F{f}.v:plus_{i}",
            created_at=f"20{20 + f % 6}-03-04" if f % 7 else "",
        )
        for f in range(files)
        for i in range(each)
    ]


def part_of(split: Split) -> dict[str, str]:
    return split.assignment()


@pytest.mark.parametrize("by", [SplitBy.RANDOM, SplitBy.FILE, SplitBy.PROJECT])
def test_groups_stay_together_and_parts_cover_all(by: SplitBy) -> None:
    records = corpus()
    split = make_split(records, SplitSettings(by=by, ratios=(0.5, 0.2, 0.3)))
    where = part_of(split)
    assert where.keys() == {r.id for r in records}
    assert sum(len(getattr(split, part)) for part in PARTS) == len(records)
    assert all(getattr(split, part) for part in PARTS)
    for record in records:
        others = [
            r
            for r in records
            if (r.file == record.file if by is SplitBy.FILE else r.project == record.project)
        ]
        if by is not SplitBy.RANDOM:
            assert {where[r.id] for r in others} == {where[record.id]}


@pytest.mark.parametrize("by", [SplitBy.RANDOM, SplitBy.FILE, SplitBy.PROJECT, SplitBy.PREMISE])
def test_the_order_of_the_data_does_not_matter(by: SplitBy) -> None:
    records = corpus()
    shuffled = random.Random(3).sample(records, len(records))
    settings_ = SplitSettings(by=by)
    assert make_split(records, settings_) == make_split(shuffled, settings_)
    assert make_split(records, settings_) != make_split(records, SplitSettings(by=by, seed=1))


@pytest.mark.parametrize("by", [SplitBy.RANDOM, SplitBy.FILE, SplitBy.PROJECT])
def test_more_data_moves_nothing(by: SplitBy) -> None:
    few, many = corpus(files=20), corpus(files=60)
    small, large = (part_of(make_split(r, SplitSettings(by=by))) for r in (few, many))
    assert all(large[id] == part for id, part in small.items())


def test_another_share_of_val_leaves_test_alone() -> None:
    one, other = (
        make_split(corpus(), SplitSettings(by=SplitBy.RANDOM, ratios=ratios))
        for ratios in ((0.8, 0.1, 0.1), (0.6, 0.3, 0.1))
    )
    assert one.test == other.test
    assert set(one.val) < set(other.val)


def test_shares_are_about_those_asked_for() -> None:
    split = make_split(corpus(files=400), SplitSettings(by=SplitBy.RANDOM))
    assert 0.77 < len(split.train) / 2000 < 0.83
    assert 0.08 < len(split.test) / 2000 < 0.12


def test_by_date_the_cutoff_day_itself_tests() -> None:
    days = ["2023-12-31", "2024-01-01", "2024-01-01T00:00:00+00:00", "", "2023-12-31T23:59:59+00:00"]
    records = [coq_proof(i, created_at=day) for i, day in enumerate(days)]
    split = make_split(records, SplitSettings(by=SplitBy.DATE, cutoff="2024-01-01"))
    assert split.train == (records[0].id, records[4].id)
    assert split.test == (records[1].id, records[2].id)
    assert split.left_out == {"no date": (records[3].id,)}


def test_by_date_without_any_date() -> None:
    with pytest.raises(DataError, match="none of the proofs has a date"):
        make_split([coq_proof(0)], SplitSettings(by=SplitBy.DATE, cutoff="2024-01-01"))


_uses = st.lists(st.lists(st.integers(0, 30), max_size=5), min_size=1, max_size=60)


@settings(deadline=None, max_examples=50)
@given(_uses, st.integers(0, 5))
def test_each_test_proof_uses_a_premise_that_training_never_does(uses: list[list[int]], seed: int) -> None:
    records = []
    for number, used in enumerate(uses):
        proof = coq_proof(number)
        premises = tuple(PremiseRef(name=f"lemma{n}", kind="thm") for n in used)
        steps = (proof.steps[1].model_copy(update={"premises": premises}),)
        records.append(proof.model_copy(update={"steps": steps}))
    split = make_split(records, SplitSettings(by=SplitBy.PREMISE, seed=seed, ratios=(0.6, 0.2, 0.2)))
    names = {r.id: {p.name for s in r.steps for p in s.premises} for r in records}
    trained = set().union(*(names[id] for id in split.train)) if split.train else set()
    for id in (*split.val, *split.test):
        assert names[id] - trained
    assert sorted((*split.train, *split.val, *split.test)) == sorted(names)


def test_by_premise_about_the_share_asked_for() -> None:
    records = [coq_proof(i) for i in range(500)]  # each has a premise of its own
    split = make_split(records, SplitSettings(by=SplitBy.PREMISE, ratios=(0.8, 0.1, 0.1)))
    assert (len(split.train), len(split.val), len(split.test)) == (400, 50, 50)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        (SplitSettings(by=SplitBy.FILE, ratios=(0.5, 0.1, 0.1)), "must add up to 1"),
        (SplitSettings(by=SplitBy.FILE, ratios=(1.2, -0.1, -0.1)), "must add up to 1"),
        (SplitSettings(by=SplitBy.DATE), "needs a cutoff like 2024-01-01, not ''"),
        (SplitSettings(by=SplitBy.DATE, cutoff="20240101"), "needs a cutoff like 2024-01-01"),
        (SplitSettings(by=SplitBy.FILE, cutoff="2024-01-01"), "a cutoff is for a split by date, not by file"),
    ],
)
def test_settings_that_make_no_sense(settings_: SplitSettings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_split(corpus(), settings_)


@pytest.mark.parametrize("by", [SplitBy.FILE, SplitBy.PREMISE])
def test_ids_must_be_unique_and_there(by: SplitBy) -> None:
    with pytest.raises(DataError, match=r"1 ids occur more than once, 'Arith/Plus\.v:plus_1' for one"):
        make_split([coq_proof(1), coq_proof(2), coq_proof(1)], SplitSettings(by=by))
    with pytest.raises(DataError, match="there is no proof to split"):
        make_split([], SplitSettings(by=by))


def test_saved_and_loaded(tmp_path: Path) -> None:
    split = make_split(corpus(), SplitSettings(by=SplitBy.FILE)).without(["F1.v:plus_1"], "a reason")
    split.save(tmp_path / "s.json")
    loaded = Split.load(tmp_path / "s.json")
    assert loaded == split
    assert "F1.v:plus_1" not in loaded.assignment()
    assert loaded.left_out == {"a reason": ("F1.v:plus_1",)}
    with pytest.raises(DataError, match="no part 'dev'; its parts are train, val, test"):
        loaded.ids("dev")
    (tmp_path / "s.json").write_text('{"train": 1}')
    with pytest.raises(DataError, match=r"s\.json is no split: .*`prover data split` makes one"):
        Split.load(tmp_path / "s.json")
    with pytest.raises(DataError, match="No such file"):
        Split.load(tmp_path / "none.json")
