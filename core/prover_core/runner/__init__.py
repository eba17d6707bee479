"""The runner: takes objects (environment, policy, search, theorems), leaves a run directory."""

from prover_core.runner.premises import PremiseSource, RetrievedPremises
from prover_core.runner.runner import Runner
from prover_core.runner.sampling import select_theorems
from prover_core.runner.settings import RETRY_STATUSES, RunSettings
from prover_core.runner.signals import stop_on_signals
from prover_core.runner.verify_run import Recheck, verify_run

__all__ = [
    "RETRY_STATUSES",
    "PremiseSource",
    "Recheck",
    "RetrievedPremises",
    "RunSettings",
    "Runner",
    "select_theorems",
    "stop_on_signals",
    "verify_run",
]
