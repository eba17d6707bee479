"""The contract kit: pytest classes that say whether a plugin keeps the contracts.

A plugin's author subclasses the kit of each contract that the plugin implements, and gives examples::

    from prover_core.testing import EnvironmentContract

    class TestIsabelle(EnvironmentContract):
        provable = ("lemma t: \"A --> A\"", ["rule impI", "assumption"])
        unprovable = "lemma t: \"A\""
        ...

        def make_environment(self):
            return IsabelleEnvironment()

Each kit lists what it needs in its class's text. A kit's test may be overridden only with
``@pytest.mark.xfail(reason=...)``: what is not kept is then at least said. Needs pytest and psutil
(``pip install 'polyprover[test]'``), which nothing else in Polyprover does.
"""

from prover_core.errors import ToolMissingError

try:
    import psutil as _psutil  # noqa: F401 - only to see that it is there
    import pytest as _pytest
except ImportError as _error:
    _TOOL = f"the Python package {_error.name}"
    raise ToolMissingError(
        _TOOL,
        needed_for="the contract kit (prover_core.testing)",
        install="pip install 'polyprover[test]'",
    ) from _error

# Before pytest has seen these modules, their assertions say nothing about the values compared.
_pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in (
            "base",
            "data",
            "environment_base",
            "environment_processes",
            "environment_steps",
            "environment_theorems",
            "environment_verdicts",
            "policy",
            "proposals",
            "repair",
            "search",
            "training",
            "value",
            "whole_proof",
        )
    )
)

from prover_core.testing.data import DataSourceContract  # noqa: E402 - only after pytest knows the kit's modules
from prover_core.testing.environment import EnvironmentContract  # noqa: E402 - as above
from prover_core.testing.policy import PolicyContract  # noqa: E402 - as above
from prover_core.testing.repair import Mistake, RepairKitContract  # noqa: E402 - as above
from prover_core.testing.search import SearchContract  # noqa: E402 - as above
from prover_core.testing.training import TrainerContract  # noqa: E402 - as above
from prover_core.testing.value import ValueContract  # noqa: E402 - as above
from prover_core.testing.whole_proof import WholeProofPolicyContract  # noqa: E402 - as above

__all__ = [
    "DataSourceContract",
    "EnvironmentContract",
    "Mistake",
    "PolicyContract",
    "RepairKitContract",
    "SearchContract",
    "TrainerContract",
    "ValueContract",
    "WholeProofPolicyContract",
]
