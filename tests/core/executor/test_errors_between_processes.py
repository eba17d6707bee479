"""An error of a worker is told by the driver in the same words."""

from __future__ import annotations

import copy
import pickle

import pytest

from prover_core.errors import (
    ConfigError,
    EnvironmentCrashedError,
    ProverError,
    RunStoreError,
    ToolMissingError,
)

ERRORS = [
    ConfigError(["the first mistake", "the second"]),
    ToolMissingError("coqc", needed_for="Coq", install="apt-get install coq", tried=["/usr/bin"]),
    EnvironmentCrashedError("it died", returncode=-9, stderr_tail="last words"),
    RunStoreError("the disk is full"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way(error: ProverError) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error) and again.args == error.args
        assert vars(again) == vars(error)
