"""The live display: what each worker does, what came out so far, how fast it goes, when it will end."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from prover_core.contracts.events import Event, RunEnded, RunStarted
from prover_core.display.base import (
    Display,
    RunState,
    WorkerRow,
    one_line,
    shown_duration,
    shown_status,
    status_counts,
)
from prover_core.display.plain import PlainDisplay, stopping_advice

__all__ = ["LiveDisplay"]

_REFRESH_PER_SECOND = 4
_AROUND_TABLES = 3
"""Lines for the workers' heading, for the cursor, and one to spare."""
_PROOF_HEADING = 2
"""A blank line and a heading."""
_MOST_PROOFS = 6
_SHOWN_STYLES = {
    "proved": "bold green",
    "failed": "",
    "out_of_budget": "yellow",
    "rejected": "magenta",
    "unchecked": "magenta",
    "crashed": "bold red",
    "unavailable": "red",
}
_PHASE_STYLES = {"opening": "blue", "searching": "", "verifying": "green"}


class LiveDisplay(Display):
    """Redrawn four times a second by a thread of its own; an event only changes numbers, and costs nothing.

    It appears with the run's first event and goes away at its end, leaving one line and the terminal as
    it was, also after an exception.
    """

    def __init__(self, stream: TextIO, console: Console | None = None) -> None:
        self._console = console or Console(file=stream, highlight=False)
        self._state = RunState()
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._plain = PlainDisplay(stream)

    def on_event(self, event: Event) -> None:
        with self._lock:
            self._state.take(event)
        if isinstance(event, RunStarted):
            self._start()
        elif isinstance(event, RunEnded):
            self.close()
            self._plain.on_event(event)

    def message(self, text: str) -> None:
        self._console.print(Text(one_line(text)))

    def close(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _start(self) -> None:
        self._live = Live(
            console=self._console,
            get_renderable=self.render,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
            vertical_overflow="crop",
        )
        self._live.start()

    def render(self) -> RenderableType:
        """The display as it should look now."""
        width, height = self._console.size
        with self._lock:
            parts: list[RenderableType] = [self._head(width), self._bar(width), self._counts()]
            if self._state.stopping is not None:
                parts.append(self._stopping())
            parts.append(Text())
            room = height - sum(self._height_of(part) for part in parts) - _AROUND_TABLES
            workers, proofs = self._shares(max(1, room))
            parts.append(self._workers(width, workers))
            if proofs:
                parts += [Text(), self._proofs(width, proofs)]
        parts.append(Text())  # the terminal echoes ^C where the cursor is: not at the end of a full line
        return Group(*parts)

    def _height_of(self, part: RenderableType) -> int:
        return len(self._console.render_lines(part, pad=False))

    def _shares(self, room: int) -> tuple[int, int]:
        """How many workers and how many proofs are shown in so many lines; some of both, if it can be."""
        wanted = min(len(self._state.proofs), _MOST_PROOFS)
        workers = len(self._state.workers)
        kept = min(wanted, 3) if room >= 8 else 0
        if workers + (kept + _PROOF_HEADING if kept else 0) > room:  # one line less: "and 3 more workers"
            return max(1, room - 1 - (kept + _PROOF_HEADING if kept else 0)), kept
        return workers, min(wanted, max(0, room - workers - _PROOF_HEADING))

    # --- its parts; the lock is held ----------------------------------------------------------------

    def _head(self, width: int) -> RenderableType:
        start = self._state.start
        if start is None:
            return Text()
        what = Text(
            f"{one_line(start.environment)} · {one_line(start.policy)} · {one_line(start.search)}",
            style="bold",
            no_wrap=True,
        )
        where = one_line(str(start.run_dir))
        room = width - what.cell_len - 2
        if room < 12:
            return what
        shown = where if len(where) <= room else "…" + where[-(room - 1) :]
        row = Table.grid(expand=True)
        row.add_column(no_wrap=True)
        row.add_column(justify="right", no_wrap=True)
        row.add_row(what, Text(shown, style="dim"))
        return row

    def _bar(self, width: int) -> RenderableType:
        state = self._state
        total = (state.start.theorems + state.start.already_done) if state.start else 0
        done = state.done + (state.start.already_done if state.start else 0)
        share = f"{100 * done // total}%" if total else ""
        facts = [f"{done}/{total} {share}"]
        rate, left = state.per_minute(), state.seconds_left()
        if rate is not None and width >= 70:
            facts.append(f"{rate:.1f}/min" if rate < 100 else f"{rate:.0f}/min")
        facts.append(f"{shown_duration(state.elapsed)} gone")
        if left is not None and width >= 60:
            facts.append(f"{shown_duration(left)} left")
        row = Table.grid(expand=True, padding=(0, 1, 0, 0))
        row.add_column(ratio=1)
        row.add_column(justify="right", no_wrap=True)
        row.add_row(ProgressBar(total=max(total, 1), completed=done, width=None), Text("  ".join(facts)))
        return row

    def _counts(self) -> RenderableType:
        counts = self._state.counts
        judged = sum(counts[s] for s in ("proved", "failed", "out_of_budget", "rejected"))
        text = Text()
        for status, count in status_counts(counts, always=("proved", "failed", "out_of_budget", "crashed")):
            if text:
                text.append("   ")
            style = _SHOWN_STYLES.get(status, "") if count else "dim"
            text.append(f"{shown_status(status)} {count}", style=style)
            if status == "proved" and judged:
                text.append(f" ({count / judged:.0%})", style=style)
        return text

    def _workers(self, width: int, most: int) -> RenderableType:
        wide = width >= 100
        table = Table(
            Column(
                "#", justify="right", style="dim", width=len(str(max(self._state.workers, default=0) + 1))
            ),
            Column("theorem", ratio=1, no_wrap=True, overflow="ellipsis"),
            Column("phase", width=9, no_wrap=True),
            Column("tries", justify="right", width=7),
            Column("depth", justify="right", width=5),
            Column("time", justify="right", width=8),
            box=None,
            expand=True,
            padding=(0, 2 if wide else 1, 0, 0),
            header_style="dim",
        )
        rows = sorted(self._state.workers.items())
        if len(rows) > most:  # those who have been at it longest are the ones to look at
            busiest = sorted(rows, key=lambda item: item[1].since if item[1].theorem else float("inf"))
            rows = sorted(busiest[:most])
        for number, row in rows:
            table.add_row(str(number + 1), *self._worker_cells(row))
        hidden = len(self._state.workers) - len(rows)
        if hidden > 0:
            table.add_row("", Text(f"and {hidden} more workers", style="dim"))
        return table

    def _worker_cells(self, row: WorkerRow) -> Iterable[RenderableType]:
        if not row.theorem:
            return [Text("idle", style="dim")]
        return [
            _TailFirst(row.theorem),
            Text(row.phase, style=_PHASE_STYLES.get(row.phase, "")),
            Text(str(row.tries)),
            Text(str(row.depth)),
            Text(shown_duration(self._state.clock() - row.since)),
        ]

    def _proofs(self, width: int, most: int) -> RenderableType:
        table = Table(
            Column("proved last", ratio=2, no_wrap=True, overflow="ellipsis", style="green"),
            Column("", ratio=3, no_wrap=True, overflow="ellipsis"),
            Column("", justify="right", width=8, style="dim"),
            box=None,
            expand=True,
            padding=(0, 2 if width >= 100 else 1, 0, 0),
            header_style="dim",
        )
        for proof in list(self._state.proofs)[-most:][::-1]:
            table.add_row(_TailFirst(proof.theorem), Text(proof.proof), shown_duration(proof.seconds))
        return table

    def _stopping(self) -> RenderableType:
        stopping = self._state.stopping
        if stopping is None:
            return Text()
        left = max(0.0, stopping.grace_s - (self._state.clock() - self._state.stopping_since))
        busy = sum(1 for row in self._state.workers.values() if row.theorem)
        text = f"stopping ({one_line(stopping.reason)}): {stopping_advice(stopping)}"
        return Text(f"{text} [{busy} in flight, {left:.0f} s]", style="bold yellow")


class _TailFirst:
    """One line of text, cut at its front where it is too long: a theorem's name stands at its id's end."""

    def __init__(self, text: str) -> None:
        self._text = one_line(text)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text, width = self._text, options.max_width
        if cell_len(text) > width > 1:
            while cell_len(text) > width - 1:
                text = text[1:]
            text = f"…{text}"
        yield Text(text, no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(8, options.max_width), min(cell_len(self._text), options.max_width))
