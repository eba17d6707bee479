"""Stages are done once: marks, hashes, what is set aside, what is gone on with, what is told."""

from __future__ import annotations

import dataclasses
import threading
import time
from pathlib import Path

import pytest

from prover_core.errors import DataError, MachineryError, RunStoreError, UserError
from prover_core.iterate.config import IterateConfig, config_text, load_config, quick_config
from prover_core.iterate.content import content_hash
from prover_core.iterate.drive import agreed_config, carry_out
from prover_core.iterate.engine import Engine, StageStopped
from prover_core.iterate.plan import Stage
from prover_core.store.lock import RunLock

_RUN = ("run", "--env", "fake", "--model", "scripted", "--data", "fake", "--limit", "2", "--budget", "9t")


def _stage(place: Path, **changes: object) -> Stage:
    folder = place / "run"
    stage = Stage(
        0, "search", "search", (*_RUN, "--out", str(folder)), folder,
        resume=("run", "--resume", str(folder)), resume_mark="config.yaml",
    )  # fmt: skip
    return dataclasses.replace(stage, **changes)  # type: ignore[arg-type]


def _engine(out: Path) -> tuple[Engine, list[str]]:
    told: list[str] = []
    return Engine(out, grace_s=10, tell=told.append), told


def test_a_stage_is_done_once(tmp_path: Path) -> None:
    engine, told = _engine(tmp_path)
    stage = _stage(tmp_path)
    first = engine.carry_out(stage)
    written = (tmp_path / "run" / "results.jsonl").stat().st_mtime_ns
    again, told = _engine(tmp_path)
    assert again.carry_out(stage) == first
    assert told == [f"00-search: done before ({first.seconds:.0f} s)"]
    assert (tmp_path / "run" / "results.jsonl").stat().st_mtime_ns == written


def test_a_folder_that_was_moved_is_still_done(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    _engine(old)[0].carry_out(_stage(old))
    old.rename(new)
    assert _engine(new)[0].done(_stage(new)) is not None


def test_a_folder_whose_name_is_also_a_word_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only paths in the folder move with it, and it may be named from the root or from here."""
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    _engine(Path("run"))[0].carry_out(_stage(Path("run"), settings={"policy": {"base": "run/x"}}))
    Path("run").rename("fake")
    for place in (Path("fake"), tmp_path / "fake"):
        stage = _stage(place, settings={"policy": {"base": str(place / "x")}})
        assert _engine(place)[0].done(stage) is not None


def test_a_result_that_changed_is_made_again_and_the_old_one_kept(tmp_path: Path) -> None:
    engine, told = _engine(tmp_path)
    stage = _stage(tmp_path, resume=())
    engine.carry_out(stage)
    results = tmp_path / "run" / "results.jsonl"
    lines = results.read_text().splitlines(keepends=True)
    results.write_text(lines[0])
    assert engine.done(stage) is None
    engine.carry_out(stage)
    assert len(results.read_text().splitlines()) == 2
    kept = tmp_path / "superseded" / "00-search.0" / "results.jsonl"
    assert kept.read_text() == lines[0]
    assert any("what was there is now" in line for line in told)


def test_an_input_that_changed_makes_the_stage_be_done_again(tmp_path: Path) -> None:
    source = tmp_path / "input.txt"
    source.write_text("one")
    engine, _ = _engine(tmp_path)
    stage = _stage(tmp_path, inputs=(source,))
    engine.carry_out(stage)
    assert engine.done(stage) is not None
    source.write_text("other")
    assert engine.done(stage) is None
    engine.carry_out(stage)
    assert engine.done(stage) is not None and (tmp_path / "superseded" / "00-search.0").is_dir()


def test_another_command_is_another_stage(tmp_path: Path) -> None:
    engine, _ = _engine(tmp_path)
    stage = _stage(tmp_path)
    engine.carry_out(stage)
    assert engine.done(dataclasses.replace(stage, words=(*stage.words, "--seed", "1"))) is None
    assert engine.done(dataclasses.replace(stage, settings={"budget": "8t"})) is None


def test_a_missing_input_is_named_before_anything_starts(tmp_path: Path) -> None:
    engine, _ = _engine(tmp_path)
    with pytest.raises(DataError, match=r"00-search rests on .*nowhere"):
        engine.carry_out(_stage(tmp_path, inputs=(tmp_path / "nowhere",)))
    assert not (tmp_path / "run").exists()


def test_an_input_that_has_gone_leaves_what_was_made_of_it(tmp_path: Path) -> None:
    """As when the command is given from another folder: nothing can be done again, and nothing need be."""
    source = tmp_path / "input.txt"
    source.write_text("one")
    engine, _ = _engine(tmp_path)
    engine.carry_out(_stage(tmp_path, inputs=(source,)))
    source.unlink()
    with pytest.raises(DataError, match=r"rests on .*input\.txt.*folder where it was begun"):
        engine.carry_out(_stage(tmp_path))  # the plan knows only of files that there are
    assert (tmp_path / "run" / "results.jsonl").is_file() and not (tmp_path / "superseded").exists()
    source.write_text("one")
    assert engine.done(_stage(tmp_path, inputs=(source,))) is not None


def test_one_that_was_broken_off_begins_again_where_its_inputs_have_moved(tmp_path: Path) -> None:
    """What a command saves for its resume names files where they were."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "weights").write_text("w")
    engine, told = _engine(old)
    engine.carry_out(_stage(old, inputs=(old / "weights",)))
    (old / "state" / "00-search.done.json").unlink()
    engine.carry_out(_stage(old, inputs=(old / "weights",)))
    assert any("going on" in line for line in told)
    (old / "state" / "00-search.done.json").unlink()
    (old / "superseded" / "00-search.1").mkdir(parents=True)  # of .0 and .1 somebody has deleted .0
    old.rename(new)
    engine, told = _engine(new)
    engine.carry_out(_stage(new, inputs=(new / "weights",)))
    assert any("begins" in line for line in told)
    assert (new / "superseded" / "00-search.0" / "results.jsonl").is_file()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("run", "--env", "fake", "--model", "no-such-model", "--data", "fake"), UserError),
        (("run", "--env", "replay", "--model", "scripted", "--data", "fake"), UserError),
    ],
    ids=["name", "options"],
)
def test_a_failing_stage_tells_its_command_its_last_lines_and_its_log(
    tmp_path: Path, words: tuple[str, ...], error: type[Exception]
) -> None:
    engine, _ = _engine(tmp_path)
    stage = _stage(tmp_path, words=(*words, "--out", str(tmp_path / "run")))
    with pytest.raises(error) as caught:
        engine.carry_out(stage)
    told = str(caught.value)
    assert "exit code 2" in told and "prover run --env" in told and "Error:" in told
    log = tmp_path / "logs" / "00-search.log"
    assert str(log) in told and "Error:" in log.read_text()
    assert engine.done(stage) is None


def test_a_stage_that_leaves_nothing_is_no_success(tmp_path: Path) -> None:
    engine, _ = _engine(tmp_path)
    stage = _stage(tmp_path, words=("plugins", "list"), out=tmp_path / "never")
    with pytest.raises(MachineryError, match="without leaving"):
        engine.carry_out(stage)


def test_what_a_stage_prints_can_be_its_result_and_is_whole_or_absent(tmp_path: Path) -> None:
    engine, _ = _engine(tmp_path)
    out = tmp_path / "list.json"
    engine.carry_out(_stage(tmp_path, words=("plugins", "list", "--json"), out=out, stdout=out, resume=()))
    assert out.read_text().startswith(("[", "{"))
    bad = tmp_path / "bad.json"
    stage = _stage(tmp_path, words=("plugins", "show", "nothing"), out=bad, stdout=bad, name="other")
    with pytest.raises(UserError):
        engine.carry_out(stage)
    assert not bad.exists()


def test_a_signal_ends_the_stage_which_is_gone_on_with(tmp_path: Path) -> None:
    engine, _ = _engine(tmp_path)
    words = (*_RUN[:7], "--budget", "400t", "--set", "env.latency_ms=30", "--out", str(tmp_path / "run"))
    stage = _stage(tmp_path, words=words)
    waiting = threading.Thread(target=_stop_soon, args=(engine, tmp_path / "run" / "results.jsonl"))
    waiting.start()
    with pytest.raises(StageStopped):
        engine.carry_out(stage)
    waiting.join()
    before = (tmp_path / "run" / "results.jsonl").read_text()
    again, told = _engine(tmp_path)
    stopper = threading.Thread(target=_stop_soon, args=(again, tmp_path / "run" / "results.jsonl", before))
    stopper.start()
    with pytest.raises(StageStopped):
        again.carry_out(stage)
    stopper.join()
    assert any("going on: prover run --resume" in line for line in told)
    assert (tmp_path / "run" / "results.jsonl").read_text().startswith(before)


def test_the_second_signal_ends_the_stage_at_once(tmp_path: Path) -> None:
    engine, _ = _engine(tmp_path)
    words = (*_RUN, "--grace", "60", "--set", "env.latency_ms=8000", "--out", str(tmp_path / "run"))
    results = tmp_path / "run" / "results.jsonl"

    def twice() -> None:
        _wait_for(results)
        engine.request_stop(15)
        time.sleep(0.5)
        engine.request_stop(15)

    waiting = threading.Thread(target=twice)
    waiting.start()
    began = time.monotonic()
    with pytest.raises(StageStopped):
        engine.carry_out(_stage(tmp_path, words=words))
    waiting.join()
    assert time.monotonic() - began < 30


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)


def _stop_soon(engine: Engine, results: Path, before: str = "") -> None:
    """Once there is a line more."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if results.exists() and len(results.read_text()) > len(before):
            break
        time.sleep(0.02)
    engine.request_stop(15)


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    config = quick_config({"env": "fake", "model": "scripted", "data": "fake"})
    other = quick_config({"env": "fake", "model": "scripted", "data": "fake", "sample": 3})
    out = tmp_path / "it"
    out.mkdir()
    (out / "iterate.yaml").write_text(config_text(config))
    lock = RunLock(out / "lock")
    try:
        with pytest.raises(RunStoreError, match="being written by"):
            _carry_out(other, out, accept_changes=True)
    finally:
        lock.close()
    assert load_config(out / "iterate.yaml") == config, "changed under the one that writes"


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    config = quick_config({"env": "fake", "model": "scripted", "data": "fake"})
    with pytest.raises(DataError, match="not empty"):
        agreed_config(tmp_path, config)
    with pytest.raises(DataError, match="not empty"):
        _carry_out(config, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(DataError, match="a folder is"):
        _carry_out(config, tmp_path / "thesis.tex")
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def _carry_out(config: IterateConfig, out: Path, *, accept_changes: bool = False) -> None:
    carry_out(config, out, accept_changes=accept_changes, grace_s=1, tell=lambda line: None,
              after=lambda progress: None)  # fmt: skip


def test_hashes_see_content_and_nothing_else(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "results.jsonl").write_text("{}\n")
    told = content_hash(run)
    (run / "log.jsonl").write_text("x")
    (run / "lock").write_text("y")
    assert content_hash(run) == told
    (run / "results.jsonl").write_text("{} \n")
    assert content_hash(run) != told
    assert content_hash(tmp_path / "nothing") == "missing"
