"""Fixtures for tests on real provers: one environment for each backend and version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from toolchains import require_coq

from prover_coq.environment import CoqEnvironment
from prover_coq.options import CoqOptions
from prover_core.types import Limits

EnvironmentMaker = Callable[..., CoqEnvironment]


def _install(backend: str, version: str) -> CoqOptions:
    program = "coqidetop" if backend == "idetop" else "sertop"
    return CoqOptions(backend=backend, bin=require_coq(version, program).bin)


@pytest.fixture(
    params=[
        pytest.param(("idetop", "8.16"), id="idetop-8.16"),
        pytest.param(("idetop", "8.20"), id="idetop-8.20"),
        pytest.param(("serapi", "8.20"), id="serapi-8.20"),
        pytest.param(("idetop", "9.2"), id="idetop-9.2", marks=pytest.mark.rocq9),
    ]
)
def coq_options(request: pytest.FixtureRequest) -> CoqOptions:
    """One after the other, every prover that is supported."""
    return _install(*request.param)


@pytest.fixture
def make_environment(coq_options: CoqOptions) -> Iterator[EnvironmentMaker]:
    """Makes environments, with options changed as wanted, and closes them."""
    with ExitStack() as stack:

        def make(**changes: Any) -> CoqEnvironment:
            options = coq_options.model_copy(update=changes)
            return stack.enter_context(CoqEnvironment(options))

        yield make


@pytest.fixture
def environment(make_environment: EnvironmentMaker) -> CoqEnvironment:
    return make_environment()


@pytest.fixture
def limits() -> Limits:
    return Limits(memory_mb=2048, open_timeout_s=60.0)
