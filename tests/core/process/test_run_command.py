"""run_command: one command, one result, nothing left behind."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from prover_core.errors import ToolMissingError
from prover_core.process import run_command
from prover_core.process.run import MAX_OUTPUT_BYTES

Fake = Callable[[str], list[str]]


def test_result() -> None:
    result = run_command(
        ["/bin/sh", "-c", "cat; echo oops >&2; exit 4"], name="sh", timeout_s=10, input="ä".encode()
    )
    assert (result.returncode, result.stdout, result.stderr, result.timed_out) == (4, "ä", "oops\n", False)
    assert 0 < result.seconds < 5


def test_time_out_kills_everything(fake_command: Fake, is_gone: Callable[[int], bool]) -> None:
    began = time.monotonic()
    result = run_command(fake_command("grandchild"), name="grandchild", timeout_s=0.5, input=b"x\n" * 10)
    # `grandchild` ends with its input; its own child, which never would, goes with it
    assert time.monotonic() - began < 3
    assert result.stdout.startswith("pid ")
    assert is_gone(int(result.stdout.split()[1]))


@pytest.mark.parametrize("behaviour", ["never_starts", "floods_stderr_for_ever", "floods_stdout_for_ever"])
def test_time_out_is_a_result(behaviour: str, fake_command: Fake) -> None:
    began = time.monotonic()
    result = run_command(fake_command(behaviour), name=behaviour, timeout_s=0.4)
    assert result.timed_out
    assert 0.3 < time.monotonic() - began < 3
    assert len(result.stdout) <= MAX_OUTPUT_BYTES
    assert len(result.stderr) <= MAX_OUTPUT_BYTES


def test_output_may_end_before_the_command(fake_command: Fake) -> None:
    result = run_command(fake_command("closes_stdout"), name="closes_stdout", timeout_s=0.5)
    assert result.timed_out
    assert result.stdout == "bye\n"


def test_large_input_and_output() -> None:
    data = b"0123456789" * 500_000
    result = run_command(["/bin/cat"], name="cat", timeout_s=20, input=data)
    assert result.stdout.encode() == data


def test_input_that_is_not_read(fake_command: Fake) -> None:
    result = run_command(
        fake_command("exits_at_once"), name="exits_at_once", timeout_s=10, input=b"x" * 5_000_000
    )
    assert result.returncode == 3
    assert result.stderr == "cannot find my library\n"


def test_memory_limit(fake_command: Fake) -> None:
    result = run_command(fake_command("eats_memory"), name="eats_memory", timeout_s=30, memory_mb=256)
    assert result.returncode == 1
    assert "MemoryError" in result.stderr


def test_command_that_leaves_a_child_ends_at_once(fake_command: Fake, is_gone: Callable[[int], bool]) -> None:
    began = time.monotonic()
    result = run_command(fake_command("grandchild_outlives"), name="grandchild_outlives", timeout_s=20)
    assert time.monotonic() - began < 5
    assert result.returncode == 7
    assert not result.timed_out
    assert is_gone(int(result.stdout.split()[1]))


def test_missing_program() -> None:
    with pytest.raises(ToolMissingError):
        run_command(["no-such-prover-7"], name="no such prover", timeout_s=1)
