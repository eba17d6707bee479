"""Stub with the final signatures; the body follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prover_core.contracts import ProofEnvironment
from prover_core.store.records import AttemptRecord
from prover_core.store.run_store import RunStore
from prover_core.types import Limits, Verdict

__all__ = ["Recheck", "verify_run"]


@dataclass(frozen=True, slots=True)
class Recheck:
    """A claimed proof and what the new check says of it."""

    record: AttemptRecord
    verdict: Verdict

    @property
    def agrees(self) -> bool:
        """The proof holds, as the run claims."""
        return self.verdict.proved


def verify_run(
    store: RunStore,
    environment: ProofEnvironment,
    *,
    limits: Limits | None = None,
    kernel_recheck: bool = False,
    workers: int = 1,
) -> Iterator[Recheck]:
    """Check every claimed proof of a run again, in fresh processes; also written to ``verify.jsonl``."""
    raise NotImplementedError
