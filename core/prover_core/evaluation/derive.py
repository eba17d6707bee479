"""What an attempt with a large budget says about the same attempt with a smaller one.

Only for searches that a smaller budget merely ends earlier. What was found within the smaller budget counts
as found; what took more is out of budget; what broke stays broken, because nobody knows when it would have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from prover_core.evaluation.budgets import EvaluationBudget
from prover_core.store.records import AttemptRecord, AttemptStatus, UsedRecord

__all__ = ["AttemptView", "under"]

_FOUND = frozenset({AttemptStatus.PROVED, AttemptStatus.REJECTED, AttemptStatus.UNCHECKED})
_UNKNOWN = frozenset({AttemptStatus.CRASHED, AttemptStatus.UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt under one budget: its status, and what it used. Times in seconds."""

    record: AttemptRecord
    status: AttemptStatus
    seconds_total: float
    seconds_search: float
    seconds_env: float
    seconds_model: float
    seconds_value: float
    seconds_verify: float
    tries: int
    model_calls: int
    tokens: int

    @property
    def failure(self) -> str:
        """Its class, where it proved nothing: status, and what is known of the reason."""
        record = self.record
        match self.status:
            case AttemptStatus.REJECTED if record.verdict is not None:
                return f"rejected.{record.verdict.status.value}"
            case AttemptStatus.CRASHED | AttemptStatus.UNAVAILABLE if record.error_class:
                return f"{self.status.value}.{record.error_class}"
            case _:
                return self.status.value


def under(record: AttemptRecord, budget: EvaluationBudget, run: EvaluationBudget) -> AttemptView:
    """The attempt under ``budget``, read from what was recorded under ``run``, which allows no less."""
    if budget.text == run.text or record.status in _UNKNOWN:
        return _whole(record)
    if _fits(record, budget.limits):
        most = budget.budget.tries
        whole = _whole(record)
        if most is None or record.retries:
            return whole
        return replace(whole, tries=min(whole.tries, most))  # fewer siblings go to the prover at a time
    mark = next((mark for mark in record.marks if mark.budget == _written(budget)), None)
    return _cut(record, mark if mark is not None else _at_most(record, budget.limits))


def _written(budget: EvaluationBudget) -> str:
    return budget.text.replace("+", ",")


def _fits(record: AttemptRecord, limits: Mapping[str, float]) -> bool:
    """Whether the attempt would have ended within the limits as it did."""
    used = record.used
    if used is None:
        return False
    found = record.status in _FOUND
    if not found and record.status is not AttemptStatus.FAILED:
        return False
    for kind, limit in limits.items():
        amount = getattr(used, kind)
        # a search looks at its limits before it sees that nothing is left; at tokens before it goes on
        at_limit = (found and kind != "tokens") or kind == "model_calls"
        if amount > limit or (amount == limit and not at_limit):
            return False
    return True


def _whole(record: AttemptRecord) -> AttemptView:
    search = record.seconds_env + record.seconds_model + record.seconds_value
    return AttemptView(
        record=record,
        status=record.status,
        seconds_total=record.seconds_total,
        seconds_search=search if record.used is None else record.used.seconds,
        seconds_env=record.seconds_env,
        seconds_model=record.seconds_model,
        seconds_value=record.seconds_value,
        seconds_verify=record.seconds_verify,
        tries=record.tries,
        model_calls=record.model_calls,
        tokens=0 if record.used is None else record.used.tokens,
    )


def _cut(record: AttemptRecord, used: UsedRecord) -> AttemptView:
    return AttemptView(
        record=record,
        status=AttemptStatus.OUT_OF_BUDGET,
        seconds_total=record.seconds_open + used.seconds,
        seconds_search=used.seconds,
        seconds_env=used.seconds_env,
        seconds_model=used.seconds_model,
        seconds_value=used.seconds_value,
        seconds_verify=0.0,
        tries=used.tries,
        model_calls=used.model_calls,
        tokens=used.tokens,
    )


def _at_most(record: AttemptRecord, limits: Mapping[str, float]) -> UsedRecord:
    """For an attempt without a mark (its run was begun by `prover run`): in proportion."""
    tries, seconds = record.tries, record.seconds_env + record.seconds_model + record.seconds_value
    share = 1.0
    for kind, amount in (("tries", tries), ("seconds", seconds), ("model_calls", record.model_calls)):
        if kind in limits and amount:
            share = min(share, limits[kind] / amount)
    return UsedRecord(
        tries=int(tries * share),
        model_calls=int(record.model_calls * share),
        seconds=seconds * share,
        seconds_env=record.seconds_env * share,
        seconds_model=record.seconds_model * share,
        seconds_value=record.seconds_value * share,
    )
