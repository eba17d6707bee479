"""Fixtures for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _clean_prover_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No ``PROVER_*`` variable of the person who runs the tests changes what they test."""
    for name in [n for n in os.environ if n.startswith("PROVER_")]:
        monkeypatch.delenv(name)
    yield
