"""Check every claimed proof of a run again: what ``prover verify RUN`` does."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from prover_core.contracts.environment import ProofEnvironment
from prover_core.runner.attempt import check_proof
from prover_core.store.files import AppendFile
from prover_core.store.records import AttemptRecord, AttemptStatus, RecheckRecord, VerdictRecord, utc_now
from prover_core.store.run_store import RunStore
from prover_core.types import Limits, Verdict

__all__ = ["Recheck", "verify_run"]


@dataclass(frozen=True, slots=True)
class Recheck:
    """A claimed proof, and what the new check says of it."""

    record: AttemptRecord
    verdict: Verdict

    @property
    def agrees(self) -> bool:
        """The proof holds."""
        return self.verdict.proved


def verify_run(
    store: RunStore,
    environment: ProofEnvironment,
    *,
    limits: Limits | None = None,
    kernel_recheck: bool = False,
    workers: int = 1,
    statuses: frozenset[AttemptStatus] = frozenset({AttemptStatus.PROVED}),
) -> Iterator[Recheck]:
    """Check the proofs of a run again, in fresh processes, in the order in which they were found.

    Each verdict is also appended to ``verify.jsonl`` beside the results, which are left as they are.
    ``statuses``: whose proofs; add ``UNCHECKED`` for those whose first check broke. ``workers`` checks run
    at the same time. Stopping the iteration stops the checking.

    :raises RunStoreError: the run cannot be read, or ``verify.jsonl`` not written.
    """
    limits = limits or Limits()

    def check(record: AttemptRecord) -> Recheck:
        verdict, _ = check_proof(
            environment, record.as_theorem(), record.as_proof(), limits, kernel_recheck=kernel_recheck
        )
        return Recheck(record, verdict)

    claimed = (r for r in store.records() if r.status in statuses and (r.proof or r.proof_source))
    out = AppendFile(store.path / "verify.jsonl", fsync=False)
    try:
        for recheck in _in_order(check, claimed, workers):
            out.append(
                RecheckRecord(
                    uid=recheck.record.uid,
                    theorem_id=recheck.record.theorem_id,
                    attempt=recheck.record.attempt,
                    verdict=VerdictRecord.of(recheck.verdict),
                    at=utc_now(),
                ).to_line()
            )
            yield recheck
    finally:
        out.close()


def _in_order(
    check: Callable[[AttemptRecord], Recheck], records: Iterable[AttemptRecord], workers: int
) -> Iterator[Recheck]:
    """Results in the order of the records, a few ahead; never holds more than that."""
    with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="prover-verify") as pool:
        source = iter(records)
        ahead: deque[Future[Recheck]] = deque(
            pool.submit(check, record) for record in itertools.islice(source, 2 * max(1, workers))
        )
        try:
            while ahead:
                yield ahead.popleft().result()
                ahead.extend(pool.submit(check, record) for record in itertools.islice(source, 1))
        finally:
            for waiting in ahead:
                waiting.cancel()
