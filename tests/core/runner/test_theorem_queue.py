"""Every task is handed out once; a worker walks forward through a file."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from prover_core.runner.theorem_queue import Task, TheoremQueue
from prover_core.types import Theorem


def task(file: str | None, n: int) -> Task:
    return Task(Theorem(id=f"{file}:{n}", name=str(n), prover="fake", statement="s", file=file), 1)


FILES = st.sampled_from(["a.v", "b.v", "c.v", None])


@given(st.lists(FILES, max_size=40), st.lists(st.integers(0, 3), max_size=80), st.booleans())
def test_each_task_once_and_forward(files: list[str | None], turns: list[int], affinity: bool) -> None:
    tasks = [task(file, n) for n, file in enumerate(files)]
    queue = TheoremQueue(tasks, affinity=affinity)
    taken: dict[int, list[Task]] = defaultdict(list)
    for worker in [*turns, *([0] * len(tasks))]:
        found = queue.take(worker)
        if found is None:
            break
        taken[worker].append(found)
    everything = [t for mine in taken.values() for t in mine]
    assert sorted(everything, key=tasks.index) == tasks
    assert queue.remaining() == 0 and queue.take(7) is None
    if affinity:  # a worker goes back in a file only where it takes a piece of it over from another
        alone = {
            file for file in files if sum(any(t.theorem.file == file for t in m) for m in taken.values()) == 1
        }
        for mine in taken.values():
            for file in alone - {None}:
                places = [tasks.index(t) for t in mine if t.theorem.file == file]
                assert places == sorted(places)


def test_a_worker_stays_in_its_file_while_others_are_free() -> None:
    queue = TheoremQueue([task(f, n) for n in range(3) for f in ("a.v", "b.v", "c.v")])
    assert [queue.take(w).theorem.id for w in (0, 1, 0, 1, 0, 0)] == [
        "a.v:0", "b.v:0", "a.v:1", "b.v:1", "a.v:2", "c.v:0",
    ]  # fmt: skip


def test_the_second_half_of_the_longest_file_is_taken_over() -> None:
    queue = TheoremQueue([task("long.v", n) for n in range(9)] + [task("short.v", 0)])
    assert queue.take(0).theorem.id == "long.v:0"
    assert queue.take(1).theorem.id == "short.v:0"
    assert [queue.take(1).theorem.name for _ in range(4)] == ["5", "6", "7", "8"]  # 1 to 4 stay with worker 0
    assert [queue.take(0).theorem.name for _ in range(4)] == ["1", "2", "3", "4"]
    assert queue.take(0) is None


def test_without_affinity_it_is_first_come_first_served() -> None:
    queue = TheoremQueue([task(f, n) for n in range(2) for f in ("a.v", "b.v")], affinity=False)
    assert [queue.take(w).theorem.id for w in (0, 1, 1, 0)] == ["a.v:0", "b.v:0", "a.v:1", "b.v:1"]
