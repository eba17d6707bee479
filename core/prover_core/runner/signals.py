"""Stub with the final signatures; the body follows."""

from __future__ import annotations

from contextlib import AbstractContextManager

from prover_core.runner.runner import Runner

__all__ = ["stop_on_signals"]


def stop_on_signals(runner: Runner) -> AbstractContextManager[None]:
    """SIGINT and SIGTERM ask ``runner`` to stop; a second one stops it at once. Restores the old handlers."""
    raise NotImplementedError
