"""The pool of live processes, with workers that die, hang, refuse and grow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prover_core.errors import (
    ContractError,
    EnvironmentCrashedError,
    ProcessLostError,
    TheoremUnavailableError,
)
from prover_core.process import WorkerPool


class Reader:
    """Stands in a text. ``trouble`` is raised by its first openings."""

    def __init__(self, folder: Path, trouble: list[Exception]) -> None:
        folder.mkdir()
        self.key: object = "reader"
        self.folder = folder
        self.theorems = 0
        self.alive = True
        self.text = ""
        self.mb = 10.0
        self.closed = 0
        self._trouble = trouble

    def rss_mb(self) -> float:
        return self.mb

    def read(self, prefix: str) -> str:
        if self._trouble:
            self.alive = False
            raise self._trouble.pop(0)
        self.text = prefix
        self.theorems += 1
        return f"stands after {len(prefix)}"

    def close(self) -> None:
        self.alive = False
        self.closed += 1


class Desk:
    """A pool, and every worker that it ever made."""

    def __init__(self, **limits: int) -> None:
        told = {"idle": 2, "recycle_theorems": 3, "recycle_mb": 100, **limits}
        self.made: list[Reader] = []
        self.trouble: list[Exception] = []
        fitness: Callable[[Reader, str], int] = lambda worker, prefix: (  # noqa: E731
            len(worker.text) if prefix.startswith(worker.text) else -1
        )
        self.pool: WorkerPool[Reader] = WorkerPool("test", fitness, **told)

    def open(self, prefix: str, *, key: object = "reader", seconds: float = 10.0) -> Reader:
        worker, said = self.pool.open(
            key, self._make, lambda w: w.read(prefix), prefix, "Facts.v", time.monotonic() + seconds
        )
        assert said == f"stands after {len(prefix)}" and worker.alive
        return worker

    def _make(self, folder: Path) -> Reader:
        self.made.append(Reader(folder, self.trouble))
        return self.made[-1]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.pool.close()


def test_the_one_that_is_nearest_goes_on(desk: Desk) -> None:
    near, far = desk.open("abcd"), desk.open("ab")
    desk.pool.release(far)
    desk.pool.release(near)
    assert desk.open("abcdef") is near
    assert desk.open("abc") is far
    assert len(desk.made) == 2


def test_one_that_would_have_to_go_back_is_left_alone(desk: Desk) -> None:
    later = desk.open("abcd")
    desk.pool.release(later)
    assert desk.open("abx") is not later


def test_another_key_is_another_process(desk: Desk) -> None:
    first = desk.open("ab")
    desk.pool.release(first)
    assert desk.open("ab", key="with other options") is not first


def test_what_an_idle_one_fails_at_a_new_one_tries(desk: Desk) -> None:
    for trouble in (ProcessLostError("died"), TheoremUnavailableError("refused")):
        old = desk.open("ab")
        desk.pool.release(old)
        desk.trouble.append(trouble)
        assert desk.open("abc") is not old and old.closed == 1


def test_dying_once_is_no_end(desk: Desk) -> None:
    desk.trouble.append(ProcessLostError("died"))
    assert desk.open("ab") is desk.made[1] and desk.made[0].closed == 1


def test_dying_twice_is_told_with_place_and_last_words(desk: Desk) -> None:
    desk.trouble += [ProcessLostError("died"), ProcessLostError("died again", stderr_tail="Stack overflow")]
    with pytest.raises(EnvironmentCrashedError, match=r"died again\n.*Facts\.v") as caught:
        desk.open("ab")
    assert caught.value.stderr_tail == "Stack overflow"
    assert [worker.closed for worker in desk.made] == [1, 1]


def test_out_of_time_is_not_tried_again(desk: Desk) -> None:
    desk.trouble.append(ProcessLostError("no answer", timed_out=True))
    with pytest.raises(EnvironmentCrashedError, match="no answer"):
        desk.open("ab")
    desk.trouble.append(ProcessLostError("died late"))
    with pytest.raises(EnvironmentCrashedError, match="died late"):
        desk.open("ab", seconds=-1.0)
    assert len(desk.made) == 2


@pytest.mark.parametrize("error", [TheoremUnavailableError("does not compile"), KeyboardInterrupt()])
def test_what_a_new_one_says_is_said(desk: Desk, error: Exception) -> None:
    desk.trouble.append(error)
    with pytest.raises(type(error)):
        desk.open("ab")
    assert desk.made[0].closed == 1


def test_worn_out_dead_and_fat_ones_are_ended(desk: Desk) -> None:
    worn, dead, fat = desk.open("a"), desk.open("b"), desk.open("c")
    worn.theorems, dead.alive, fat.mb = 3, False, 101.0
    for worker in (worn, dead, fat):
        desk.pool.release(worker)
        assert worker.closed == 1
    assert desk.open("abc") not in (worn, dead, fat)


@pytest.mark.parametrize("idle", [0, 1, 2])
def test_so_many_are_kept_the_oldest_goes(idle: int) -> None:
    desk = Desk(idle=idle)
    workers = [desk.open(text) for text in "abc"]
    for worker in workers:
        desk.pool.release(worker)
    assert [worker.closed for worker in workers] == [1] * (3 - idle) + [0] * idle
    desk.pool.close()
    assert [worker.closed for worker in workers] == [1, 1, 1]


def test_close_ends_all_and_leaves_nothing(desk: Desk) -> None:
    idle, busy = desk.open("a"), desk.open("b")
    desk.pool.release(idle)
    scratch = busy.folder.parent
    assert scratch.is_dir()
    desk.pool.close()
    desk.pool.close()
    assert idle.closed == busy.closed == 1 and not scratch.exists()
    desk.pool.release(busy)
    assert busy.closed == 2
    with pytest.raises(ContractError, match="test environment has been closed"):
        desk.open("a")


def test_no_room_for_the_folder(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(EnvironmentCrashedError, match=r"temporary folder.*TMPDIR"):
        desk.open("a")
