"""Checking a run's proofs again."""

from __future__ import annotations

import json

import pytest

from prover_core.errors import RunStoreError
from prover_core.runner import verify_run
from prover_core.store import AttemptRecord, AttemptStatus, RunStore
from prover_core.store.records import RecheckRecord


@pytest.mark.parametrize("workers", [1, 3])
def test_every_claimed_proof_is_checked_again_in_order(lab, fake, workers: int) -> None:
    lab.run(lab.theorems("and_*,or_*,falsum"))
    store = RunStore.open(lab.path)
    claimed = [record for record in store.records() if record.proved]
    checks = list(verify_run(store, fake(), workers=workers))
    assert [check.record for check in checks] == claimed and len(claimed) > 8
    assert all(check.agrees for check in checks)
    lines = (lab.path / "verify.jsonl").read_bytes().splitlines()
    written = [RecheckRecord.model_validate_json(line) for line in lines]
    assert [w.uid for w in written] == [record.uid for record in claimed]
    assert {w.verdict.status.value for w in written} == {"proved"}


def test_a_forged_proof_is_found_out(lab, fake) -> None:
    lab.run(lab.theorems("identity,and_swap"))
    results = lab.path / "results.jsonl"
    forged = []
    for line in results.read_bytes().splitlines():
        record = AttemptRecord.model_validate_json(line)
        if record.name == "and_swap":
            record = record.model_copy(update={"proof": ("cheat.",)})
        forged.append(record.to_line())
    results.write_bytes(b"".join(forged))
    verdicts = {c.record.name: c for c in verify_run(RunStore.open(lab.path), fake())}
    assert verdicts["identity"].agrees
    assert not verdicts["and_swap"].agrees and verdicts["and_swap"].verdict.status.value == "cheated"


def test_the_kernel_is_asked_where_it_should_be(lab, fake) -> None:
    lab.run(lab.theorems("identity"))
    (check,) = verify_run(RunStore.open(lab.path), fake(), kernel_recheck=True)
    assert check.verdict.kernel_rechecked is True


def test_a_broken_check_is_no_verdict_on_the_proof(lab, fake) -> None:
    lab.run(lab.theorems("identity"))
    (check,) = verify_run(RunStore.open(lab.path), fake(check_breaks=True))
    assert not check.agrees and check.verdict.status.value == "machinery_failed"


def test_proofs_whose_first_check_broke_can_be_checked(lab, fake) -> None:
    lab.run(lab.theorems("identity"), environment=fake(check_breaks=True))
    store = RunStore.open(lab.path)
    assert list(verify_run(store, fake())) == []
    (check,) = verify_run(store, fake(), statuses=frozenset({AttemptStatus.UNCHECKED}))
    assert check.agrees


def test_stopping_half_way_leaves_whole_lines_and_no_thread(lab, fake) -> None:
    lab.run(lab.theorems("and_*,or_*"))
    checks = verify_run(RunStore.open(lab.path), fake(), workers=2)
    next(checks)
    next(checks)
    checks.close()
    assert len([json.loads(line) for line in (lab.path / "verify.jsonl").read_text().splitlines()]) == 2


def test_a_run_that_cannot_be_read_is_refused(lab, fake) -> None:
    lab.run(lab.theorems("identity"))
    results = lab.path / "results.jsonl"
    results.write_bytes(b"damage\n" + results.read_bytes())
    with pytest.raises(RunStoreError, match="line 1, is not a result"):
        list(verify_run(RunStore.open(lab.path), fake()))
