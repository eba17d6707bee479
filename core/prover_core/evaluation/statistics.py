"""The statistics of an evaluation: unbiased pass@k, bootstrap intervals, exact McNemar, Holm.

Everything here takes and gives numbers; who they belong to is somebody else's business. Intervals are
drawn over theorems, because attempts at one theorem are not independent of each other. A resample is
drawn as counts of the distinct values (a multinomial draw), which is the same distribution as drawing
theorems one by one, needs no memory for them, and cannot depend on their order.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from prover_core.store.summary import wilson_interval

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "Interval",
    "bootstrap_interval",
    "holm",
    "mcnemar_exact",
    "mean_interval",
    "paired_interval",
    "pass_at_k",
    "wilson_interval",
]

LEVEL: Final = 0.95
RESAMPLES: Final = 10_000

_CELLS: Final = 4_000_000
"""Most numbers drawn at a time."""
_EXACT: Final = 1_000
"""Largest number of discordant pairs that is summed in whole numbers."""
_TIE: Final = 1e-12

Floats: TypeAlias = npt.NDArray[np.float64]
Method: TypeAlias = Literal["bca", "percentile"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, and how it was made."""

    low: float
    high: float
    method: str
    level: float = LEVEL


def pass_at_k(n: npt.ArrayLike, c: npt.ArrayLike, k: int) -> Floats:
    """The unbiased estimate of pass@k for each theorem: ``1 - C(n-c, k) / C(n, k)`` (Chen et al., 2021).

    ``n`` attempts, of which ``c`` proved. ``nan`` where ``n < k``: so few attempts say nothing about k.

    :raises ValueError: ``k`` is below 1, or some ``c`` is not between 0 and its ``n``.
    """
    attempts = np.atleast_1d(np.asarray(n, dtype=np.int64))
    proved = np.atleast_1d(np.asarray(c, dtype=np.int64))
    if k < 1:
        msg = f"pass@k needs k of at least 1, not {k}"
        raise ValueError(msg)
    if (proved < 0).any() or (proved > attempts).any():
        msg = "pass@k needs 0 <= c <= n for every theorem"
        raise ValueError(msg)
    # the chance that k attempts, drawn without replacement, all failed: one factor for each of them
    failed = np.ones(attempts.shape)
    for step in range(k):
        failed *= np.maximum(0, attempts - proved - step) / np.maximum(1, attempts - step)
    return np.where(attempts >= k, 1.0 - failed, np.nan)


def mean_interval(
    values: npt.ArrayLike, *, seed: int = 0, level: float = LEVEL, method: Method = "bca"
) -> Interval:
    """The interval of a mean of numbers from 0 to 1, one for each theorem.

    Where they all agree a bootstrap has nothing to draw from, and would call zero of ten as certain as zero
    of ten thousand: then it is Wilson's interval (of so many successes, or rounded to them). (0, 1) where
    there is no theorem.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0 or np.ptp(sample) <= _TIE:
        mean = float(sample.mean()) if sample.size else 0.0
        z = statistics.NormalDist().inv_cdf(0.5 + level / 2)
        low, high = wilson_interval(round(mean * sample.size), sample.size, z)
        return Interval(min(low, mean), max(high, mean), "wilson", level)
    found = bootstrap_interval(sample, seed=seed, level=level, method=method)
    return Interval(max(0.0, found.low), min(1.0, found.high), found.method, level)


def paired_interval(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    seed: int = 0,
    level: float = LEVEL,
    method: Method = "bca",
) -> Interval:
    """The interval of the mean of ``second - first``, number by number: theorems are drawn in pairs.

    Where all differences agree (no theorem tells the two apart, as a rule), a bootstrap has nothing to draw
    from: then it is as wide on either side as Wilson's interval of none of so many.

    :raises ValueError: they are not of the same length, or empty.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.size == 0:
        msg = f"paired numbers must be as many on both sides, and some: {a.size} and {b.size}"
        raise ValueError(msg)
    apart = b - a
    if np.ptp(apart) <= _TIE:
        _, width = wilson_interval(0, apart.size, statistics.NormalDist().inv_cdf(0.5 + level / 2))
        mean = float(apart.mean())
        return Interval(max(-1.0, mean - width), min(1.0, mean + width), "wilson", level)
    return bootstrap_interval(apart, seed=seed, level=level, method=method)


def bootstrap_interval(
    values: npt.ArrayLike,
    *,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    method: Method = "bca",
) -> Interval:
    """The bootstrap interval of a mean: percentile, or bias-corrected and accelerated (Efron, 1987).

    Deterministic for a seed; the order of the values makes no difference.

    :raises ValueError: there are no values.
    """
    sample = np.sort(np.asarray(values, dtype=np.float64))
    if sample.size == 0:
        msg = "a bootstrap needs at least one value"
        raise ValueError(msg)
    distinct, counts = np.unique(sample, return_counts=True)
    mean = float(sample.mean())
    if distinct.size == 1 or float(np.ptp(distinct)) <= _TIE:
        return Interval(mean, mean, method, level)
    means = _resampled(distinct, counts, seed, resamples)
    tails = (0.5 - level / 2, 0.5 + level / 2)
    if method == "bca":
        tails = _accelerated(tails, means, sample, mean)
    low, high = np.quantile(means, tails)
    return Interval(float(low), float(high), method, level)


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided p-value of the exact McNemar test, from the numbers of discordant pairs.

    The chance, were both equally good, that the discordant pairs split at least so unevenly; 1 where there
    is none, or they split evenly.

    :raises ValueError: a number is negative.
    """
    if min(only_first, only_second) < 0:
        msg = f"numbers of pairs cannot be negative: {only_first}, {only_second}"
        raise ValueError(msg)
    total, fewer = only_first + only_second, min(only_first, only_second)
    if 2 * fewer >= total:
        return 1.0
    if total <= _EXACT:
        tail = sum(math.comb(total, i) for i in range(fewer + 1))
        return 2 * tail / (1 << total)
    logs = np.array([_log_binomial(total, i) for i in range(fewer + 1)])
    largest = float(logs.max())
    return min(1.0, 2 * math.exp(largest) * float(np.exp(logs - largest).sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values, adjusted for being several (Holm's step-down), in their own order.

    :raises ValueError: one is not between 0 and 1.
    """
    if any(not 0.0 <= p <= 1.0 for p in p_values):
        msg = f"p-values lie between 0 and 1: {list(p_values)}"
        raise ValueError(msg)
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def _resampled(distinct: Floats, counts: npt.NDArray[np.int64], seed: int, resamples: int) -> Floats:
    """Means of resamples, sorted."""
    draw = np.random.default_rng(seed)
    size = int(counts.sum())
    at_a_time = max(1, _CELLS // distinct.size)
    means = np.empty(resamples)
    for start in range(0, resamples, at_a_time):
        stop = min(start + at_a_time, resamples)
        means[start:stop] = draw.multinomial(size, counts / size, stop - start) @ distinct / size
    means.sort()
    return means


def _accelerated(
    tails: tuple[float, float], means: Floats, sample: Floats, mean: float
) -> tuple[float, float]:
    """The tails at which BCa reads the resampled means."""
    normal = statistics.NormalDist()
    below = (np.count_nonzero(means < mean - _TIE) + np.count_nonzero(means <= mean + _TIE)) / 2 / means.size
    if not 0.0 < below < 1.0:
        return tails
    bias = normal.inv_cdf(below)
    away = sample - mean
    spread = float((away**2).sum()) ** 1.5
    acceleration = float((away**3).sum()) / (6 * spread)

    def moved(tail: float) -> float:
        z = bias + normal.inv_cdf(tail)
        return normal.cdf(bias + z / (1 - acceleration * z))

    return moved(tails[0]), moved(tails[1])


def _log_binomial(total: int, i: int) -> float:
    """Logarithm of the chance of ``i`` heads among ``total`` throws of a fair coin."""
    return math.lgamma(total + 1) - math.lgamma(i + 1) - math.lgamma(total - i + 1) - total * math.log(2)
