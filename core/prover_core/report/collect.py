"""Runs read from their directories, and joined theorem by theorem."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prover_core.errors import ConfigError, DataError
from prover_core.evaluation.pairing import Pair, PairingTable
from prover_core.evaluation.plan import PLAN_FILE
from prover_core.evaluation.results import RESULT_FILE, IterationResult, statement_hash
from prover_core.report.model import Cell, ReportData, Row, RunView, Try
from prover_core.report.svg import counted
from prover_core.search.budget import parse_budget
from prover_core.store import AttemptRecord, AttemptStatus, Provenance, RunStore
from prover_core.store.records import UsedRecord
from prover_core.store.summary import area_of, summarise_records
from prover_core.types import Budget, VerdictStatus

__all__ = ["Source", "collect", "cut", "run_sources"]

MAX_TEXT = 6_000
"""Characters of a statement or proof that are kept."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one run of the report lies: one run directory, or those of an evaluation with one budget."""

    label: str
    folders: tuple[Path, ...]
    ids: frozenset[str] = frozenset()
    """Of an evaluation's theorems: where two sources use one id, each has its source before it."""


def run_sources(paths: Sequence[Path]) -> list[Source]:
    """What was named: run directories, and evaluations, each budget that was searched with making a run.

    :raises DataError: an evaluation has not ended, is damaged, or names no run directory.
    """
    found: list[Source] = []
    for path in paths:
        if path.name == RESULT_FILE and path.is_file():
            found += _of_evaluation(path.parent)
        elif (path / RESULT_FILE).is_file():
            found += _of_evaluation(path)
        elif (path / PLAN_FILE).is_file():
            msg = f"the evaluation in {path} has not ended; go on with it: prover eval --out {path} --resume"
            raise DataError(msg)
        else:
            found.append(Source(path.resolve().name, (path,)))
    return found


def _of_evaluation(path: Path) -> list[Source]:
    result = IterationResult.load(path)
    searched = [each for each in result.budgets if each.method == "run" and each.run_dirs]
    if not searched:
        msg = f"{path / RESULT_FILE} names no run directory: there is nothing to report on."
        raise DataError(msg)
    found = []
    for each in searched:
        folders = tuple(dict.fromkeys(each.run_dirs))
        label = result.label if len(searched) == 1 else f"{result.label} {each.budget}"
        ids = frozenset(theorem.id for theorem in each.theorems)
        found.append(Source(label, tuple(path / folder for folder in folders), ids))
    return found


def collect(
    paths: Sequence[Path], *, labels: Sequence[str] = (), pairs: PairingTable | None = None
) -> ReportData:
    """Read the runs and join them.

    Theorems of one prover are joined by id and statement (white space apart); across provers only those that
    ``pairs`` knows.

    :raises DataError: an evaluation cannot be used. :raises RunStoreError: a run cannot be read.
    :raises ConfigError: labels do not fit the runs.
    """
    sources = run_sources(paths)
    if labels and len(labels) != len(sources):
        raise ConfigError(
            [
                f"{counted(len(labels), 'label')} given for {counted(len(sources), 'run')} "
                f"({', '.join(source.label for source in sources)}): give each one, or none"
            ]
        )
    names = _unique([*labels] if labels else _labels(sources))
    rows: dict[tuple[str, ...], Row] = {}
    runs = []
    for index, (label, source) in enumerate(zip(names, sources, strict=True)):
        reader = _Reader(rows, index, len(sources), pairs)
        runs.append(reader.read(label, source.folders, source.ids))
    restated = _tell_apart(rows.values(), runs)
    ordered = sorted(rows.values(), key=lambda row: (row.area, row.key))
    return ReportData(tuple(runs), tuple(ordered), pairs, tuple(_notes(runs, ordered, pairs, restated)))


class _Reader:
    """Puts the records of one run into the rows."""

    def __init__(
        self, rows: dict[tuple[str, ...], Row], index: int, runs: int, pairs: PairingTable | None
    ) -> None:
        self._rows = rows
        self._index = index
        self._runs = runs
        self._pairs = pairs
        self._prover = ""
        self._broken: Counter[tuple[AttemptStatus, str]] = Counter()
        self._by_name: dict[str, AttemptRecord] = {}
        """Theorems that a pair was given to for their name: a record of each, by id."""

    def read(self, label: str, folders: Sequence[Path], ids: Collection[str] = ()) -> RunView:
        """All the folders, as one run; its settings are those of the first, its data those of all."""
        with contextlib.ExitStack() as opened:
            stores = [opened.enter_context(RunStore.open(folder)) for folder in folders]
            config = _settings([store.config for store in stores])
            provenance = _joined([store.provenance for store in stores])
            fallback = provenance.toolchain.prover if provenance.toolchain else ""
            records = itertools.chain.from_iterable(
                _renamed(store.records(), str(store.config.get("data", "")), ids) for store in stores
            )
            summary = summarise_records(
                self._noted(records, fallback), run_dir=label, theorems=provenance.theorems
            )
        for row in self._rows.values():
            if (cell := row.cells[self._index]) is not None:
                cell.attempts.sort(key=_number)
        budget_text = str(config.get("budget") or "")
        return RunView(
            label=label,
            prover=self._prover or fallback,
            provenance=provenance,
            config=config,
            budget=_budget(budget_text),
            budget_text=budget_text or "unlimited",
            attempts=_attempts(config),
            summary=summary,
            folders=tuple(folders),
            broken=self._broken,
        )

    def _noted(self, records: Iterator[AttemptRecord], fallback: str) -> Iterator[AttemptRecord]:
        for record in records:
            self._prover = self._prover or record.prover or fallback
            if not record.status.conclusive:
                self._broken[record.status, record.error_class] += 1
            self._note(record, record.prover or fallback)
            yield record

    def _note(self, record: AttemptRecord, prover: str) -> None:
        pair = self._pairs.find(prover, record.theorem_id, record.name) if self._pairs else None
        row = self._row(record, prover, pair)
        cell = row.cells[self._index]
        if pair is not None and cell is not None and cell.theorem_id != record.theorem_id:
            row = self._contested(record, prover, pair, row, cell)
            cell = row.cells[self._index]
        if cell is None:
            cell = row.cells[self._index] = Cell(record.theorem_id, record.name, cut(record.statement))
            if pair is not None and row.pair is pair and record.theorem_id != pair.ids.get(prover):
                self._by_name[record.theorem_id] = record.model_copy(update={"proof_text": ""})
        _add(cell, record)

    def _contested(self, record: AttemptRecord, prover: str, pair: Pair, row: Row, holder: Cell) -> Row:
        """Two theorems answer to the name that a pair gives: it is the one of that id, else of the first id.

        So it depends neither on the order in which workers finished, nor on the run.
        """
        wanted = pair.ids.get(prover)
        if (holder.theorem_id != wanted, holder.theorem_id) < (
            record.theorem_id != wanted,
            record.theorem_id,
        ):
            return self._row(record, prover, None)
        own = self._row(self._by_name.pop(holder.theorem_id), prover, None)
        own.cells[self._index], row.cells[self._index] = holder, None
        return row

    def _row(self, record: AttemptRecord, prover: str, pair: Pair | None) -> Row:
        """The problem: the pair's, or what has this id and statement in this prover."""
        if pair is not None:
            identity: tuple[str, ...] = (pair.problem,)
        else:
            identity = (prover, record.theorem_id, statement_hash(record.statement))
        row = self._rows.get(identity)
        if row is None:
            area = (pair.area if pair else "") or area_of(record)
            key, name = (pair.problem, pair.problem) if pair else (record.theorem_id, record.name)
            row = Row(key, name, area, [None] * self._runs, pair)
            self._rows[identity] = row
        return row


def _tell_apart(rows: Iterable[Row], runs: Sequence[RunView]) -> int:
    """Give problems of one id different keys; returns how many have the same prover, and other statements."""
    seen: dict[str, Row] = {}
    restated = 0
    for row in rows:
        first = seen.setdefault(row.key, row)
        if first is row:
            continue
        mine, other = (next(i for i, cell in enumerate(r.cells) if cell) for r in (row, first))
        restated += runs[mine].prover == runs[other].prover
        key = f"{row.key} [{runs[mine].label}]"
        row.key = next(
            each for n in itertools.count(1) if (each := f"{key} ({n})" if n > 1 else key) not in seen
        )
        seen[row.key] = row
    return restated


def _renamed(records: Iterator[AttemptRecord], source: str, ids: Collection[str]) -> Iterator[AttemptRecord]:
    """As the evaluation calls its theorems: by their source too, where another has the same id."""
    for each in records:
        told_apart = f"{source}/{each.theorem_id}"
        yield each.model_copy(update={"theorem_id": told_apart}) if told_apart in ids else each


def _settings(parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of several runs of one evaluation: the first's, with the data of all of them."""
    sources = dict.fromkeys(str(part["data"]) for part in parts if "data" in part)
    return {**parts[0], "data": ", ".join(sources)} if len(sources) > 1 else parts[0]


def _joined(parts: Sequence[Provenance]) -> Provenance:
    """Of several runs with one budget: the first's, theorems added up, the data of all of them."""
    if len(parts) == 1:
        return parts[0]
    hashes = ", ".join(part.data_hash[:8] for part in parts)
    return parts[0].model_copy(update={"theorems": sum(p.theorems for p in parts), "data_hash": hashes})


def cut(text: str, most: int = MAX_TEXT) -> str:
    """The text, or its beginning and a word on what is missing."""
    return text if len(text) <= most else f"{text[:most]}\n[... {len(text) - most:,} more characters]"


def _try(record: AttemptRecord) -> Try:
    """What it used, as its budget counted; as well as it is known where no search came to an end."""
    used = record.used
    if used is None:
        seconds = max(0.0, record.seconds_total - record.seconds_open - record.seconds_verify)
        used = UsedRecord(tries=record.tries, model_calls=record.model_calls, seconds=seconds)
    return Try(
        number=record.attempt,
        uid=record.uid,
        status=record.status,
        seconds=used.seconds,
        tries=used.tries,
        model_calls=used.model_calls,
        tokens=used.tokens,
        all_tries=record.tries,
    )


def _add(cell: Cell, record: AttemptRecord) -> None:
    """Count an attempt, and show it where it is the best so far."""
    shown = next((each for each in cell.attempts if each.uid == cell.uid), None)
    made = _try(record)
    cell.attempts.append(made)
    if shown is not None and _rank(shown) <= _rank(made):
        return
    cell.uid, cell.status = record.uid, record.status
    cell.proof = cut(record.proof_text) if record.proof or record.proof_source else ""
    cell.steps = len(record.proof)
    cell.checker = record.verdict.checker if record.verdict else ""
    cell.axioms = record.verdict.axioms if record.verdict else ()
    cell.error_class = record.error_class
    cell.detail = cut(record.error or record.detail or _verdict_words(record), 1_000)


def _rank(attempt: Try) -> tuple[int, float, float]:
    """Lowest is shown: the proof of fewest tries; else what says something; of these the last."""
    if attempt.status is AttemptStatus.PROVED:
        return (0, attempt.all_tries, attempt.seconds)
    return (1 if attempt.status.conclusive else 2, -attempt.number, 0.0)


def _verdict_words(record: AttemptRecord) -> str:
    verdict = record.verdict
    if verdict is None or verdict.status is VerdictStatus.PROVED:
        return ""
    return "; ".join([f"check: {verdict.status.value}", *verdict.forbidden, verdict.log.strip()]).rstrip("; ")


def _number(attempt: Try) -> int:
    return attempt.number


def _labels(sources: Sequence[Source]) -> list[str]:
    """As they are; where two are equal, their folders' parents before them."""
    names = [source.label for source in sources]
    return [
        f"{source.folders[0].resolve().parent.name}/{source.label}"
        if names.count(source.label) > 1
        else source.label
        for source in sources
    ]


def _unique(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        made.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return made


def _budget(text: str) -> Budget:
    try:
        return parse_budget(text) if text and text != "unlimited" else Budget()
    except ConfigError:  # of a later version, or written by hand: shown as it is, and limits nothing
        return Budget()


def _attempts(config: Mapping[str, Any]) -> int:
    value = config.get("attempts", 1)
    return value if isinstance(value, int) and value > 0 else 1


def _notes(
    runs: Sequence[RunView], rows: Sequence[Row], pairs: PairingTable | None, restated: int
) -> Iterator[str]:
    """What a reader must know before believing a figure."""
    provers = {run.prover for run in runs}
    if len(provers) > 1 and pairs is None:
        yield (
            "Theorems of different provers are one problem only where a pairing table says so, and none was "
            "given (--pairs)."
        )
    if restated:
        have = "theorem has" if restated == 1 else "theorems have"
        yield f"{restated:,} {have} the id of another and a different statement; each stands alone."
    if pairs is not None:
        paired = sum(row.pair is not None for row in rows)
        yield f"Pairing table {pairs.name}: {paired:,} of {counted(len(rows), 'problem')} are in it."
        yield from (f"{note[:1].upper()}{note[1:]}." for note in pairs.notes)
    for run in runs:
        if run.summary.not_attempted:
            left = counted(run.summary.not_attempted, "theorem")
            yield f"{run.label} is not finished: {left} not attempted."
    if len(runs) > 1:
        common = sum(all(cell is not None for cell in row.cells) for row in rows)
        if common < len(rows):
            yield (
                f"{common:,} of {counted(len(rows), 'problem')} were attempted in every run; two runs are "
                "compared on the problems that both attempted."
            )
