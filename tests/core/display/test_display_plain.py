"""Displays that write lines: plain and JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from prover_core.contracts.events import (
    Event,
    ProofFound,
    RunEnded,
    RunStarted,
    RunStopping,
    TheoremDone,
    TheoremStarted,
    WorkerProgress,
)
from prover_core.display import DISPLAY_KINDS, Display, make_display
from prover_core.display.base import RunState, one_line, shown_duration
from prover_core.types import Theorem, Verdict, VerdictStatus

T = Theorem("Arith/Plus.v:add_0", "add_0", "coq", "Lemma add_0 : forall n, n + 0 = n.", file="/x/Plus.v")
PROOF = ("intros n.", "induction n.", "auto.")
STORY: list[Event] = [
    RunStarted(Path("runs/x"), 3, 2, 2, "coq", "tactics", "best-first"),
    TheoremStarted(0, T),
    WorkerProgress(0, T, "searching", 12, 3, 1.23456789),
    ProofFound(0, T, PROOF, Verdict(VerdictStatus.PROVED, "coqc", ("ax",))),
    TheoremDone(0, T, "proved", PROOF, 12, 1.5),
    TheoremDone(1, T, "out_of_budget", (), 500, 20.0, "500 tries"),
    TheoremDone(1, T, "crashed", (), 5, 200.0, "prover died"),
    RunStopping("SIGINT", 10.0),
    RunStopping("SIGINT", 0.0),
    RunEnded(Path("runs/x"), {"proved": 3, "out_of_budget": 1, "crashed": 1}, 3723.0, True, "SIGINT"),
]


def play(display: Display, events: list[Event] = STORY) -> None:
    with display:
        for event in events:
            display.on_event(event)


def test_plain_lines() -> None:
    stream = io.StringIO()
    play(make_display("plain", stream))
    assert stream.getvalue().splitlines() == [
        "runs/x: 3 to attempt (2 done before), 2 workers; env coq, model tactics, search best-first",
        "[1/3] proved           1.5s     12 tries  Arith/Plus.v:add_0  intros n. induction n. auto.",
        "[2/3] out of budget     20s    500 tries  Arith/Plus.v:add_0  500 tries",
        "[3/3] crashed          3:20      5 tries  Arith/Plus.v:add_0  prover died",
        "stopping (SIGINT): what is in flight has 10 s to end; what does not is attempted again on resume. "
        "Ctrl-C again: at once",
        "stopping (SIGINT): what is in flight is given up",
        "stopped (SIGINT) after 1:02:03: 3 proved, 1 out of budget, 1 crashed",
    ]


def test_a_tactic_cannot_break_a_line_or_drive_the_terminal() -> None:
    stream = io.StringIO()
    proof = ("intros\n\x1b[2J;\r auto.", "x" * 300)
    play(make_display("plain", stream), [STORY[0], TheoremDone(0, T, "proved", proof, 1, 0.1)])
    line = stream.getvalue().splitlines()[1]
    assert "\x1b" not in line and "intros ?[2J; auto." in line and line.endswith("...") and len(line) < 200


@pytest.mark.parametrize("kind", ["plain", "json"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_text_fits_any_stream(kind: str, encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    play(make_display(kind, stream), [TheoremDone(0, T, "proved", ("exact ∀\ud800.",), 1, 0.1)])  # type: ignore[arg-type]
    text = raw.getvalue().decode(encoding)
    assert text.count("\n") == 1 and ("∀" in text if encoding == "utf-8" else "2200" in text)
    stream.detach()


def test_json_lines_are_one_object_an_event() -> None:
    stream = io.StringIO()
    play(make_display("json", stream))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "run_started", "theorem_started", "worker_progress", "proof_found", "theorem_done", "theorem_done",
        "theorem_done", "run_stopping", "run_stopping", "run_ended",
    ]  # fmt: skip
    assert lines[0]["run_dir"] == "runs/x"
    assert lines[2]["theorem"] == {"id": "Arith/Plus.v:add_0", "name": "add_0", "file": "/x/Plus.v"}
    assert lines[2]["seconds"] == 1.2346
    assert lines[3]["proof"] == list(PROOF) and lines[3]["verdict"]["status"] == "proved"
    assert lines[3]["verdict"]["axioms"] == ["ax"]
    assert lines[-1]["counts"] == {"proved": 3, "out_of_budget": 1, "crashed": 1}
    assert all(line["at"].endswith("+00:00") for line in lines)


def test_messages(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in DISPLAY_KINDS:
        with make_display(kind) as display:
            display.message("take care")
    out, err = capsys.readouterr()
    assert json.loads(out)["text"] == "take care"
    assert err.splitlines() == ["take care"] * 3  # auto, live, plain


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    play(make_display("quiet"))
    assert capsys.readouterr() == ("", "")


def test_auto_is_plain_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    play(make_display())
    assert capsys.readouterr().err.startswith("runs/x: 3 to attempt")


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="no display 'fancy'; there are auto, live, plain, json, quiet"):
        make_display("fancy")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0s"), (9.94, "9.9s"), (9.96, "10s"), (59.4, "59s"), (59.6, "1:00"), (200, "3:20"),
     (3599.7, "1:00:00"), (5380, "1:29:40"), (172799, "47:59:59"), (183600, "2d 03:00")],
)  # fmt: skip
def test_durations(seconds: float, shown: str) -> None:
    assert shown_duration(seconds) == shown


def test_one_line() -> None:
    assert one_line("  a\n\tb \x07 ∀ ") == "a b ? ∀"


def test_rate_and_time_left() -> None:
    now = 0.0
    state = RunState(clock=lambda: now)
    assert state.per_minute() is None and state.elapsed == 0 and state.left == 0
    state.take(RunStarted(Path("x"), 1000, 50, 4, "e", "p", "s"))
    for _ in range(600):  # one a second
        now += 1.0
        state.take(TheoremDone(0, T, "failed", (), 1, 1.0))
    assert state.per_minute() == pytest.approx(60, rel=0.02)
    assert state.seconds_left() == pytest.approx(400, rel=0.02)
    for _ in range(100):  # then ten a second: the last five minutes count
        now += 0.1
        state.take(TheoremDone(0, T, "proved", PROOF, 1, 1.0))
    assert state.per_minute() == pytest.approx(78, rel=0.05)
    assert state.left == 300 and state.counts == {"failed": 600, "proved": 100}


def test_the_state_of_a_run_does_not_grow() -> None:
    now = 0.0
    state = RunState(clock=lambda: now)
    state.take(RunStarted(Path("x"), 10**6, 0, 4, "e", "p", "s"))
    for n in range(20_000):
        now += 0.001
        state.take(TheoremDone(n % 4, T, "proved", PROOF, 1, 1.0))
    assert len(state.proofs) <= 20 and len(state.workers) == 4 and len(state._finished) <= 2000
    assert state.per_minute() == pytest.approx(60_000, rel=0.01)


def test_displays_are_light_to_import() -> None:
    """``prover --help`` must not pay for rich."""
    import subprocess
    import sys

    code = "import sys, prover_core.display; print(sorted({'rich', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
