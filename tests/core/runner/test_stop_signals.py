"""Signals that stop a run, as the process that it is in gets them."""

from __future__ import annotations

import os
import signal

from prover_core.runner import stop_on_signals


class Asked:
    """What was asked of it."""

    def __init__(self) -> None:
        self.stops: list[tuple[str, bool]] = []

    def request_stop(self, reason: str, *, hard: bool = False) -> None:
        self.stops.append((reason, hard))


def test_a_signal_that_was_held_back_is_heard_and_held_back_again_afterwards() -> None:
    """As in a process that was started by one that blocks signals in all its threads."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        run = Asked()
        with stop_on_signals(run) as signals:
            os.kill(os.getpid(), signal.SIGTERM)
        assert run.stops == [("SIGTERM", False)] and signals.exit_code == 143
        assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_the_second_asks_for_the_end_at_once() -> None:
    run = Asked()
    with stop_on_signals(run) as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert run.stops == [("SIGTERM", False), ("SIGINT, twice", True)]
    assert signals.received is signal.SIGTERM
