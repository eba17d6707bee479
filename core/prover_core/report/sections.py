"""The page's other sections: what was solved, costs and failures, provenance, how to read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import yaml

from prover_core.report.bars import Part, area_chart, stacked_chart, upset_chart
from prover_core.report.charts import pass_chart, solved_chart
from prover_core.report.figures import areas, pass_curve, rate_of, solved_sets
from prover_core.report.model import ReportData
from prover_core.report.steps import Steps, most_tried
from prover_core.report.svg import counted, esc, percent, seconds_text, table, time_ticks

__all__ = ["costs", "curves", "provenance", "reading"]

_SETS = 8
"""Most runs whose solved sets are drawn; with more, combinations say nothing."""

_OUTCOMES = (
    ("advanced", "led on", "st-proved"),
    ("solved", "closed the last goal", "st-solved"),
    ("tactic", "refused", "st-failed"),
    ("parse", "not parsed", "st-budget"),
    ("forbidden", "not allowed", "st-rejected"),
    ("timed_out", "timed out", "t-value"),
    ("out_of_memory", "out of memory", "st-unavailable"),
    ("crashed", "prover crashed", "st-crashed"),
)
_TIMES = (
    ("seconds_env", "prover, searching", "t-env"),
    ("seconds_model", "model", "t-model"),
    ("seconds_value", "value model", "t-value"),
    ("seconds_open", "opening", "t-open"),
    ("seconds_verify", "checking", "t-verify"),
)


def curves(data: ReportData) -> str:
    """Solved against time and tries, pass@k, solved sets, areas."""
    labels = [run.label for run in data.runs]
    costs = [
        [
            cost
            for row in data.rows
            if (c := row.cells[i]) is not None and (cost := c.until_proved()) is not None
        ]
        for i in range(len(data.runs))
    ]
    parts = []
    if any(costs):
        parts += [
            solved_chart("cactus", "Solved against time", labels, [[s for s, _ in each] for each in costs],
                         unit=seconds_text, what="search time", much="so much", ticks=time_ticks),
            solved_chart("tries", "Solved against tactics tried", labels,
                         [[float(t) for _, t in each] for each in costs],
                         unit=_count_text, what="tactics tried", much="so many", floor=1.0),
        ]  # fmt: skip
    by_area = areas(data.rows)
    if len(by_area) > 1:
        rated = [
            (area, [rate_of([row.cells[i] for row in rows]) for i in range(len(labels))])
            for area, rows in by_area.items()
        ]
        parts.append(area_chart(labels, rated))
    passes = [pass_curve([row.cells[i] for row in data.rows]) for i in range(len(data.runs))]
    if any(len(curve.values) > 1 for curve in passes):
        parts.append(pass_chart(labels, passes))
    if 1 < len(labels) <= _SETS:
        told = [row for row in data.rows if all(cell is not None and cell.n for cell in row.cells)]
        parts.append(
            upset_chart(labels, solved_sets(told or data.rows, len(labels)), len(told), len(data.rows))
        )
    notes = [] if any(costs) else ["Nothing was proved, so there is nothing to draw against time or tactics."]
    if max((len(curve.values) for curve in passes), default=0) == 1:
        notes.append("One attempt at each theorem, so pass@1 is all that can be said: it is the rate above.")
    if len(labels) > _SETS:
        notes.append(
            f"Who proved what is drawn for at most {_SETS} runs; the table of theorems has it for all."
        )
    note = "".join(f'<p class="note">{said}</p>' for said in notes)
    grid = f'<div class="grid flow">{"".join(parts)}</div>'
    return f'<section id="charts"><h2>What was solved</h2>{grid}{note}</section>'


def costs(data: ReportData, steps: Sequence[Steps]) -> str:
    """Where the time went, how fast the prover answered, what came of the tactics, what broke."""
    times = [
        (run.label, [Part(name, kind, getattr(run.summary, key)) for key, name, kind in _TIMES])
        for run in data.runs
    ]
    parts = []
    if any(part.amount for _, shares in times for part in shares):
        parts.append(
            stacked_chart(
                "time", "Where the time went", "Time of all workers added up.", times, shown=seconds_text
            )
        )
    if any(each.tried for each in steps):
        outcomes = [
            (
                run.label,
                [*(Part(name, kind, each.outcomes[key]) for key, name, kind in _OUTCOMES), _other(each)],
            )
            for run, each in zip(data.runs, steps, strict=True)
        ]
        parts.append(
            stacked_chart(
                "outcomes", "What came of the tactics", "Every tactic tried, by its outcome.", outcomes
            )
        )
    rates = [
        (
            run.label,
            f"{run.summary.tries:,}",
            f"{run.summary.tries_per_second:,.1f}",
            f"{run.summary.model_calls:,}",
            f"{run.summary.replays:,}",
            f"{run.summary.restarts:,}",
            "-"
            if run.summary.median_seconds_proved is None
            else seconds_text(run.summary.median_seconds_proved),
        )
        for run in data.runs
    ]
    headers = ("Run", "Tactics tried", "Per second of the prover", "Model calls", "Replays", "Restarts",
               "Median wall time of a proof")  # fmt: skip
    rate_table = table(headers, rates, caption="Step rate")
    return (
        '<section id="costs"><h2>Time, steps, failures</h2>'
        f'<div class="grid">{"".join(parts)}</div>{rate_table}'
        f"{_tactics(data, steps)}{_errors(data)}</section>"
    )


def _other(steps: Steps) -> Part:
    """What this version has no word for, so that a bar is always of all tactics."""
    return Part("other", "t-model", steps.tried - sum(steps.outcomes[key] for key, _, _ in _OUTCOMES))


def _tactics(data: ReportData, steps: Sequence[Steps]) -> str:
    names = most_tried(steps)
    if not names:
        return ""
    rows = []
    for name in names:
        cells: list[str] = []
        for each in steps:
            tried, led = each.heads[name], each.led_on[name]
            cells += [f"{tried:,}", percent(led / tried) if tried else "-"]
        rows.append((name, *cells))
    headers = ["Tactic", *(h for run in data.runs for h in (f"{run.label}: tried", f"{run.label}: led on"))]
    return (
        f'<details class="card numbers"><summary>Tactics tried most</summary>{table(headers, rows)}</details>'
    )


def _errors(data: ReportData) -> str:
    """Classes of machinery failures, by run."""
    rows = [
        (run.label, status.value.replace("_", " "), error or "-", f"{count:,}")
        for run in data.runs
        for (status, error), count in sorted(run.broken.items(), key=lambda item: (-item[1], item[0]))
    ]
    return (
        table(("Run", "Status", "Class of error", "Attempts"), rows, caption="What broke", left=3)
        if rows
        else ""
    )


def provenance(data: ReportData) -> str:
    """Where each run's figures come from."""
    cards = []
    for index, run in enumerate(data.runs):
        p = run.provenance
        tool = p.toolchain
        facts = [
            (
                "Prover",
                f"{tool.prover} {tool.version}{f', {tool.backend}' if tool.backend else ''}" if tool else "-",
            ),
            ("Libraries", ", ".join(f"{k} {v}" for k, v in sorted(tool.libraries.items())) if tool else ""),
            ("Model", p.model),
            ("Search", run.config.get("search")),
            ("Budget", f"{run.budget_text}, {counted(run.attempts, 'attempt')} at each theorem"),
            ("Data", run.config.get("data")),
            ("Theorems", f"{p.theorems:,}"),
            ("Data hash", p.data_hash[:64] if len(run.folders) > 1 else p.data_hash[:16]),
            ("Seed", p.seed),
            ("Workers", run.config.get("workers")),
            ("Polyprover", p.polyprover),
            ("Plugins", ", ".join(f"{k} {v}" for k, v in sorted(p.plugins.items()))),
            ("Machine", f"{p.platform}, {p.cpus} CPUs, {p.memory_mb:,} MiB, Python {p.python}"),
            ("Begun", p.created_at),
            ("Command", " ".join(p.argv)),
        ]
        listed = "".join(
            f"<dt>{esc(name)}</dt><dd>{esc(value)}</dd>" for name, value in facts if value not in (None, "")
        )
        config = yaml.safe_dump(dict(run.config), sort_keys=False, allow_unicode=True, width=100)
        cards.append(
            f'<article class="card"><h3><span class="swatch s{index % 8}"></span>{esc(run.label)}</h3>'
            f"<dl>{listed}</dl><details><summary>All settings</summary><pre>{esc(config)}</pre></details>"
            "</article>"
        )
    return f'<section id="provenance"><h2>Provenance</h2><div class="grid">{"".join(cards)}</div></section>'


def reading(data: ReportData) -> str:
    """How to read the figures."""
    points = [
        "A theorem counts as proved only if an independent check of the whole file agreed.",
        "Rates are over theorems with at least one conclusive attempt; where every attempt was lost to the "
        "machinery (crash, broken check, file that does not open) a theorem is in no rate.",
        "Intervals of rates are Wilson's, of pass@k and of differences bootstrap over theorems (BCa, 10,000 "
        "resamples, fixed seed); differences are tested by the exact McNemar test, adjusted by Holm.",
        "Search time leaves out opening the prover and checking the proof; several attempts at a theorem are "
        "added up until the first proof.",
    ]
    if data.pairs is not None:
        points.append(
            "Flags of pairs: certified, a machine-checked argument says that the statements agree; audited, "
            "a person does; differs, they were found not to; unknown, nobody has said."
        )
    return '<section id="reading"><h2>How to read this</h2><ul>' + _items(points) + "</ul></section>"


def _count_text(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _items(texts: Iterable[str]) -> str:
    return "".join(f"<li>{esc(text)}</li>" for text in texts)
