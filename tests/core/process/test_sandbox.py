"""The sandbox keeps the child in, and the harness can still reach it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from prover_core.errors import EnvironmentCrashedError
from prover_core.process import ChildProcess, CommandResult, Sandbox, run_command, sandbox_available

PROBLEM = sandbox_available()


@pytest.fixture(autouse=True)
def _needs_bubblewrap() -> Iterator[None]:
    if PROBLEM is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(PROBLEM)
        pytest.skip(PROBLEM)
    yield


def inside(script: str, sandbox: Sandbox | None = None, memory_mb: int = 0) -> CommandResult:
    return run_command(
        ["/bin/sh", "-c", script],
        name="sh",
        timeout_s=20,
        sandbox=sandbox or Sandbox(),
        memory_mb=memory_mb,
        cwd=Path("/"),
    )


def test_system_is_read_only(tmp_path: Path) -> None:
    home = Path.home() / ".sandbox-probe"
    result = inside(f"cat /etc/hostname; touch /etc/probe {home} {Path.cwd()}/probe")
    assert result.returncode != 0
    assert "Read-only" in result.stderr
    assert not home.exists()
    assert not (Path.cwd() / "probe").exists()


def test_no_network() -> None:
    script = "import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        script = script.format(port=server.getsockname()[1])
        free = run_command([sys.executable, "-c", script], name="py", timeout_s=20)
        kept = run_command([sys.executable, "-c", script], name="py", timeout_s=20, sandbox=Sandbox())
    assert free.returncode == 0
    assert kept.returncode != 0


def test_private_tmp(tmp_path: Path) -> None:
    marker = Path("/tmp") / f"sandbox-probe-{os.getpid()}"
    result = inside(f"ls -A /tmp | wc -l; echo secret > {marker}; cat {marker}; echo $TMPDIR")
    assert result.stdout.split() == ["0", "secret", "/tmp"]
    assert not marker.exists()


def test_sockets_of_services_are_out_of_sight() -> None:
    assert set(inside("ls -A /run").stdout.split()) <= {"current-system"}


def test_writable_and_readable(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "given.v").write_text("Check nat.")
    (tmp_path / "hidden.v").write_text("secret")
    sandbox = Sandbox(writable=(tmp_path / "out",), readable_tmp=(tmp_path / "given.v",))
    result = inside(
        f"cat {tmp_path}/given.v > {tmp_path}/out/copy; echo x > {tmp_path}/given.v; cat {tmp_path}/hidden.v",
        sandbox,
    )
    assert (tmp_path / "out" / "copy").read_text() == "Check nat."
    assert (tmp_path / "given.v").read_text() == "Check nat."
    assert "secret" not in result.stdout


def test_program_and_folder_under_tmp_stay_visible(tmp_path: Path) -> None:
    program = tmp_path / "prover"
    program.write_text("#!/bin/sh\npwd\n")
    program.chmod(0o755)
    result = run_command([str(program)], name="prover", timeout_s=10, cwd=tmp_path, sandbox=Sandbox())
    assert result.stdout.strip() == str(tmp_path)


def test_memory_limit_holds_inside() -> None:
    result = inside("ulimit -v", memory_mb=512)
    assert result.stdout.strip() == str(512 * 1024)


def test_interrupt_reaches_the_child_inside(start: Callable[..., ChildProcess]) -> None:
    tests = Path(__file__).parents[2]
    child = start("answers_interrupts", sandbox=Sandbox(readable_tmp=(tests,)))
    deadline = time.monotonic() + 10
    assert child.read(deadline) == b"ready\n"
    for _ in range(3):
        child.interrupt()
        assert child.read(deadline) == b"interrupted\n"
    assert child.alive
    assert child.rss_mb() > 1


def test_nothing_inside_survives(start: Callable[..., ChildProcess], is_gone: Callable[[int], bool]) -> None:
    child = start("grandchild_that_left", sandbox=Sandbox())
    child.read(time.monotonic() + 10)
    family = [process.pid for process in psutil.Process(child.pid).children(recursive=True)]
    assert len(family) >= 2
    child.close()
    assert all(map(is_gone, family))


def test_death_inside_is_reported(start: Callable[..., ChildProcess]) -> None:
    child = start("answers_interrupts", sandbox=Sandbox())
    child.read(time.monotonic() + 10)
    victim = psutil.Process(child.pid).children(recursive=True)[-1]
    threading.Timer(0.1, victim.kill).start()
    with pytest.raises(EnvironmentCrashedError):
        child.read(time.monotonic() + 10)


def test_missing_bubblewrap_is_said_with_the_command() -> None:
    code = "from prover_core.process import sandbox_available; print(sandbox_available())"
    environment = {**os.environ, "PATH": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "apt-get install bubblewrap" in done.stdout
