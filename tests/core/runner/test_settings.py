"""Settings refuse what cannot be meant."""

from __future__ import annotations

import pytest

from prover_core.runner import RETRY_STATUSES, RunSettings


@pytest.mark.parametrize("name", ["workers", "suggestions", "attempts"])
@pytest.mark.parametrize("value", [0, -1])
def test_numbers_that_must_be_positive(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"RunSettings\.{name} must be at least 1, not {value}"):
        RunSettings(**{name: value})  # type: ignore[arg-type]


def test_zero_is_fine_where_it_has_a_meaning() -> None:
    RunSettings(crash_retries=0, grace_s=0, premises=0, batch_window_s=0, give_up_after=0)


def test_what_may_be_retried_is_what_says_nothing_about_the_theorem() -> None:
    assert not any(status.conclusive for status in RETRY_STATUSES)
