"""The linear document, on every supported prover: what goes in, what comes back, and what goes wrong."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prover_coq.engine import Engine, EngineLostError, EngineSettings, ReplayError, ReplyKind
from prover_coq.environment import CoqEnvironment
from prover_coq.idetop import IdetopEngine
from prover_coq.serapi import SerapiEngine, sertop_arguments
from prover_core.errors import ConfigError
from prover_core.types import Limits

STATEMENT = "Lemma test (n m : nat) (H : n = m) : n = m /\\ m = n."
OK, PARSE, FAILED = ReplyKind.OK, ReplyKind.PARSE, ReplyKind.FAILED


@pytest.fixture
def engine(environment: CoqEnvironment, limits: Limits) -> Iterator[Engine]:
    """An engine that stands at :data:`STATEMENT`; depth 1."""
    with environment.open(environment.theorem(STATEMENT), limits) as session:
        yield session.engine


def kinds(replies: list[object]) -> list[ReplyKind]:
    return [reply.kind for reply in replies]  # type: ignore[attr-defined]


def conclusions(engine: Engine, answer: bytes) -> list[str]:
    return [goal.conclusion for goal in engine.read_goals(answer).focused]


def test_siblings_leave_the_line_as_it_was(engine: Engine) -> None:
    replies = engine.explore(1, (), ["split.", "foo.", "split.)", "idtac.", "exact I."], 5.0)
    assert kinds(replies) == [OK, FAILED, PARSE, OK, FAILED]
    assert engine.depth == 1
    assert conclusions(engine, replies[0].answer) == ["n = m", "m = n"]
    assert conclusions(engine, replies[3].answer) == ["n = m /\\ m = n"]
    assert "foo was not found" in replies[1].message
    assert replies[2].message.lower().startswith("syntax error")


def test_a_sentence_that_stays(engine: Engine) -> None:
    assert kinds(engine.explore(1, (), ["split."], 5.0, stay=True)) == [OK]
    assert engine.depth == 2
    assert kinds(engine.explore(2, (), ["foo."], 5.0, stay=True)) == [FAILED]
    assert engine.depth == 2
    (reply,) = engine.explore(2, (), ["exact H."], 5.0, stay=True)
    assert conclusions(engine, reply.answer) == ["m = n"]
    assert engine.depth == 3


def test_going_back_and_running_again_in_one_write(engine: Engine) -> None:
    engine.extend(["split.", "exact H.", "symmetry."], 5.0)
    replies = engine.explore(1, ["symmetry in H.", "split."], ["exact H.", "exact (eq_sym H)."], 5.0)
    assert kinds(replies) == [FAILED, OK]
    assert conclusions(engine, replies[1].answer) == ["m = n"]
    assert engine.depth == 3


def test_a_path_that_does_not_work_any_more(engine: Engine) -> None:
    with pytest.raises(ReplayError, match=r"did not come back.*not found"):
        engine.explore(1, ["split.", "no_such_tactic."], ["idtac."], 5.0)
    assert not engine.alive
    assert engine.depth == -1


def test_extending_stops_at_the_first_failure(engine: Engine) -> None:
    sentences = ["idtac."] * 70 + ["exact I."] + ["idtac."] * 70
    assert kinds(engine.extend(sentences, 5.0)) == [OK] * 70 + [FAILED]
    assert engine.depth == 71
    assert kinds(engine.extend(["split.", "split.)", "idtac."], 5.0)) == [OK, PARSE]
    assert kinds(engine.extend(["exact H.", "exact (eq_sym H).", "Qed."], 5.0)) == [OK] * 3
    engine.rewind(1)
    assert kinds(engine.extend(["split."], 5.0)) == [OK]


def test_standing_of_goals(engine: Engine) -> None:
    (reply,) = engine.explore(1, (), ["refine (conj _ _); [shelve | give_up]."], 5.0)
    goals = engine.read_goals(reply.answer)
    assert engine.has_goals(reply.answer) is True
    assert [g.conclusion for g in goals.shelved] == ["n = m"]
    assert [g.conclusion for g in goals.given_up] == ["m = n"]
    assert goals.focused == goals.unfocused == ()
    assert [h.names for h in goals.shelved[0].hypotheses] in ([("n", "m"), ("H",)], [("n",), ("m",), ("H",)])
    *_, reply = engine.extend(["split.", "-"], 5.0)
    goals = engine.read_goals(reply.answer)
    assert [g.conclusion for g in goals.focused] == ["n = m"]
    assert [g.conclusion for g in goals.unfocused] == ["m = n"]


def test_nothing_left_and_no_proof(engine: Engine) -> None:
    first, last = engine.extend(["auto.", "Qed."], 5.0)
    assert engine.has_goals(first.answer) is False
    assert engine.has_goals(last.answer) is None


def test_queries_change_nothing(engine: Engine) -> None:
    engine.extend(["split."], 5.0)
    replies = engine.query(["Check plus_n_O.", "foo.", "Check (fun x : nat => x)."], 5.0)
    assert kinds(replies) == [OK, FAILED, OK]
    assert engine.read_messages(replies[0].answer)[0].startswith("plus_n_O")
    assert "nat -> nat" in engine.read_messages(replies[2].answer)[0]
    (inside,) = engine.query(["Check H."], 5.0)
    (before,) = engine.query(["Check H."], 5.0, depth=0)
    assert (inside.kind, before.kind) == (OK, FAILED)
    assert kinds(engine.extend(["exact H."], 5.0)) == [OK]


@pytest.mark.parametrize("limit", [0.15, 1.0])
def test_each_sentence_has_its_own_time(engine: Engine, limit: float) -> None:
    loop = "do 1000000000 idtac."
    started = time.monotonic()
    replies = engine.explore(1, (), ["split.", loop, "idtac.", "repeat (pose proof I).", "split."], limit)
    elapsed = time.monotonic() - started
    expected = [OK, ReplyKind.TIMED_OUT, OK, ReplyKind.TIMED_OUT, OK]
    assert kinds(replies) == expected
    assert 2 * limit <= elapsed <= 2 * (limit + 1.0)
    assert limit <= replies[1].seconds <= limit + 1.0
    assert conclusions(engine, replies[4].answer) == ["n = m", "m = n"]
    assert engine.alive


def test_interrupts_that_come_too_late_harm_nothing(engine: Engine) -> None:
    """With limits that fall on the sentences' ends, SIGINT hits what comes next: nothing is mixed up.

    Hit while it reads or prints, coqidetop ends, and sertop loses a call; that must be noticed.
    """
    batch = ["split.", "foo.", "idtac.", "symmetry in H."] * 4
    expected = [OK, FAILED, OK, OK] * 4
    lost, turns = 0, 8 if isinstance(engine, SerapiEngine) else 40
    for turn in range(turns):
        try:
            replies = engine.explore(1, (), batch, 0.0002 * (turn % 10))
        except (EngineLostError, ReplayError):
            lost += 1
            engine.start(time.monotonic() + 30)
            engine.extend([STATEMENT], 30.0)
            continue
        for found, wanted in zip(kinds(replies), expected, strict=True):
            assert found in (wanted, ReplyKind.TIMED_OUT)
        assert engine.depth == 1
        (reply,) = engine.explore(1, (), ["split."], 5.0)
        assert conclusions(engine, reply.answer) == ["n = m", "m = n"]
    assert engine.interrupts > turns / 2
    assert lost < turns / 2 or isinstance(engine, SerapiEngine)


def test_a_dead_process_is_an_error_with_the_answers_that_came(engine: Engine) -> None:
    pid = engine.pid
    assert pid is not None
    timer = threading.Timer(0.5, os.kill, (pid, signal.SIGKILL))
    timer.start()
    with pytest.raises(EngineLostError, match="SIGKILL") as caught:
        engine.explore(1, (), ["split.", "do 1000000000 idtac.", "split."], 30.0)
    timer.join()
    assert kinds(caught.value.replies) == [OK]
    assert not caught.value.timed_out
    assert engine.depth == -1
    with pytest.raises(EngineLostError, match="not running"):
        engine.query(["Check nat."], 1.0)


def test_memory_runs_out_and_the_process_lives(engine: Engine) -> None:
    bomb = "let x := eval cbv in (Nat.pow 2 26) in idtac."
    replies = engine.explore(1, (), ["split.", bomb, "split."], 60.0)
    assert kinds(replies) == [OK, ReplyKind.MEMORY, OK]
    assert engine.alive


# --- provers that are none ----------------------------------------------------------------------------


def impostor(tmp_path: Path, code: str, kind: type[Engine] = IdetopEngine) -> Engine:
    script = tmp_path / "impostor.py"
    script.write_text(code)
    settings = EngineSettings((sys.executable, str(script)), "impostor", tmp_path, dict(os.environ))
    return kind(settings)


INIT = 'import sys, time\nprint(\'<value val="good"><state_id val="1"/></value>\', end="", flush=True)\n'


@pytest.mark.parametrize("kind", [IdetopEngine, SerapiEngine])
def test_a_program_that_ends_at_once(tmp_path: Path, kind: type[Engine]) -> None:
    engine = impostor(tmp_path, "import sys\nsys.exit('no coq today')", kind)
    with pytest.raises(EngineLostError, match=r"did not start(.|\n)*no coq today"):
        engine.start(time.monotonic() + 20)
    assert not engine.alive


def test_a_program_that_never_answers(tmp_path: Path) -> None:
    engine = impostor(tmp_path, "import time\ntime.sleep(60)")
    started = time.monotonic()
    with pytest.raises(EngineLostError, match="not answered in time") as caught:
        engine.start(started + 0.5)
    assert caught.value.timed_out
    assert time.monotonic() - started < 5
    assert not engine.alive


def test_a_program_that_talks_nonsense(tmp_path: Path) -> None:
    engine = impostor(
        tmp_path, INIT + "while sys.stdin.read(1): print('<hello></value>', end='', flush=True)"
    )
    engine.start(time.monotonic() + 20)
    with pytest.raises(EngineLostError, match="has no <value>"):
        engine.explore(0, (), ["idtac."], 5.0)
    assert not engine.alive


def test_a_program_that_ignores_interrupts_is_killed(tmp_path: Path) -> None:
    code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + INIT + "time.sleep(60)"
    engine = impostor(tmp_path, code)
    engine.start(time.monotonic() + 20)
    started = time.monotonic()
    with pytest.raises(EngineLostError, match="did not react") as caught:
        engine.explore(0, (), ["idtac."], 0.5)
    assert caught.value.timed_out
    assert time.monotonic() - started < 0.5 + 1.0 + 0.5
    assert not engine.alive


def test_options_as_sertop_takes_them() -> None:
    options = [
        "-Q",
        "/a b",
        "X.Y",
        "-R",
        "/c",
        "Z",
        "-noinit",
        "-w",
        "-all",
        "-I",
        "/d",
        "-topfile",
        "/e/F.v",
    ]
    expected = ["-Q", "/a b,X.Y", "-R", "/c,Z", "--no_prelude", "-I", "/d", "--topfile=/e/F.v"]
    assert sertop_arguments(options) == expected
    with pytest.raises(ConfigError, match="-set"):
        sertop_arguments(["-set", "Printing All"])
