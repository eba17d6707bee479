"""A run in numbers: counts with an interval, where the time went, which axioms were used."""

from __future__ import annotations

import math
import statistics
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from prover_core.store.records import SCHEMA_VERSION, AttemptRecord, AttemptStatus
from prover_core.store.run_store import RunStore

__all__ = ["AreaSummary", "RunSummary", "area_of", "summarise", "summary_schema", "wilson_interval"]


class AreaSummary(BaseModel):
    """One part of the data: a folder of a library, or what the data source calls an area."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    area: str
    theorems: int
    proved: int
    rate: float = Field(description="proved / theorems")


class RunSummary(BaseModel):
    """A whole run, earlier sessions included. Times are sums over all workers, in seconds."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: int = SCHEMA_VERSION
    run_dir: str
    theorems: int = Field(description="That the run was to attempt.")
    attempts: int = Field(description="Recorded.")
    proved: int = 0
    failed: int = 0
    out_of_budget: int = 0
    rejected: int = 0
    unchecked: int = 0
    crashed: int = 0
    unavailable: int = 0
    not_attempted: int = Field(default=0, description="Theorems without any record: the run was stopped.")
    theorems_proved: int = Field(default=0, description="Theorems with at least one proved attempt.")
    conclusive: int = Field(default=0, description="Attempts that say something about their theorem.")
    rate: float = Field(default=0.0, description="proved / conclusive attempts; 0 where there is none.")
    rate_low: float = Field(default=0.0, description="Lower end of the Wilson 95 % interval of the rate.")
    rate_high: float = Field(default=1.0, description="Upper end of the Wilson 95 % interval of the rate.")
    seconds_total: float = Field(default=0.0, description="Wall time of all attempts, added up.")
    seconds_open: float = 0.0
    seconds_env: float = 0.0
    seconds_model: float = 0.0
    seconds_value: float = 0.0
    seconds_verify: float = 0.0
    median_seconds_proved: float | None = None
    tries: int = 0
    tries_per_second: float = Field(default=0.0, description="tries / seconds_env: one worker's rate.")
    model_calls: int = 0
    replays: int = 0
    replayed_tactics: int = 0
    restarts: int = 0
    counters: dict[str, int] = Field(
        default_factory=dict, description="What the search counts of its own, added up over all attempts."
    )
    axioms: dict[str, int] = Field(default_factory=dict, description="Axiom -> proofs that rest on it.")
    proved_without_axioms: int = 0
    areas: tuple[AreaSummary, ...] = ()


def summarise(store: RunStore) -> RunSummary:
    """The numbers of a run, finished or not.

    :raises RunStoreError: the results cannot be read.
    """
    return summarise_records(store.records(), run_dir=str(store.path), theorems=store.provenance.theorems)


def summarise_records(records: Iterable[AttemptRecord], *, run_dir: str, theorems: int) -> RunSummary:
    """The numbers of some attempts, each given once; ``theorems``: how many were to be attempted."""
    totals = _Totals()
    for record in records:
        totals.add(record)
    return totals.summary(run_dir, theorems)


def wilson_interval(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a proportion (95 % by default); (0, 1) where nothing was tried."""
    if trials == 0:
        return (0.0, 1.0)
    p = successes / trials
    centre = p + z * z / (2 * trials)
    spread = z * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    low = 0.0 if successes == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if successes == trials else min(1.0, (centre + spread) / scale)
    return (low, high)


def area_of(record: AttemptRecord) -> str:
    """The part of the data that a theorem is counted under.

    What its data source calls its area; else the folder of its id (``Arith/Plus.v:plus_comm``: ``Arith``);
    else its project.
    """
    area = record.metadata.get("area", "")
    if area:
        return area
    place, colon, _ = record.theorem_id.rpartition(":")
    folder, slash, _ = place.rpartition("/")
    if colon and slash and not place.startswith("/"):
        return folder
    return record.project or "(none)"


def summary_schema() -> Mapping[str, Any]:
    """JSON schema of what ``prover summary --json`` prints."""
    return RunSummary.model_json_schema()


_SUMS = (
    "seconds_total",
    "seconds_open",
    "seconds_env",
    "seconds_model",
    "seconds_value",
    "seconds_verify",
    "tries",
    "model_calls",
    "replays",
    "replayed_tactics",
    "restarts",
)


class _Totals:
    """Adds records up; holds some numbers of each, never the records or their ids."""

    def __init__(self) -> None:
        self.statuses: Counter[AttemptStatus] = Counter()
        self.sums: dict[str, float] = dict.fromkeys(_SUMS, 0)
        self.axioms: Counter[str] = Counter()
        self.axiom_free = 0
        self.counters: Counter[str] = Counter()
        self.proved_seconds = array("d")
        self.theorems = _Theorems()

    def add(self, record: AttemptRecord) -> None:
        self.statuses[record.status] += 1
        for name in _SUMS:
            self.sums[name] += getattr(record, name)
        self.counters.update(record.counters)
        self.theorems.add(record)
        if not record.proved:
            return
        self.proved_seconds.append(record.seconds_total)
        axioms = record.verdict.axioms if record.verdict else ()
        self.axioms.update(axioms)
        self.axiom_free += not axioms

    def summary(self, run_dir: str, theorems: int) -> RunSummary:
        proved = self.statuses[AttemptStatus.PROVED]
        conclusive = sum(n for status, n in self.statuses.items() if status.conclusive)
        low, high = wilson_interval(proved, conclusive)
        env = self.sums["seconds_env"]
        areas = self.theorems.areas()
        attempted = sum(area.theorems for area in areas)
        numbers: dict[str, Any] = {name: round(self.sums[name], 3) for name in _SUMS}
        numbers |= {status.value: self.statuses[status] for status in AttemptStatus}
        return RunSummary(
            run_dir=run_dir,
            theorems=max(theorems, attempted),
            attempts=self.statuses.total(),
            not_attempted=max(0, theorems - attempted),
            theorems_proved=sum(area.proved for area in areas),
            conclusive=conclusive,
            rate=proved / conclusive if conclusive else 0.0,
            rate_low=low,
            rate_high=high,
            **numbers,
            median_seconds_proved=statistics.median(self.proved_seconds) if self.proved_seconds else None,
            tries_per_second=round(self.sums["tries"] / env, 1) if env > 0 else 0.0,
            counters=dict(sorted(self.counters.items())),
            axioms=dict(self.axioms.most_common()),
            proved_without_axioms=self.axiom_free,
            areas=areas,
        )


class _Theorems:
    """Theorems by area, each once however often it was attempted: 16 bytes an attempt.

    A theorem is known by the hash of its id: that two of a million have the same is once in 37 million runs.
    """

    def __init__(self) -> None:
        self._marks = array("q")
        self._areas = array("l")
        self._proved = array("b")
        self._numbers: dict[str, int] = {}
        """Area -> its number."""

    def add(self, record: AttemptRecord) -> None:
        self._marks.append(hash(record.theorem_id))
        self._areas.append(self._numbers.setdefault(area_of(record), len(self._numbers)))
        self._proved.append(record.proved)

    def areas(self) -> tuple[AreaSummary, ...]:
        """In the order of their names; a theorem is in the area that its last attempt names."""
        if not self._marks:
            return ()
        import numpy as np

        _, last, theorem = np.unique(
            np.frombuffer(self._marks, dtype=np.int64)[::-1], return_index=True, return_inverse=True
        )
        area_of_theorem = np.frombuffer(self._areas, dtype=np.dtype("l"))[::-1][last]
        proved = np.bincount(theorem, weights=np.frombuffer(self._proved, dtype=np.int8)[::-1]) > 0
        theorems = np.bincount(area_of_theorem, minlength=len(self._numbers)).tolist()
        wins = np.bincount(area_of_theorem[proved], minlength=len(self._numbers)).tolist()
        return tuple(
            AreaSummary(area=area, theorems=theorems[n], proved=wins[n], rate=wins[n] / theorems[n])
            for area, n in sorted(self._numbers.items())
            if theorems[n]
        )
