"""The driver's book: what comes back from workers, recorded and told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prover_core.contracts.events import ProofFound, TheoremDone
from prover_core.contracts.policy import Usage
from prover_core.errors import ProtocolError
from prover_core.executor.messages import AttemptResult, ModelUse
from prover_core.runner.control import EventBus
from prover_core.runner.settings import RunSettings
from prover_core.runner.theorem_queue import Task
from prover_core.store import RunStore
from prover_core.store.records import AttemptRecord, AttemptStatus, VerdictRecord, new_uid, utc_now
from prover_core.store.results import parse_line
from prover_core.types import Verdict

__all__ = ["Ledger"]


class Ledger:
    """Writes records and tells the observers."""

    def __init__(self, store: RunStore, bus: EventBus, settings: RunSettings) -> None:
        self._store = store
        self._bus = bus
        self._settings = settings
        self._crashes_in_a_row = 0
        self._last_crash = ""
        self.left = 0
        """Attempts that are not recorded yet."""
        self.over = False
        """The run has ended: nothing more is written."""
        self.models: dict[str, ModelUse] = {}
        """Policy and value model -> what all workers have asked of them."""

    def read(self, result: AttemptResult) -> AttemptRecord:
        """The record in a result.

        :raises ProtocolError: there is none, or one of another version of ours: the worker's differs.
        """
        record = parse_line(result.line)
        if record is None:
            msg = (
                f"a worker sent something that is no record of this version: {result.line[:80]!r}; "
                "see that the same polyprover is installed on every machine"
            )
            raise ProtocolError(msg)
        return record

    def commit(self, worker: int, record: AttemptRecord, frames: Iterable[bytes]) -> None:
        """Write it, tell of it.

        :raises RunStoreError: it cannot be written.
        """
        record = record.model_copy(update={"worker": worker})
        self._store.append_remote(record, frames)
        self.left -= 1
        theorem = record.as_theorem()
        if record.proved and record.verdict is not None:
            self._bus.emit(ProofFound(worker, theorem, record.proof, _verdict(record.verdict)))
        self._bus.emit(
            TheoremDone(
                worker=worker,
                theorem=theorem,
                status=record.status.value,
                proof=record.proof,
                tries=record.tries,
                seconds=record.seconds_total,
                detail=record.detail or record.error.partition("\n")[0],
            )
        )
        if record.status is AttemptStatus.CRASHED:
            self._crashes_in_a_row += 1
            self._last_crash = f"{record.error_class}: {record.error.partition(chr(10))[0]}"
        else:
            self._crashes_in_a_row = 0

    def crashed(self, task: Task, why: str, times: int) -> AttemptRecord:
        """The record of an attempt under which a worker was lost too often."""
        theorem = task.theorem
        return AttemptRecord(
            uid=new_uid(),
            theorem_id=theorem.id,
            name=theorem.name,
            prover=theorem.prover,
            file=theorem.file,
            statement=theorem.statement,
            span=None if theorem.span is None else (theorem.span.start, theorem.span.end),
            preamble=theorem.preamble,
            options=theorem.options,
            project=theorem.project,
            metadata=dict(theorem.metadata),
            attempt=task.attempt,
            status=AttemptStatus.CRASHED,
            error_class="WorkerLost",
            error=f"the worker was lost {times} times while it attempted this, or could not record it; "
            f"the last time: {why}",
            seed=self._settings.seed,
            started_at=utc_now(),
        )

    def count_models(self, used: Mapping[str, ModelUse]) -> None:
        """What a batch has asked of its models."""
        for name, use in used.items():
            self.models[name] = self.models.get(name, ModelUse()) + use

    def log_models(self) -> None:
        """A line of the log for each, as the local runner writes it."""
        for name, use in self.models.items():
            counted = use.usage != Usage()
            used = {"tokens": use.usage.tokens, "used": dict(sorted(use.usage.counters.items()))}
            self._store.log(
                name,
                calls=use.calls,
                states=use.states,
                largest_batch=use.largest_batch,
                seconds=round(use.seconds, 3),
                **(used if counted else {}),
            )

    def hopeless(self) -> str:
        """Why there is no sense in going on, in words; empty: there is."""
        limit = self._settings.give_up_after
        if not limit or self._crashes_in_a_row < limit:
            return ""
        return (
            f"{self._crashes_in_a_row} attempts in a row crashed, the last with {self._last_crash}. "
            "Put that right; then resume, and have the crashed ones made again"
        )


def _verdict(record: VerdictRecord) -> Verdict:
    return Verdict(**record.model_dump(exclude={"schema_version"}))
