"""A harness in small: starts children, says who they are, then ends in the way that it is told to."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from prover_core.process import ChildProcess, guardian_pid

MISBEHAVING = str(Path(__file__).with_name("misbehaving.py"))


def main() -> None:
    how = sys.argv[1]
    children = [
        ChildProcess([sys.executable, "-S", MISBEHAVING, "grandchild"], name=f"child {number}")
        for number in range(2)
    ]
    pids = []
    for child in children:
        answer = child.read(time.monotonic() + 10)
        pids += [child.pid, int(answer.split()[1])]
    if how == "close-one":
        children[0].close()
    if how == "fork":
        if os.fork() == 0:
            sys.exit(0)  # runs everything that is registered for the end of the program
        os.wait()
        children[0].send(b"still there\n")
        print(children[0].read(time.monotonic() + 10).decode().strip(), flush=True)
    print("pids", *pids, "guardian", guardian_pid(), flush=True)
    if how == "leak":
        return
    if how == "raise":
        message = "on purpose"
        raise RuntimeError(message)
    time.sleep(600)


if __name__ == "__main__":
    main()
