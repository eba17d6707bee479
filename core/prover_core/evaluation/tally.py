"""Adds attempts up to the result under one budget; holds numbers and ids, never the records."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from prover_core.evaluation.budgets import EvaluationBudget
from prover_core.evaluation.derive import AttemptView
from prover_core.evaluation.results import (
    NOT_MADE,
    BestProof,
    BudgetResult,
    Costs,
    PassAtK,
    ProjectResult,
    TheoremResult,
    statement_hash,
)
from prover_core.evaluation.statistics import mean_interval, pass_at_k, wilson_interval
from prover_core.store.records import AttemptRecord, AttemptStatus, writable_text
from prover_core.store.summary import area_of
from prover_core.types import Theorem

__all__ = ["Tally", "pass_at"]

_SUMS = (
    "seconds_total",
    "seconds_search",
    "seconds_env",
    "seconds_model",
    "seconds_value",
    "seconds_verify",
    "tries",
    "model_calls",
    "tokens",
)


@dataclass(slots=True)
class _Entry:
    """What is known of one theorem."""

    id: str
    name: str
    prover: str
    project: str
    statement_hash: str
    area: str = ""
    statuses: dict[int, AttemptStatus] = field(default_factory=dict)
    best: BestProof | None = None
    seconds: float = 0.0
    problem: str = ""
    """Why nothing is known of it, where an attempt says so."""


class Tally:
    """The attempts under one budget, from one run or several."""

    def __init__(self, budget: EvaluationBudget, *, attempts: int) -> None:
        self.budget = budget
        self.run_dirs: list[str] = []
        self._attempts = attempts
        self._entries: dict[str, _Entry] = {}
        self._sums: dict[str, float] = dict.fromkeys(_SUMS, 0)
        self._seconds_open = 0.0
        self._seconds: list[float] = []
        self._seconds_proved: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def plan(
        self, theorems: Iterable[Theorem], *, project: str = "", ids: Mapping[str, str] | None = None
    ) -> None:
        """Theorems that are to be attempted, in order.

        :param project: what they are counted under; empty: what each says itself.
        :param ids: other ids for some of them, where two sources use the same ones.
        """
        for theorem in theorems:
            id = (ids or {}).get(theorem.id, theorem.id)
            self._entries.setdefault(
                id,
                _Entry(
                    id=id,
                    name=writable_text(theorem.name),
                    prover=theorem.prover,
                    project=writable_text(project or theorem.project),
                    statement_hash=statement_hash(theorem.statement),
                ),
            )

    def add(self, view: AttemptView, *, project: str = "", ids: Mapping[str, str] | None = None) -> None:
        """One attempt; a theorem that was not planned is planned by it."""
        record = view.record
        entry = self._entry(record, project, ids or {})
        entry.area = area_of(record)
        entry.statuses[record.attempt] = view.status
        entry.seconds += view.seconds_total
        for name in _SUMS:
            self._sums[name] += getattr(view, name)
        self._seconds_open += record.seconds_open
        self._seconds.append(view.seconds_total)
        self._statuses[view.status.value] += 1
        if view.status is not AttemptStatus.PROVED:
            self._failures[view.failure] += 1
            if not view.status.conclusive:
                entry.problem = record.error.partition("\n")[0] or record.detail
            return
        self._seconds_proved.append(view.seconds_total)
        found = _best_of(view)
        if entry.best is None or (found.tries, found.attempt) < (entry.best.tries, entry.best.attempt):
            entry.best = found

    def result(
        self, ks: Sequence[int], *, seed: int = 0, derived_from: str = "", by_project: bool = False
    ) -> BudgetResult:
        """Everything added up.

        :param ks: the k of pass@k.
        :param seed: of the bootstrap.
        :param derived_from: the larger budget that these attempts were made with.
        """
        theorems = tuple(self._theorem(entry) for entry in self._entries.values())
        evaluated = sum(theorem.n > 0 for theorem in theorems)
        proved = sum(theorem.proved for theorem in theorems)
        low, high = wilson_interval(proved, evaluated)
        statuses = Counter(self._statuses)
        statuses[NOT_MADE] = sum(theorem.statuses.count(NOT_MADE) for theorem in theorems)
        return BudgetResult(
            budget=self.budget.text,
            kind=self.budget.kind,
            limits=self.budget.limits,
            method="derived" if derived_from else "run",
            derived_from=derived_from,
            run_dirs=tuple(self.run_dirs),
            attempts=self._attempts,
            planned=len(theorems),
            evaluated=evaluated,
            proved=proved,
            rate=proved / evaluated if evaluated else 0.0,
            rate_low=low,
            rate_high=high,
            pass_at=tuple(pass_at(theorems, k, seed) for k in ks),
            costs=self._costs(estimated=bool(derived_from)),
            statuses={name: n for name, n in sorted(statuses.items()) if n},
            failures=dict(sorted(self._failures.items())),
            excluded=sum(n for status, n in self._statuses.items() if not AttemptStatus(status).conclusive),
            projects=self._projects() if by_project else (),
            theorems=theorems,
        )

    def _entry(self, record: AttemptRecord, project: str, ids: Mapping[str, str]) -> _Entry:
        id = ids.get(record.theorem_id, record.theorem_id)
        if id not in self._entries:
            self.plan([record.as_theorem()], project=project, ids=ids)
        return self._entries[id]

    def _theorem(self, entry: _Entry) -> TheoremResult:
        last = max([self._attempts, *entry.statuses])
        made = entry.statuses
        return TheoremResult(
            id=entry.id,
            name=entry.name,
            prover=entry.prover,
            project=entry.project,
            area=entry.area,
            statement_hash=entry.statement_hash,
            statuses=tuple(made[n].value if n in made else NOT_MADE for n in range(1, last + 1)),
            best=entry.best,
        )

    def _costs(self, *, estimated: bool) -> Costs:
        sums = {name: round(value, 3) for name, value in self._sums.items()}
        env, total = self._sums["seconds_env"], self._sums["seconds_total"]
        return Costs(
            **{name: value for name, value in sums.items() if name.startswith("seconds")},
            tries=int(self._sums["tries"]),
            model_calls=int(self._sums["model_calls"]),
            tokens=int(self._sums["tokens"]),
            seconds_open=round(self._seconds_open, 3),
            seconds_median=_median(self._seconds),
            seconds_median_proved=_median(self._seconds_proved),
            tries_per_second=round(self._sums["tries"] / env, 1) if env > 0 else 0.0,
            attempts_per_hour=round(3600 * len(self._seconds) / total, 1) if total > 0 else 0.0,
            estimated=estimated,
        )

    def _projects(self) -> tuple[ProjectResult, ...]:
        groups: dict[str, list[_Entry]] = {}
        for entry in self._entries.values():
            groups.setdefault(entry.project or "(none)", []).append(entry)
        return tuple(self._project(name, entries) for name, entries in sorted(groups.items()))

    def _project(self, name: str, entries: Sequence[_Entry]) -> ProjectResult:
        theorems = [self._theorem(entry) for entry in entries]
        evaluated = sum(theorem.n > 0 for theorem in theorems)
        proved = sum(theorem.proved for theorem in theorems)
        low, high = wilson_interval(proved, evaluated)
        return ProjectResult(
            project=name,
            theorems=len(theorems),
            evaluated=evaluated,
            proved=proved,
            rate=proved / evaluated if evaluated else 0.0,
            rate_low=low,
            rate_high=high,
            seconds_total=round(sum(entry.seconds for entry in entries), 3),
            seconds_median=_median([entry.seconds for entry in entries if entry.statuses]),
            problem=_problem(entries) if not evaluated else "",
        )


def pass_at(theorems: Sequence[TheoremResult], k: int, seed: int = 0) -> PassAtK:
    """Unbiased pass@k of the theorems, with its interval over theorems."""
    values = pass_at_k([t.n for t in theorems], [t.c for t in theorems], k) if theorems else np.empty(0)
    known = values[~np.isnan(values)]
    interval = mean_interval(known, seed=seed)
    return PassAtK(
        k=k,
        value=float(np.sort(known).mean()) if known.size else 0.0,
        low=interval.low,
        high=interval.high,
        method=interval.method,
        level=interval.level,
        theorems=int(known.size),
        left_out=int(values.size - known.size),
    )


def _best_of(view: AttemptView) -> BestProof:
    record = view.record
    used = record.used
    return BestProof(
        uid=record.uid,
        attempt=record.attempt,
        seconds=view.seconds_search,
        seconds_total=record.seconds_total,
        tries=record.tries if used is None else used.tries,
        model_calls=record.model_calls if used is None else used.model_calls,
        tactics=len(record.proof),
    )


def _problem(entries: Sequence[_Entry]) -> str:
    """What kept a project from being evaluated, in the words of most of its theorems."""
    problems = Counter(entry.problem for entry in entries if entry.problem)
    return problems.most_common(1)[0][0] if problems else "nothing was attempted"


def _median(seconds: Sequence[float]) -> float | None:
    return round(statistics.median(seconds), 4) if seconds else None
