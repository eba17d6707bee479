"""The fake prover as a program of its own: JSON lines in, JSON lines out.

``{"open": [STATEMENT, PREAMBLE]}`` comes first, then ``{"step": [STATE, TACTIC]}`` any number of times;
``{"check": [STATEMENT, PREAMBLE, SCRIPT, TEXT]}`` judges a whole proof. States are numbered from 0.
A tactic that sleeps hangs for good: only SIGINT or a kill ends it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import asdict
from typing import Any

from prover_core.builtin.fake import FakeEnvironment
from prover_core.builtin.recording import encode_outcome
from prover_core.contracts import ProofSession
from prover_core.errors import ProverError
from prover_core.types import Advanced, Limits, Proof, ProofState, Solved

HANGS_S = 600.0


class Interrupted(Exception):
    """SIGINT came."""


def interrupt(*_: object) -> None:
    raise Interrupted


def step(session: ProofSession, states: list[ProofState], number: int, tactic: str) -> dict[str, Any]:
    if tactic.startswith("sleep"):
        try:
            time.sleep(HANGS_S)
        except Interrupted:
            return {"outcome": "TimedOut", "after_s": 0.0, "seconds": 0.0}
    if tactic.startswith("crash"):
        os.kill(os.getpid(), signal.SIGKILL)
    outcome = session.step(states[number], tactic, HANGS_S)
    if isinstance(outcome, Advanced | Solved):
        states.append(outcome.state)
        return encode_outcome(outcome) | {"state": len(states) - 1}
    return encode_outcome(outcome)


def check(statement: str, preamble: str, script: list[str], text: str | None) -> dict[str, Any]:
    time.sleep(0.05)  # so that there is something to kill
    environment = FakeEnvironment()
    theorem = environment.theorem(statement, preamble=preamble)
    verdict = environment.verify(theorem, Proof(tuple(script), text), Limits(verify_timeout_s=HANGS_S))
    return asdict(verdict)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    environment = FakeEnvironment()
    session: ProofSession | None = None
    states: list[ProofState] = []
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, Any]
        try:
            signal.signal(signal.SIGINT, interrupt)
            if "open" in request:
                statement, preamble = request["open"]
                session = environment.open(environment.theorem(statement, preamble=preamble), Limits())
                states[:] = [session.root]
                answer = {"goals": asdict(session.root.goals)}
            elif "check" in request:
                answer = check(*request["check"])
            elif session is not None:
                answer = step(session, states, *request["step"])
            else:
                answer = {"error": "nothing is open"}
        except ProverError as error:
            answer = {"error": str(error)}
        except Interrupted:
            answer = {"error": "interrupted"}
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
