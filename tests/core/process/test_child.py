"""ChildProcess against children that do everything wrong."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prover_core.errors import ChildTimeoutError, EnvironmentCrashedError, ToolMissingError
from prover_core.process import ChildProcess, descendants
from prover_core.process.limits import _kernel_lists_children

Start = Callable[..., ChildProcess]
IsGone = Callable[[int], bool]


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


def read_bytes(child: ChildProcess, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += child.read(soon())
    return data


def read_line(child: ChildProcess) -> str:
    data = b""
    while not data.endswith(b"\n"):
        data += child.read(soon())
    return data.decode().strip()


def grandchild_of(child: ChildProcess) -> int:
    return int(read_line(child).split()[1])


def test_question_and_answer(start: Start) -> None:
    child = start("echo")
    child.send("∀ x, x = x\n".encode())
    assert read_line(child) == "∀ x, x = x"
    assert child.alive
    assert child.returncode is None


def test_slow_start_times_out_first_and_answers_later(start: Start) -> None:
    child = start("slow_start")
    with pytest.raises(ChildTimeoutError, match="slow_start"):
        child.read(soon(0.1))
    assert child.alive
    assert read_line(child) == "ready"


def test_child_that_never_starts_is_left_at_the_deadline(start: Start) -> None:
    child = start("never_starts")
    began = time.monotonic()
    with pytest.raises(ChildTimeoutError):
        child.read(soon(0.2))
    assert 0.15 < time.monotonic() - began < 1.0
    child.close()
    assert child.returncode == -signal.SIGKILL


def test_exit_at_once_is_an_error_with_code_and_last_words(start: Start) -> None:
    child = start("exits_at_once")
    with pytest.raises(EnvironmentCrashedError) as caught:
        child.read(soon())
    assert caught.value.returncode == 3
    assert caught.value.stderr_tail == "cannot find my library\n"
    assert "exits_at_once" in str(caught.value)
    assert not child.alive
    assert child.rss_mb() == 0.0


def test_garbage_comes_through_unchanged(start: Start) -> None:
    child = start("garbage")
    assert read_bytes(child, 1024) == bytes(range(256)) * 4


def test_interrupt_reaches_the_child(start: Start) -> None:
    child = start("answers_interrupts")
    assert read_line(child) == "ready"
    child.interrupt()
    assert read_line(child) == "interrupted"
    child.interrupt()
    assert read_line(child) == "interrupted"


def test_interrupt_reaches_a_child_of_a_thread_that_blocks_it(start: Start) -> None:
    """Ray's workers are such threads."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGALRM})
    try:
        child = start("answers_interrupts")
        assert read_line(child) == "ready"
        child.interrupt()
        assert read_line(child) == "interrupted"
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_child_deaf_to_interrupts_is_killed_by_close(start: Start) -> None:
    child = start("hangs_deaf_to_interrupts")
    assert read_line(child) == "ready"
    child.interrupt()
    with pytest.raises(ChildTimeoutError):
        child.read(soon(0.2))
    began = time.monotonic()
    child.close()
    assert time.monotonic() - began < 2.0
    assert child.returncode == -signal.SIGKILL


def test_death_in_the_middle_of_an_answer(start: Start) -> None:
    child = start("dies_mid_request")
    child.send(b"request\n")
    assert read_bytes(child, 11) == b"half an ans"
    with pytest.raises(EnvironmentCrashedError, match="SIGKILL") as caught:
        child.read(soon())
    assert caught.value.returncode == -9
    assert "out of luck" in caught.value.stderr_tail
    with pytest.raises(EnvironmentCrashedError):
        for _ in range(50):  # the first may still fit into the pipe
            child.send(b"anybody there?\n")


def test_killed_while_it_is_waited_for(start: Start) -> None:
    child = start("echo")
    threading.Timer(0.2, os.kill, (child.pid, signal.SIGKILL)).start()
    began = time.monotonic()
    with pytest.raises(EnvironmentCrashedError) as caught:
        child.read(soon(30))
    assert caught.value.returncode == -9
    assert time.monotonic() - began < 2.0


def test_flood_of_messages_neither_blocks_nor_grows(start: Start) -> None:
    child = start("floods_stderr")
    assert read_line(child) == "done"
    tail = child.stderr_tail()
    assert tail.endswith("the last word\n")
    assert len(tail) <= 65536


def test_flood_of_messages_does_not_postpone_the_deadline(start: Start) -> None:
    child = start("floods_stderr_for_ever")
    began = time.monotonic()
    with pytest.raises(ChildTimeoutError):
        child.read(soon(0.3))
    assert time.monotonic() - began < 1.5


def test_both_pipes_full(start: Start) -> None:
    child = start("floods_stdout_before_reading")
    began = time.monotonic()
    child.send(b"q" * 8_000_000)  # far more than the pipe takes; must not block
    assert time.monotonic() - began < 1.0
    assert len(read_bytes(child, 8 << 20)) == 8 << 20
    child.end_input()
    with pytest.raises(EnvironmentCrashedError) as caught:  # it has read everything, and ended
        child.read(soon())
    assert caught.value.returncode == 0


def test_endless_output_can_be_closed(start: Start) -> None:
    child = start("floods_stdout_for_ever")
    read_bytes(child, 3 << 20)
    child.close(grace_s=0.1)
    assert child.returncode == -9


def test_grandchild_dies_with_the_group(start: Start, is_gone: IsGone) -> None:
    child = start("grandchild")
    grandchild = grandchild_of(child)
    assert psutil.pid_exists(grandchild)
    child.close()
    assert is_gone(grandchild)


@pytest.mark.parametrize("grace_s", [0.0, 2.0])
def test_grandchild_that_left_the_group_dies_too(grace_s: float, start: Start, is_gone: IsGone) -> None:
    child = start("grandchild_that_left")
    grandchild = grandchild_of(child)
    assert os.getpgid(grandchild) != child.pid
    child.close(grace_s)
    assert is_gone(grandchild)


def test_death_is_seen_though_a_grandchild_holds_the_pipes(start: Start, is_gone: IsGone) -> None:
    child = start("grandchild_outlives")
    grandchild = grandchild_of(child)
    began = time.monotonic()
    with pytest.raises(EnvironmentCrashedError) as caught:
        child.read(soon(30))
    assert caught.value.returncode == 7
    assert time.monotonic() - began < 2.0
    assert psutil.pid_exists(grandchild)
    child.close()
    assert is_gone(grandchild)


def test_memory_limit(start: Start) -> None:
    child = start("eats_memory", memory_mb=256)
    with pytest.raises(EnvironmentCrashedError) as caught:
        child.read(soon(30))
    assert "MemoryError" in caught.value.stderr_tail
    assert caught.value.returncode == 1


def test_resident_memory_counts_the_whole_family(start: Start) -> None:
    alone, family = start("echo"), start("grandchild")
    alone.send(b"\n")
    read_line(alone)
    grandchild_of(family)
    time.sleep(0.1)
    assert 1.0 < alone.rss_mb() < family.rss_mb() < 500.0


def test_closed_output_of_a_living_child(start: Start) -> None:
    child = start("closes_stdout")
    assert read_line(child) == "bye"
    with pytest.raises(EnvironmentCrashedError, match="still there") as caught:
        child.read(soon(5))
    assert caught.value.returncode is None


def test_closed_input_of_a_living_child(start: Start) -> None:
    child = start("closes_stdin")
    assert read_line(child) == "deaf"
    with pytest.raises(EnvironmentCrashedError, match="no more input"):
        child.send(b"hello\n")


def test_close_is_idempotent_and_final(start: Start) -> None:
    child = start("echo")
    child.close()
    child.close()
    assert not child.alive
    with pytest.raises(EnvironmentCrashedError, match="closed"):
        child.send(b"x")
    with pytest.raises(EnvironmentCrashedError, match="closed"):
        child.read(soon())
    child.interrupt()  # no effect, no error
    assert child.stderr_tail() == ""


def test_grace_lets_it_end_by_itself(start: Start) -> None:
    child = start("ends_with_its_input")
    child.close(grace_s=5.0)
    assert child.returncode == 0


def test_nothing_survives_an_exception(fake_command: Callable[[str], list[str]], is_gone: IsGone) -> None:
    grandchild = 0
    with (
        pytest.raises(ZeroDivisionError),
        ChildProcess(fake_command("grandchild"), name="grandchild") as child,
    ):
        grandchild = grandchild_of(child)
        _ = 1 // 0
    assert is_gone(child.pid)
    assert is_gone(grandchild)


def test_no_zombie_and_no_descriptor_is_left(start: Start) -> None:
    start("echo").close()
    before = psutil.Process().num_fds()
    for _ in range(5):
        start("exits_at_once").close()
        start("echo").close()
    assert psutil.Process().num_fds() == before
    zombies = [p.pid for p in psutil.Process().children() if p.status() == psutil.STATUS_ZOMBIE]
    assert zombies == []


def test_missing_program() -> None:
    with pytest.raises(ToolMissingError, match="PATH"):
        ChildProcess(["no-such-prover-7"], name="no such prover")
    with pytest.raises(ToolMissingError):
        ChildProcess(["/no/such/folder/prover"], name="no such prover")


def test_program_that_may_not_be_run(tmp_path: Path) -> None:
    program = tmp_path / "prover"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(ToolMissingError):
        ChildProcess([str(program)], name="prover")


def test_program_that_is_no_program(tmp_path: Path) -> None:
    program = tmp_path / "prover"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)
    with pytest.raises(EnvironmentCrashedError, match="cannot be started"):
        ChildProcess([str(program)], name="prover")


def test_missing_folder(tmp_path: Path, fake_command: Callable[[str], list[str]]) -> None:
    with pytest.raises(EnvironmentCrashedError, match="no such folder"):
        ChildProcess(fake_command("echo"), name="echo", cwd=tmp_path / "nowhere")


def test_environment_and_folder(tmp_path: Path) -> None:
    with ChildProcess(
        ["/bin/sh", "-c", "pwd; echo $WHO"], name="sh", cwd=tmp_path, env={"WHO": "me"}
    ) as child:
        assert read_bytes(child, len(str(tmp_path)) + 4).decode().split() == [str(tmp_path), "me"]


def test_children_share_no_descriptors(start: Start) -> None:
    first, second = start("echo"), start("echo")
    for child in (first, second):
        child.send(b"up\n")
        read_line(child)
        assert len(os.listdir(f"/proc/{child.pid}/fd")) <= 4  # 0, 1, 2 and the script


def test_children_in_threads(start: Start) -> None:
    wrong: list[str] = []

    def talk(number: int) -> None:
        child = start("echo")
        for turn in range(200):
            child.send(f"{number}:{turn}\n".encode())
            answer = read_line(child)
            if answer != f"{number}:{turn}":
                wrong.append(answer)

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


@pytest.fixture
def old_kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A system without process descriptors and without lists of children in /proc."""

    def unsupported(pid: int, flags: int = 0) -> int:
        raise OSError(errno.ENOSYS, "not implemented")

    monkeypatch.setattr(os, "pidfd_open", unsupported)
    monkeypatch.setattr(Path, "exists", lambda path: False)
    _kernel_lists_children.cache_clear()
    yield
    monkeypatch.undo()
    _kernel_lists_children.cache_clear()


@pytest.mark.usefixtures("old_kernel")
def test_on_an_old_kernel(start: Start, is_gone: IsGone) -> None:
    child = start("echo")
    child.send(b"hello\n")
    assert read_line(child) == "hello"
    with pytest.raises(ChildTimeoutError):
        child.read(soon(0.15))
    orphan, family = start("grandchild_outlives"), start("grandchild_that_left")
    first, second = grandchild_of(orphan), grandchild_of(family)
    with pytest.raises(EnvironmentCrashedError) as caught:
        orphan.read(soon(30))
    assert caught.value.returncode == 7
    assert second in descendants(family.pid)
    orphan.close()
    assert is_gone(first)
    assert psutil.pid_exists(second)
    family.close(grace_s=1.0)
    assert is_gone(second)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 300_000), min_size=1, max_size=12), st.integers(0, 255))
def test_everything_arrives_once_and_in_order(sizes: list[int], first: int) -> None:
    messages = [bytes([(first + place) % 256]) * size for place, size in enumerate(sizes)]
    with ChildProcess(["/bin/cat"], name="cat") as child:
        for message in messages:
            child.send(message)
        child.end_input()
        received = b""
        while data := child.read_or_end(soon()):
            received += data
    assert received == b"".join(messages)
