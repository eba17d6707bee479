"""The contract kit for environments."""

from __future__ import annotations

from prover_core.testing.environment_processes import ProcessTests
from prover_core.testing.environment_steps import StepTests
from prover_core.testing.environment_theorems import TheoremTests
from prover_core.testing.environment_verdicts import VerdictTests

__all__ = ["EnvironmentContract"]


class EnvironmentContract(StepTests, TheoremTests, VerdictTests, ProcessTests):
    """Whether an environment keeps its contract, from opening a theorem to the last dead process.

    Subclass it under a name that starts with ``Test``, write ``make_environment`` and the examples that
    :class:`~prover_core.testing.environment_base.EnvironmentIngredients` lists. What a capability
    promises is tested exactly when the environment declares it; a declared capability without the
    example that its test needs fails.

    By default every child of the test process that appears during a test is taken for the prover's, and
    some tests kill it; override ``prover_pids`` where that is wrong.
    """
