"""Runs through DuckDB: distributions, slowest theorems, tactics, and queries of one's own.

Two views, over any number of runs, finished or going on:

* ``attempts``: the lines of ``results.jsonl`` (what was made again: its last line), with ``run``,
  ``proof_length``, ``proved`` and ``conclusive``;
* ``steps``: the rows of the trajectories, with ``run``, ``head`` (the tactic's first word), ``accepted``
  and ``on_proof``.

An attempt that one run has taken over from another stands in both; ``first_time`` is true for one of them,
and in the analysis it counts once.

Nothing is loaded whole: DuckDB reads the columns that a query names.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from prover_core.errors import ConfigError, RunStoreError, ToolMissingError
from prover_core.store.analysis_models import (
    Distribution,
    QueryResult,
    RunsAnalysis,
    SlowTheorem,
    TacticUse,
)
from prover_core.store.attempt_steps import trajectory_schema
from prover_core.store.records import AttemptStatus
from prover_core.store.run_store import RunStore
from prover_core.store.summary import wilson_interval

__all__ = ["RunsDatabase", "duckdb_installed"]

_COLUMNS = {
    "uid": "VARCHAR",
    "theorem_id": "VARCHAR",
    "name": "VARCHAR",
    "prover": "VARCHAR",
    "file": "VARCHAR",
    "statement": "VARCHAR",
    "project": "VARCHAR",
    "metadata": "JSON",
    "attempt": "INTEGER",
    "status": "VARCHAR",
    "proof": "VARCHAR[]",
    "proof_text": "VARCHAR",
    "verdict": "JSON",
    "tries": "BIGINT",
    "model_calls": "BIGINT",
    "expansions": "BIGINT",
    "duplicates": "BIGINT",
    "nodes": "BIGINT",
    "timed_out": "BIGINT",
    "machinery": "BIGINT",
    "seconds_total": "DOUBLE",
    "seconds_open": "DOUBLE",
    "seconds_env": "DOUBLE",
    "seconds_model": "DOUBLE",
    "seconds_value": "DOUBLE",
    "seconds_verify": "DOUBLE",
    "replays": "BIGINT",
    "restarts": "BIGINT",
    "retries": "BIGINT",
    "worker": "INTEGER",
    "error_class": "VARCHAR",
    "error": "VARCHAR",
    "detail": "VARCHAR",
    "counters": "JSON",
    "seed": "BIGINT",
    "started_at": "VARCHAR",
}
_CONCLUSIVE = ", ".join(f"'{status.value}'" for status in AttemptStatus if status.conclusive)
_HEAD = (
    r"coalesce(nullif(regexp_extract(tactic, "
    r"'^(?:[-+*{}\[(]|\s|[0-9]+:|all:|by\s)*([\pL_][\pL\pN_''!?]*)', 1), ''), regexp_extract(tactic, '\S+'))"
)
_USE = """
    count(*) AS tries,
    count(*) FILTER (accepted) AS accepted,
    count(*) FILTER (accepted) / count(*) AS acceptance,
    count(*) FILTER (on_proof) AS on_proofs,
    count(DISTINCT theorem_id) AS theorems,
    avg(ms) AS mean_ms
"""
_NOTHING = "SELECT 0 AS place, NULL::VARCHAR AS run, NULL::VARCHAR AS uid WHERE false"
_SPREAD = "count({0}), avg({0}), min({0}), quantile_cont({0}, [0.25, 0.5, 0.75, 0.9]), max({0})"


def duckdb_installed() -> bool:
    """Whether :class:`RunsDatabase` can be used."""
    return importlib.util.find_spec("duckdb") is not None


class RunsDatabase:
    """Some runs, for queries. Use it as a context manager."""

    def __init__(self, stores: Sequence[RunStore]) -> None:
        """Only reads.

        :raises ToolMissingError: DuckDB is not installed.
        :raises RunStoreError: a run's results or steps are damaged.
        """
        try:
            import duckdb
        except ImportError as error:
            name, install = "duckdb", "pip install 'polyprover[analysis]'"
            raise ToolMissingError(name, needed_for="queries over runs", install=install) from error
        self._stores = tuple({str(store.path): store for store in stores}.values())
        self._connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
        self._error = duckdb.Error
        try:
            self._make_attempts()
            self._make_steps()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free what it holds. Calling it twice is fine."""
        self._connection.close()

    def query(self, sql: str) -> QueryResult:
        """The answer to a query, or several; of several the last one's.

        :raises ConfigError: DuckDB refuses it; its message, and the columns that there are.
        """
        try:
            answer = self._connection.execute(sql)
            described = answer.description or []
            rows = answer.fetchall() if described else []
        except self._error as error:
            raise ConfigError([f"--sql: {error}\n{self._known()}"]) from error
        return QueryResult(
            columns=tuple(str(column[0]) for column in described),
            types=tuple(str(column[1]) for column in described),
            rows=tuple(tuple(row) for row in rows),
        )

    def analyse(self, top: int = 10) -> RunsAnalysis:
        """All that ``prover summary`` says; the lists hold at most ``top`` items.

        :raises RunStoreError: a file of a run is damaged.
        """
        try:
            return self._analysis(top)
        except self._error as error:
            told = str(error).partition("\nLINE ")[0]
            msg = f"The runs cannot be analysed, for a file of theirs is damaged: {told}"
            raise RunStoreError(msg) from error

    def _analysis(self, top: int) -> RunsAnalysis:
        statuses = self._counts("SELECT status, count(*) FROM attempts_once GROUP BY ALL ORDER BY 2 DESC, 1")
        proved = statuses.get(AttemptStatus.PROVED.value, 0)
        conclusive = sum(n for status, n in statuses.items() if AttemptStatus(status).conclusive)
        low, high = wilson_interval(proved, conclusive)
        theorems, theorems_proved = self._row(
            "SELECT count(DISTINCT theorem_id), count(DISTINCT theorem_id) FILTER (proved) FROM attempts_once"
        )
        return RunsAnalysis(
            runs=tuple(str(store.path) for store in self._stores),
            attempts=sum(statuses.values()),
            statuses=statuses,
            theorems=theorems,
            theorems_proved=theorems_proved,
            conclusive=conclusive,
            rate=proved / conclusive if conclusive else 0.0,
            rate_low=low,
            rate_high=high,
            proof_length=self._spread("proof_length", "proved AND proof_length > 0"),
            tries_proved=self._spread("tries", "proved"),
            tries_unproved=self._spread("tries", "conclusive AND NOT proved"),
            seconds_proved=self._spread("seconds_total", "proved"),
            seconds_unproved=self._spread("seconds_total", "conclusive AND NOT proved"),
            slowest=self._slowest(top),
            steps=self._row("SELECT count(*) FROM steps_once")[0],
            outcomes=self._counts("SELECT outcome, count(*) FROM steps_once GROUP BY ALL ORDER BY 2 DESC, 1"),
            labels=self._counts("SELECT label, count(*) FROM steps_once GROUP BY ALL ORDER BY 2 DESC, 1"),
            most_tried=self._uses("tactic", "tries DESC, accepted DESC, what", top),
            most_successful=self._uses(
                "tactic", "on_proofs DESC, acceptance DESC, what", top, "on_proofs > 0"
            ),
            heads=self._uses("head", "tries DESC, accepted DESC, what", top),
        )

    # --- the views --------------------------------------------------------------------------------

    def _make_attempts(self) -> None:
        """``kept`` says which lines count: DuckDB cannot know that an attempt was made again."""
        import pyarrow as pa

        for number, store in enumerate(self._stores):
            table = pa.table({"uid": pa.array(store.uids(), pa.string())})
            self._connection.register(f"uids_{number}", table)
        listed = " UNION ALL ".join(
            f"SELECT {number} AS place, {_quoted(str(store.path))} AS run, uid FROM uids_{number}"
            for number, store in enumerate(self._stores)
        )
        self._connection.execute(
            "CREATE TABLE kept AS SELECT run, uid, place = min(place) OVER (PARTITION BY uid) AS first_time "
            f"FROM ({listed or _NOTHING})"
        )
        files = [(str(store.path), store.results_path) for store in self._stores]
        columns = ", ".join(f"{name}: '{kind}'" for name, kind in _COLUMNS.items())
        sources = [
            f"SELECT {_quoted(run)} AS run, * FROM read_json({_quoted(_no_glob(str(file)))}, "
            f"format = 'newline_delimited', columns = {{{columns}}}, ignore_errors = true, "
            f"maximum_object_size = {max(1 << 24, 2 * _longest_line(file))})"
            for run, file in files
            if file.exists()
        ]
        if not sources:
            empty = ", ".join(f"NULL::{kind} AS {name}" for name, kind in _COLUMNS.items())
            sources = [f"SELECT NULL::VARCHAR AS run, {empty} WHERE false"]
        self._connection.execute(
            "CREATE VIEW attempts AS SELECT j.*, first_time, len(proof) AS proof_length, "
            f"status = 'proved' AS proved, status IN ({_CONCLUSIVE}) AS conclusive "
            f"FROM ({' UNION ALL '.join(sources)}) j JOIN kept USING (run, uid)"
        )
        self._connection.execute("CREATE VIEW attempts_once AS SELECT * FROM attempts WHERE first_time")

    def _make_steps(self) -> None:
        names = ", ".join(trajectory_schema().names)
        sources = []
        for number, store in enumerate(self._stores):
            folder = store.trajectory_folder()
            if folder is None:
                continue
            parts, waiting = folder.for_queries()
            run = f"{_quoted(str(store.path))} AS run"
            if parts:
                listed = ", ".join(_quoted(_no_glob(str(part))) for part in parts)
                sources.append(f"SELECT {run}, {names} FROM read_parquet([{listed}])")
            self._connection.register(f"waiting_{number}", waiting)
            sources.append(f"SELECT {run}, {names} FROM waiting_{number}")
        if not sources:
            self._connection.register("no_steps", trajectory_schema().empty_table())
            sources = [f"SELECT NULL::VARCHAR AS run, {names} FROM no_steps"]
        self._connection.execute(
            f"CREATE VIEW steps AS SELECT s.*, first_time, {_HEAD} AS head, "
            "outcome IN ('advanced', 'solved') AS accepted, label = 'positive' AS on_proof "
            f"FROM ({' UNION ALL '.join(sources)}) s JOIN kept USING (run, uid)"
        )
        self._connection.execute("CREATE VIEW steps_once AS SELECT * FROM steps WHERE first_time")

    # --- the questions ----------------------------------------------------------------------------

    def _row(self, sql: str) -> tuple[Any, ...]:
        found = self._connection.execute(sql).fetchone()
        return () if found is None else tuple(found)

    def _counts(self, sql: str) -> dict[str, int]:
        return {str(name): int(count) for name, count in self._connection.execute(sql).fetchall()}

    def _spread(self, column: str, where: str) -> Distribution | None:
        count, mean, least, quantiles, most = self._row(
            f"SELECT {_SPREAD.format(column)} FROM attempts_once WHERE {where}"
        )
        if not count:
            return None
        p25, median, p75, p90 = quantiles
        return Distribution(
            count=count, mean=mean, least=least, p25=p25, median=median, p75=p75, p90=p90, most=most
        )

    def _slowest(self, top: int) -> tuple[SlowTheorem, ...]:
        rows = self._connection.execute(
            "SELECT run, theorem_id, attempt, status, seconds_total, tries FROM attempts_once "
            "ORDER BY seconds_total DESC, theorem_id, attempt, run LIMIT ?",
            [top],
        ).fetchall()
        fields = ("run", "theorem_id", "attempt", "status", "seconds", "tries")
        return tuple(SlowTheorem(**dict(zip(fields, row, strict=True))) for row in rows)

    def _uses(self, column: str, order: str, top: int, having: str = "true") -> tuple[TacticUse, ...]:
        rows = self._connection.execute(
            f"SELECT {column} AS what, {_USE} FROM steps_once GROUP BY ALL HAVING {having} "
            f"ORDER BY {order} LIMIT ?",
            [top],
        ).fetchall()
        fields = ("tactic", "tries", "accepted", "acceptance", "on_proofs", "theorems", "mean_ms")
        return tuple(TacticUse(**dict(zip(fields, row, strict=True))) for row in rows)

    def _known(self) -> str:
        lines = []
        for view in ("attempts", "steps"):
            columns = [row[0] for row in self._connection.execute(f"DESCRIBE {view}").fetchall()]
            lines.append(f"columns of {view}: {', '.join(columns)}")
        return "\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _no_glob(path: str) -> str:
    """The path, as DuckDB's file patterns take it literally."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _longest_line(file: Path) -> int:
    with open(file, "rb") as lines:
        return max((len(line) for line in lines), default=0)
