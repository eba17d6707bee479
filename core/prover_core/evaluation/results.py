"""``result.json``: what an evaluation found, typed and versioned; the one thing that others read of it.

An :class:`IterationResult` holds one :class:`BudgetResult` for each budget, and each of these one
:class:`TheoremResult` for each theorem. What was measured by the clock and not decided by the search is
listed in :data:`MEASURED`; everything else is the same however often a run was stopped and resumed.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field, field_validator

from prover_core._version import __version__
from prover_core.errors import DataError
from prover_core.store.files import write_atomically
from prover_core.store.provenance import ToolchainRecord
from prover_core.store.records import AttemptStatus, utc_now

__all__ = [
    "MEASURED",
    "NOT_MADE",
    "RESULT_FILE",
    "RESULT_KIND",
    "RESULT_VERSION",
    "BestProof",
    "BudgetResult",
    "Costs",
    "IterationResult",
    "PassAtK",
    "ProjectResult",
    "PublishedFigure",
    "SourceResult",
    "TheoremResult",
    "result_schema",
    "statement_hash",
]

RESULT_VERSION: Final = 1
"""Raised when a field changes its meaning or goes away; a new field with a default does not raise it."""

RESULT_KIND: Final = "polyprover-evaluation"
"""What tells the file from other JSON."""

RESULT_FILE: Final = "result.json"
"""Its name in the directory of an evaluation."""

NOT_MADE: Final = "not_made"
"""Status of an attempt that the evaluation was to make and did not."""

MEASURED: Final = frozenset(
    {"created", "costs", "run_dirs", "polyprover", "uid", "seconds", "seconds_total", "seconds_median"}
)
"""Fields, wherever they stand, that depend on the clock, the place and the day."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class BestProof(_Record):
    """The proof of a theorem that took the fewest tries, of the earliest attempt among equals."""

    uid: str = Field(description="Of the attempt, in its run directory.")
    attempt: int
    seconds: float = Field(description="Wall time of the search until the proof was found.")
    seconds_total: float = Field(description="Wall time of the attempt: opening and checking included.")
    tries: int = Field(description="Tactics tried until the proof was found, the last one included.")
    model_calls: int = 0
    tactics: int = Field(default=0, description="Length of the proof; 0: it is one text.")


class TheoremResult(_Record):
    """One theorem under one budget."""

    id: str
    name: str
    prover: str = ""
    project: str = ""
    area: str = Field(default="", description="Part of the data that it is counted under.")
    statement_hash: str = Field(description="Over the statement, white space apart: same id, same theorem?")
    statuses: tuple[str, ...] = Field(
        description="How each attempt ended, in order: an AttemptStatus, or not_made."
    )
    best: BestProof | None = None

    @field_validator("statuses")
    @classmethod
    def _known(cls, statuses: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [status for status in statuses if status not in _STATUSES]:
            msg = f"no attempt ends as {unknown[0]!r}"
            raise ValueError(msg)
        return statuses

    @computed_field(description="Attempts that say something about the theorem.")  # type: ignore[prop-decorator]
    @property
    def n(self) -> int:
        return sum(status in _CONCLUSIVE for status in self.statuses)

    @computed_field(description="Attempts that proved it.")  # type: ignore[prop-decorator]
    @property
    def c(self) -> int:
        return self.statuses.count(AttemptStatus.PROVED.value)

    @property
    def proved(self) -> bool:
        """At least one attempt proved it."""
        return self.c > 0

    def first(self, k: int) -> tuple[int, int]:
        """(conclusive, proved) among the first ``k`` attempts."""
        head = self.statuses[:k]
        return sum(s in _CONCLUSIVE for s in head), head.count(AttemptStatus.PROVED.value)


class PassAtK(_Record):
    """Unbiased pass@k, the mean over theorems, with its interval."""

    k: int
    value: float
    low: float
    high: float
    method: str = Field(description="Of the interval: bca, percentile, or wilson where all agree.")
    level: float = 0.95
    theorems: int = Field(description="With at least k conclusive attempts: those that it is the mean of.")
    left_out: int = Field(default=0, description="Theorems with fewer than k conclusive attempts.")


class Costs(_Record):
    """What the attempts used, added up. Times in seconds; machinery failures included."""

    seconds_total: float = Field(default=0.0, description="Wall time of all attempts.")
    seconds_search: float = Field(default=0.0, description="Wall time of the searches: what a budget limits.")
    seconds_open: float = 0.0
    seconds_env: float = Field(default=0.0, description="Inside the prover while searching.")
    seconds_model: float = Field(default=0.0, description="Waiting for the policy, queueing included.")
    seconds_value: float = 0.0
    seconds_verify: float = Field(default=0.0, description="The independent checks.")
    seconds_median: float | None = Field(default=None, description="Of the attempts.")
    seconds_median_proved: float | None = Field(default=None, description="Of the attempts that proved.")
    tries: int = 0
    model_calls: int = 0
    tokens: int = Field(
        default=0, description="Of the searches that came to an end, where the model counts them."
    )
    tries_per_second: float = Field(default=0.0, description="tries / seconds_env: one worker's rate.")
    attempts_per_hour: float = Field(default=0.0, description="attempts / seconds_total: one worker's rate.")
    estimated: bool = Field(
        default=False,
        description="Of a derived budget: times where the search would have ended were read from its marks.",
    )


class PublishedFigure(_Record):
    """What somebody else published about the same theorems."""

    source: str
    proved: int
    total: int
    same_ids: int = Field(description="Theorems of this evaluation among those of the published figure.")
    same_evaluated: int = Field(default=0, description="Of these, with a conclusive attempt here.")
    same_proved: int = Field(default=0, description="Of these, proved here.")
    note: str = ""

    @property
    def rate(self) -> float:
        return self.proved / self.total if self.total else 0.0


class ProjectResult(_Record):
    """One project under one budget."""

    project: str
    theorems: int
    evaluated: int = Field(description="With a conclusive attempt.")
    proved: int
    rate: float
    rate_low: float
    rate_high: float
    seconds_total: float = Field(default=0.0, description="Wall time of all attempts.")
    seconds_median: float | None = Field(
        default=None, description="Of the theorems that were attempted: all attempts at one together."
    )
    problem: str = Field(default="", description="Why there is nothing, where there is nothing.")
    published: PublishedFigure | None = None


class SourceResult(_Record):
    """One ``--data`` of the evaluation."""

    reference: str
    theorems: int = 0
    data_hash: str = ""
    details: dict[str, str] = Field(default_factory=dict, description="What it says of itself: left out, ...")
    problem: str = Field(default="", description="Why it could not be used; the others were.")


class BudgetResult(_Record):
    """All theorems under one budget."""

    budget: str = Field(description="As --budgets takes it: 100t, 20s, 300t+60s.")
    kind: str = Field(description="tries, seconds, model_calls, tokens; several joined by +.")
    limits: dict[str, float] = Field(description="Kind -> amount.")
    method: Literal["run", "derived"] = Field(
        description="run: searched with this budget. derived: read from searches with a larger one."
    )
    derived_from: str = Field(default="", description="The larger budget.")
    run_dirs: tuple[str, ...] = Field(default=(), description="Relative to the result's directory.")
    attempts: int = Field(description="That were to be made at each theorem.")
    planned: int = Field(description="Theorems.")
    evaluated: int = Field(description="Theorems with a conclusive attempt.")
    proved: int = Field(description="Theorems with a proof in any attempt.")
    rate: float = Field(description="proved / evaluated; 0 where there is none.")
    rate_low: float = Field(description="Of the Wilson 95 % interval.")
    rate_high: float
    pass_at: tuple[PassAtK, ...] = ()
    costs: Costs = Costs()
    statuses: dict[str, int] = Field(default_factory=dict, description="Attempts by how they ended.")
    failures: dict[str, int] = Field(
        default_factory=dict,
        description="Attempts that proved nothing by class: status, and what ended it (failed, "
        "out_of_budget, rejected.cheated, crashed.EnvironmentCrashedError, ...).",
    )
    excluded: int = Field(default=0, description="Attempts that the machinery broke: in no rate.")
    projects: tuple[ProjectResult, ...] = ()
    theorems: tuple[TheoremResult, ...] = ()


class IterationResult(_Record):
    """One evaluation: a model, a prover, some theorems, some budgets."""

    schema_version: int = RESULT_VERSION
    kind: Literal["polyprover-evaluation"] = RESULT_KIND
    name: str = Field(default="", description="What tables call it; default: env, model.")
    iteration: int | None = Field(default=None, description="Of expert iteration; none: of none.")
    env: str
    prover: str = ""
    model: str
    search: str = ""
    value: str = ""
    split: str = Field(default="", description="Of the data: train, valid, test; as the person named it.")
    seed: int = 0
    attempts: int = 1
    created: str = Field(default_factory=utc_now, description="ISO 8601, UTC.")
    polyprover: str = __version__
    toolchain: ToolchainRecord | None = None
    sources: tuple[SourceResult, ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict, description="Of the search: the run's config.")
    run_dirs: tuple[str, ...] = Field(default=(), description="Relative to the result's directory.")
    notes: tuple[str, ...] = Field(default=(), description="What a reader of the figures must know.")
    budgets: tuple[BudgetResult, ...] = ()

    @property
    def label(self) -> str:
        """What tables call it."""
        return " ".join(self.name.split()) or f"{self.env} {self.model}".strip()

    def budget(self, text: str) -> BudgetResult | None:
        """The result under a budget; ``None``: it was not evaluated under that one."""
        return next((each for each in self.budgets if each.budget == text), None)

    def save(self, path: Path) -> None:
        """Write it, whole or not at all.

        :raises RunStoreError: the disk is full, or the place cannot be written.
        """
        write_atomically(path, self.model_dump_json(indent=1).encode(errors="backslashreplace") + b"\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read one: the file, or the directory that holds it. Nothing is ever changed by it.

        :raises DataError: it is not such a file, is damaged, or was written by a later version.
        """
        file = path / RESULT_FILE if path.is_dir() else path
        raw = _read(file)
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            msg = f"{file} is damaged: {place}: {first['msg']}. It was left as it is; evaluate again."
            raise DataError(msg) from error

    def comparable(self) -> dict[str, Any]:
        """What does not depend on clock, place and day: equal however often the evaluation was resumed."""
        found = _without_measured(self.model_dump(mode="json"))
        return found if isinstance(found, dict) else {}


def statement_hash(statement: str) -> str:
    """16 hexadecimal digits; equal for statements that differ in white space only."""
    text = " ".join(statement.split())
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def result_schema() -> Mapping[str, Any]:
    """JSON schema of ``result.json``."""
    return IterationResult.model_json_schema()


_CONCLUSIVE = frozenset(status.value for status in AttemptStatus if status.conclusive)
_STATUSES = frozenset(AttemptStatus) | {NOT_MADE}


def _read(file: Path) -> Mapping[str, Any]:
    try:
        text = file.read_bytes()
    except FileNotFoundError as error:
        msg = f"There is no {file}. `prover eval --out DIR` writes DIR/{RESULT_FILE} when it has ended."
        raise DataError(msg) from error
    except OSError as error:
        msg = f"{file} cannot be read: {error.strerror or error}."
        raise DataError(msg) from error
    try:
        raw = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        msg = f"{file} is not JSON ({error}). It was left as it is; name a {RESULT_FILE} of `prover eval`."
        raise DataError(msg) from error
    if not isinstance(raw, dict) or raw.get("kind") != RESULT_KIND:
        msg = (
            f"{file} is JSON, and no result of an evaluation (it has no kind {RESULT_KIND!r}). It was left "
            f"as it is; name a {RESULT_FILE} of `prover eval`, or a run directory."
        )
        raise DataError(msg)
    version = raw.get("schema_version")
    if type(version) is not int or version < 1:
        msg = f"{file} is damaged: schema_version is {version!r}. It was left as it is; evaluate again."
        raise DataError(msg)
    if version > RESULT_VERSION:
        msg = (
            f"{file} was written by a later polyprover (schema {version}, this one knows {RESULT_VERSION}): "
            "upgrade with pip install -U polyprover"
        )
        raise DataError(msg)
    return raw


def _no_constant(name: str) -> float:
    msg = f"{name} is no number of JSON"
    raise ValueError(msg)


def _without_measured(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_measured(item) for key, item in value.items() if key not in MEASURED}
        case list():
            return [_without_measured(item) for item in value]
        case float() if math.isfinite(value):
            return round(value, 12)
        case _:
            return value
