"""What an evaluation is to do, resolved and checked, as ``plan.json`` keeps it for a resume."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prover_core.config.request import Request, resolve_request
from prover_core.config.resolve import ResolvedRun, resolve_saved
from prover_core.errors import ConfigError, DataError, UserError
from prover_core.evaluation.budgets import EvaluationBudget, parse_budgets
from prover_core.evaluation.published import read_published
from prover_core.plugins.manager import PluginManager
from prover_core.store.files import write_atomically
from prover_core.store.records import writable_text

__all__ = ["MAY_CHANGE", "PLAN_FILE", "EvaluationPlan", "EvaluationRequest", "make_plan"]

T = TypeVar("T")

PLAN_FILE: Final = "plan.json"
_KIND: Final = "polyprover-evaluation-plan"
_VERSION: Final = 1

MAY_CHANGE: Final = frozenset({"workers", "grace", "executor", "ray_address", "policy_actors", "policy_gpus"})
"""Settings that a resume may set anew: they change how a run is carried out, never what it finds."""

_NOT_COMPARED: Final = frozenset({*MAY_CHANGE, "origins", "out"})


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What a person asks for. Settings of the search are in ``run``, as for ``prover run``."""

    run: Request
    """Without data, budget, attempts and out: they are below."""
    data: Sequence[str]
    budgets: str
    unit: str = "tries"
    attempts: int = 1
    ks: Sequence[int] = ()
    """Of pass@k; empty: 1, and the powers of two up to the number of attempts."""
    separate: bool = False
    """Run every budget, instead of reading smaller ones from the records of the largest."""
    by_project: bool = False
    name: str = ""
    iteration: int | None = None
    split: str = ""
    published: Path | None = None


class EvaluationPlan(BaseModel):
    """An evaluation, resolved: everything that decides what it finds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = Field(default=_VERSION, ge=1, le=_VERSION)
    kind: Literal["polyprover-evaluation-plan"] = _KIND
    sources: tuple[str, ...] = Field(description="References, as --data takes them.")
    configs: tuple[dict[str, Any], ...] = Field(description="The run's configuration with each source.")
    budgets: str
    attempts: int
    ks: tuple[int, ...]
    separate: bool = False
    by_project: bool = False
    name: str = ""
    iteration: int | None = None
    split: str = ""
    published: str = ""
    cwd: str = ""

    @property
    def parsed_budgets(self) -> tuple[EvaluationBudget, ...]:
        """The budgets, sorted."""
        return parse_budgets(self.budgets)

    def resolved(self, manager: PluginManager, folder: Path, changes: Mapping[str, Any]) -> list[ResolvedRun]:
        """The configuration with each source.

        :param folder: of the evaluation; named in messages.
        :param changes: settings that a resume sets anew.
        :raises ConfigError: it cannot be used any more: a component is not installed, an option has gone.
        """
        place = folder / PLAN_FILE
        return [resolve_saved({**config, **changes}, manager, place) for config in self.configs]

    def folders(self) -> tuple[str, ...]:
        """A name for each source's folder, none twice."""
        names: list[str] = []
        for reference in self.sources:
            name = re.sub(r"[^A-Za-z0-9_.]+", "-", reference).strip("-.")[:60] or "data"
            number = sum(other == name or other.startswith(f"{name}~") for other in names)
            names.append(f"{name}~{number + 1}" if number else name)
        return tuple(names)

    def differences(self, other: EvaluationPlan) -> list[str]:
        """What is not as in ``other``, one line each; what may change is not looked at."""
        mine, others = _flat(self), _flat(other)
        return [
            f"{key}: {_shown(others.get(key))} there, {_shown(mine.get(key))} now"
            for key in sorted(mine.keys() | others.keys())
            if mine.get(key) != others.get(key)
        ]

    def save(self, folder: Path) -> None:
        """Write ``plan.json``, whole or not at all.

        :raises RunStoreError: the disk is full, or the place cannot be written.
        """
        write_atomically(folder / PLAN_FILE, self.model_dump_json(indent=1).encode() + b"\n")

    @classmethod
    def load(cls, folder: Path) -> EvaluationPlan:
        """Read ``plan.json``; nothing is changed by it.

        :raises DataError: it is damaged, or of a later version.
        """
        file = folder / PLAN_FILE
        try:
            return cls.model_validate_json(file.read_bytes())
        except OSError as error:
            msg = f"{file} cannot be read: {error.strerror or error}."
            raise DataError(msg) from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            msg = (
                f"{file} is damaged, or of a later polyprover: {place}: {first['msg']}. It was left as it "
                "is; put it right, or evaluate into another --out folder."
            )
            raise DataError(msg) from error


def make_plan(request: EvaluationRequest, manager: PluginManager) -> tuple[EvaluationPlan, list[str]]:
    """The plan, and notes about what was guessed, to be shown.

    :raises ConfigError: every mistake in the request, in one error.
    """
    problems: list[str] = []
    budgets = _collected(lambda: parse_budgets(request.budgets, request.unit), problems)
    ks = _ks(request, problems)
    if twice := sorted({d for d in request.data if list(request.data).count(d) > 1}):
        problems.append(f"--data {twice[0]} is given twice; give it once")
    texts = (*request.data, request.name, request.split, str(request.published or ""))
    problems += [
        f"{writable_text(text)}: this is not UTF-8, so plan.json cannot hold it; rename it"
        for text in texts
        if writable_text(text) != text
    ]
    if request.published is not None and not request.published.is_file():
        problems.append(f"--published {request.published}: there is no such file")
    elif request.published is not None:  # now, and not after hours of search
        published = request.published
        _collected(lambda: read_published(published), problems)
    resolved: list[ResolvedRun] = []
    references: list[str | None] = [*request.data] or [None]
    for reference in references:
        largest = budgets[-1].text.replace("+", ",") if budgets else None
        flags = {"data": reference, "budget": largest, "attempts": max(1, request.attempts), "out": None}
        asked = replace(request.run, flags={**request.run.flags, **flags})
        found = _collected(partial(resolve_request, asked, manager), problems)
        resolved += [found] if found else []
    if problems or budgets is None:
        raise ConfigError(list(dict.fromkeys(problems)))
    plan = EvaluationPlan(
        sources=tuple(request.data),
        configs=tuple(run.to_mapping() for run in resolved),
        budgets=",".join(budget.text for budget in budgets),
        attempts=request.attempts,
        ks=ks,
        separate=request.separate,
        by_project=request.by_project,
        name=request.name,
        iteration=request.iteration,
        split=request.split,
        published=str(request.published.absolute()) if request.published else "",
        cwd=str(Path.cwd()),
    )
    return plan, list(dict.fromkeys(note for run in resolved for note in run.notes))


def _ks(request: EvaluationRequest, problems: list[str]) -> tuple[int, ...]:
    if request.attempts < 1:
        problems.append(f"--attempts {request.attempts}: at least 1")
    if not request.ks:
        return tuple(2**i for i in range(max(1, request.attempts).bit_length()))
    ks = tuple(sorted(set(request.ks)))
    if ks[0] < 1:
        problems.append(f"--k {ks[0]}: at least 1")
    if ks[-1] > request.attempts:
        problems.append(
            f"--k {ks[-1]}: pass@{ks[-1]} needs as many attempts at each theorem; add --attempts {ks[-1]}"
        )
    return ks


def _collected(make: Callable[[], T], problems: list[str]) -> T | None:
    """What ``make`` gives; its mistakes go to ``problems``."""
    try:
        return make()
    except ConfigError as error:
        problems += error.problems
    except UserError as error:
        problems.append(str(error))
    return None


def _flat(plan: EvaluationPlan) -> dict[str, Any]:
    """Flat key -> value, of what decides what is found."""
    data = plan.model_dump(mode="json", exclude={"configs", "cwd", "schema_version", "kind"})
    for number, config in enumerate(plan.configs):
        kept = {key: value for key, value in config.items() if key not in _NOT_COMPARED}
        for key, value in kept.items():
            if isinstance(value, Mapping):
                for name, inner in value.items():
                    for option, found in inner.items() if isinstance(inner, Mapping) else [("", inner)]:
                        data[".".join(part for part in (f"{number}", key, name, option) if part)] = found
            else:
                data[key if key not in ("data",) else f"data {number + 1}"] = value
    return data


def _shown(value: object) -> str:
    text = repr(value) if value is not None else "nothing"
    return text if len(text) <= 80 else f"{text[:77]}..."
