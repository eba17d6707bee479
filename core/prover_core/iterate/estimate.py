"""How long the stages are likely to take: measured in this folder, else assumed, which is said."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prover_core.config.build import build_environment, build_source
from prover_core.config.request import Request, resolve_request
from prover_core.errors import UserError
from prover_core.iterate.config import option_words
from prover_core.iterate.engine import Done
from prover_core.iterate.plan import Stage
from prover_core.plugins.manager import installed_plugins
from prover_core.runner.sampling import select_theorems
from prover_core.search.budget import parse_budget
from prover_core.types import Budget

__all__ = ["Estimate", "Estimator"]

_SECONDS_PER_TRY: Final = 0.1
"""Assumed where nothing is measured: a tactic and its share of the model's time."""
_OVERHEAD_S: Final = 5.0
"""Of an attempt: bringing the prover to the theorem, checking the proof."""
_TRAIN_SECONDS_PER_MB: Final = 600.0
"""Assumed: an epoch over a megabyte of proof data, a small model on a CPU."""
_SMALL_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one stage."""

    hours: float
    basis: str
    """Where the number comes from, in words."""


class Estimator:
    """Counts the theorems of each data source once; knows what earlier stages took."""

    def __init__(self, measured: Mapping[str, Done]) -> None:
        """``measured``: marks of stages that are done, by the stage's key."""
        self._measured = measured
        self._counts: dict[str, int | None] = {}
        self._train_epochs = 0.0

    def estimate(self, stage: Stage) -> Estimate:
        """Of a stage that is to come."""
        if stage.key in self._measured:
            return Estimate(self._measured[stage.key].seconds / 3600, "measured")
        before = self._same_stage_before(stage)
        if before is not None and stage.kind not in ("train", "harvest", "value"):
            return Estimate(before.seconds / 3600, f"as {before.stage} took")
        if stage.kind in ("search", "evaluate"):
            return self._search(stage)
        if stage.kind == "train":
            return self._train(stage)
        if before is not None:
            times = stage.iteration + 1
            return Estimate(before.seconds * times / 3600, f"{before.stage} took a part of it")
        return Estimate(_SMALL_S / 3600, "assumed: a minute")

    def _same_stage_before(self, stage: Stage) -> Done | None:
        names = [f"{number:02d}-{stage.name}" for number in range(stage.iteration - 1, -1, -1)]
        return next((self._measured[name] for name in names if name in self._measured), None)

    def _search(self, stage: Stage) -> Estimate:
        theorems = self._theorems(stage.settings)
        if theorems is None:
            return Estimate(float("nan"), "the theorems cannot be counted yet")
        workers = int(stage.settings.get("workers", 1))
        attempts, budget = int(stage.settings.get("attempts", 1)), str(stage.settings.get("budget", "20s"))
        if stage.kind == "evaluate":
            attempts, budget = (
                int(_after(stage.words, "--attempts", "1")),
                _after(stage.words, "--budgets", ""),
            )
            budget = max(budget.split(","), key=lambda text: _seconds(_budget(text))[0])
        seconds, how = _seconds(_budget(budget))
        each = seconds + _OVERHEAD_S
        hours = theorems * attempts * each / workers / 3600
        basis = (
            f"if none is proved: {theorems} theorems x {attempts} x {each:.0f} s ({how}; {_OVERHEAD_S:.0f} s "
            f"assumed for opening and checking) / {workers} workers"
        )
        return Estimate(hours, basis)

    def _train(self, stage: Stage) -> Estimate:
        epochs = float(_after(stage.words, "--set", "optim.epochs=1", "optim.epochs=").partition("=")[2])
        for number in range(stage.iteration - 1, -1, -1):
            done = self._measured.get(f"{number:02d}-train")
            if done is not None:
                told = " ".join(done.command)
                then = float(told.partition("optim.epochs=")[2].partition(" ")[0] or 1)
                return Estimate(
                    done.seconds * epochs / then / 3600,
                    f"{done.stage} took {done.seconds:.0f} s for {then:g} epochs",
                )
        size = sum(_megabytes(path) for path in stage.inputs)
        hours = size * epochs * _TRAIN_SECONDS_PER_MB / 3600
        basis = (
            f"assumed: {size:.1f} MB x {epochs:g} epochs x {_TRAIN_SECONDS_PER_MB:.0f} s (small model, CPU)"
        )
        return Estimate(hours, basis)

    def _theorems(self, settings: Mapping[str, Any]) -> int | None:
        wanted = ("env", "model", "data", "only", "skip", "sample", "limit", "seed")
        told = {name: settings[name] for name in wanted if name in settings}
        key = repr(sorted(told.items(), key=lambda item: item[0]))
        if key not in self._counts:
            self._counts[key] = _count(told, settings)
        return self._counts[key]


def _count(told: Mapping[str, Any], settings: Mapping[str, Any]) -> int | None:
    options = settings.get("options") or {}
    sets = option_words({role: options.get(role) for role in ("env", "data")})
    try:
        resolved = resolve_request(Request(flags=told, sets=sets), installed_plugins(), roles=("env", "data"))
        config = resolved.config
        with build_environment(resolved) as environment:
            chosen = select_theorems(
                build_source(resolved, environment).theorems(), only=config.only, skip=config.skip,
                sample=config.sample, seed=config.seed, limit=config.limit,
            )  # fmt: skip
        return len(chosen)
    except UserError:
        return None  # a folder that an earlier stage is to make; real mistakes were found before


def _budget(text: str) -> Budget:
    try:
        return parse_budget(text.replace("+", ","))
    except UserError:
        return parse_budget(f"{text}t")  # a bare number of `prover eval`


def _seconds(budget: Budget) -> tuple[float, str]:
    """Longest search under it, and how that is known."""
    bounds = []
    if budget.seconds is not None:
        bounds.append((budget.seconds, f"{budget.seconds:g} s budget"))
    if budget.tries is not None:
        bounds.append(
            (budget.tries * _SECONDS_PER_TRY, f"{budget.tries} tries at an assumed {_SECONDS_PER_TRY} s")
        )
    return min(bounds) if bounds else (60.0, "assumed a minute")


def _after(words: Sequence[str], flag: str, default: str, start: str = "") -> str:
    """The word behind a flag; with ``start`` the one that begins so."""
    for here, following in itertools.pairwise(words):
        if here == flag and following.startswith(start):
            return following
    return default


def _megabytes(path: Path) -> float:
    if path.is_file():
        return path.stat().st_size / 1e6
    parts = path / "proofs"
    files = [
        Path(root) / name for root, _, names in os.walk(parts if parts.is_dir() else path) for name in names
    ]
    return sum(file.stat().st_size for file in files) / 1e6
