"""Figures that others published, by project, to be set beside ours.

A CSV of ``project, proved, total`` with a heading, as PALM publishes them (``success.csv``). Where
``intersection.json`` lies beside it (``{project: [theorem id, ...]}``), it says which theorems they are of,
and how many of ours are among them is counted; without it no theorem is known to be the same.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prover_core.errors import DataError
from prover_core.evaluation.results import BudgetResult, ProjectResult, PublishedFigure, TheoremResult

__all__ = ["Published", "read_published", "with_published"]

IDS_FILE: Final = "intersection.json"


@dataclass(frozen=True, slots=True)
class Published:
    """The figures of one file."""

    source: str
    figures: Mapping[str, tuple[int, int]]
    """Project -> proved, total."""
    ids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Project -> theorem ids; empty: not known."""


def read_published(file: Path) -> Published:
    """Read the figures, and the ids beside them.

    :raises DataError: a file cannot be read, or is something else.
    """
    try:
        with open(file, encoding="utf-8-sig", newline="") as opened:
            rows = [[cell.strip() for cell in row] for row in csv.reader(opened, skipinitialspace=True)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{file} cannot be read as published figures: {error}"
        raise DataError(msg) from error
    figures: dict[str, tuple[int, int]] = {}
    for number, row in enumerate(rows, start=1):
        if not any(row) or (number == 1 and not any(cell.isdigit() for cell in row)):
            continue  # the heading
        if len(row) < 3 or not row[0] or not row[1].isdigit() or not row[2].isdigit():
            msg = f"{file}, line {number}: expected project, proved, total; found {', '.join(row)!r}"
            raise DataError(msg)
        proved, total = int(row[1]), int(row[2])
        if proved > total or row[0] in figures:
            wrong = f"{proved} of {total} proved" if proved > total else f"{row[0]} has a line already"
            msg = f"{file}, line {number}: {wrong}; put it right"
            raise DataError(msg)
        figures[row[0]] = (proved, total)
    if not figures:
        msg = f"{file} holds no figures; expected lines of project, proved, total"
        raise DataError(msg)
    return Published(file.name, figures, _ids(file.with_name(IDS_FILE)))


def with_published(result: BudgetResult, published: Published) -> BudgetResult:
    """The result with the published figure beside each project that has one."""
    mine: dict[str, list[TheoremResult]] = {}
    for theorem in result.theorems:
        mine.setdefault(theorem.project, []).append(theorem)
    projects = tuple(_with(each, mine.get(each.project, []), published) for each in result.projects)
    return result.model_copy(update={"projects": projects})


def _with(project: ProjectResult, mine: Sequence[TheoremResult], published: Published) -> ProjectResult:
    if project.project not in published.figures:
        return project
    proved, total = published.figures[project.project]
    ids = published.ids.get(project.project, frozenset())
    note = ""
    if not ids:
        note = "which theorems they are is not known"
    elif len(ids) != total:
        note = f"of {total} theorems; the list of ids has {len(ids)}"
    same = [theorem for theorem in mine if theorem.id in ids]
    figure = PublishedFigure(
        source=published.source,
        proved=proved,
        total=total,
        same_ids=len(same),
        same_evaluated=sum(theorem.n > 0 for theorem in same),
        same_proved=sum(theorem.proved for theorem in same),
        note=note,
    )
    return project.model_copy(update={"published": figure})


def _ids(file: Path) -> dict[str, frozenset[str]]:
    if not file.is_file():
        return {}
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{file} cannot be read as lists of theorem ids: {error}"
        raise DataError(msg) from error
    if not isinstance(raw, dict) or not all(isinstance(ids, list) for ids in raw.values()):
        msg = f"{file} is no table of project -> theorem ids"
        raise DataError(msg)
    return {str(project): frozenset(map(str, ids)) for project, ids in raw.items()}
