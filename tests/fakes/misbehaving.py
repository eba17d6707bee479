"""A child program that misbehaves in the way its first argument says. Standard library only.

Children that are told to spawn others write ``pid N`` lines, so that a test can look whether they live.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

FOREVER = 600.0


def say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


def echo() -> None:
    """Behaves: gives back every line."""
    for line in sys.stdin.buffer:
        os.write(1, line)


def slow_start() -> None:
    time.sleep(0.6)
    say("ready")
    echo()


def never_starts() -> None:
    time.sleep(FOREVER)


def exits_at_once() -> None:
    os.write(2, b"cannot find my library\n")
    os._exit(3)


def garbage() -> None:
    os.write(1, bytes(range(256)) * 4)
    echo()


def hangs_deaf_to_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say("ready")
    time.sleep(FOREVER)


def answers_interrupts() -> None:
    signal.signal(signal.SIGINT, lambda *_: say("interrupted"))
    say("ready")
    while True:
        time.sleep(FOREVER)


def dies_mid_request() -> None:
    sys.stdin.buffer.readline()
    os.write(1, b"half an ans")
    os.write(2, b"fatal: out of luck\n")
    os.kill(os.getpid(), signal.SIGKILL)


def floods_stderr() -> None:
    for number in range(10 * 16):
        os.write(2, b"x" * 65535 + b"\n")
        if number % 16 == 0:
            os.write(2, b"still going\n")
    os.write(2, b"the last word\n")
    say("done")
    echo()


def floods_stderr_for_ever() -> None:
    while True:
        os.write(2, b"y" * 65536)


def floods_stdout_before_reading() -> None:
    """Both pipes fill: it reads nothing until all it has to say is taken."""
    for _ in range(8 * 16):
        os.write(1, b"z" * 65536)
    while os.read(0, 65536):
        pass


def floods_stdout_for_ever() -> None:
    while True:
        os.write(1, b"z" * 65536)


def spawn(*, own_session: bool) -> int:
    command = [sys.executable, "-S", "-c", "import signal, time; signal.signal(15, 1); signal.signal(1, 1)\n"]
    command[-1] += f"time.sleep({FOREVER})"
    return subprocess.Popen(command, start_new_session=own_session).pid


def grandchild() -> None:
    say(f"pid {spawn(own_session=False)}")
    echo()


def grandchild_that_left() -> None:
    say(f"pid {spawn(own_session=True)}")
    echo()


def grandchild_outlives() -> None:
    """The grandchild holds the pipes open, so that their end never comes."""
    say(f"pid {spawn(own_session=False)}")
    os._exit(7)


def eats_memory() -> None:
    hoard = []
    for _ in range(4096):
        hoard.append(b"m" * (1 << 20))
    say(f"ate {len(hoard)} MiB")


def closes_stdout() -> None:
    say("bye")
    os.close(1)
    time.sleep(FOREVER)


def closes_stdin() -> None:
    os.close(0)
    say("deaf")
    time.sleep(FOREVER)


def ends_with_its_input() -> None:
    sys.stdin.buffer.read()
    say("goodbye")
    os._exit(0)


def main() -> None:
    behaviours: dict[str, Callable[[], None]] = {
        name: value for name, value in globals().items() if callable(value) and not isinstance(value, type)
    }
    behaviours[sys.argv[1]]()


if __name__ == "__main__":
    main()
