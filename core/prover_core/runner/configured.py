"""From a checked configuration to a runner: theorems, settings, provenance."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from prover_core.config.build import Parts, build_source
from prover_core.config.describe import options_model
from prover_core.config.resolve import ResolvedRun, resolve_options
from prover_core.contracts import ProofEnvironment, Retriever
from prover_core.contracts.events import RunObserver
from prover_core.data.dataset import Dataset
from prover_core.errors import ConfigError, DataError
from prover_core.plugins.manager import PluginManager
from prover_core.runner.premises import PremiseSource, RetrievedPremises
from prover_core.runner.runner import Runner
from prover_core.runner.sampling import select_theorems
from prover_core.runner.settings import RunSettings
from prover_core.search.budget import parse_budget
from prover_core.store import AttemptStatus, Provenance, RunStore, collect_provenance
from prover_core.store.records import writable_text
from prover_core.types import Limits, Theorem

__all__ = [
    "choose_theorems",
    "make_runner",
    "premise_source",
    "run_limits",
    "run_provenance",
    "run_settings",
]


def make_runner(
    resolved: ResolvedRun,
    parts: Parts,
    theorems: Sequence[Theorem],
    store: RunStore,
    manager: PluginManager,
    *,
    observers: Sequence[RunObserver] = (),
    settings: RunSettings | None = None,
) -> Runner:
    """A runner over the configuration's objects.

    :param settings: in place of those of the configuration.
    :raises UserError: the retriever that the settings name cannot be made, or its workers are elsewhere.
    """
    config = resolved.config
    if config.executor != "local":
        mistake = f"executor {config.executor}: this command has its workers in its own process; leave it out"
        raise ConfigError([mistake])
    return Runner(
        environment=parts.environment,
        policy=parts.policy,
        search=parts.search,
        theorems=theorems,
        settings=run_settings(resolved) if settings is None else settings,
        store=store,
        observers=observers,
        names=(config.env, config.model, config.search),
        premise_source=premise_source(resolved, manager),
        value=parts.value,
    )


def choose_theorems(resolved: ResolvedRun, environment: ProofEnvironment) -> list[Theorem]:
    """The theorems that the run attempts.

    :raises DataError: there is none; the message says whether the filters left none.
    """
    config = resolved.config
    source = build_source(resolved, environment)
    theorems = select_theorems(
        source.theorems(),
        only=config.only,
        skip=config.skip,
        sample=config.sample,
        seed=config.seed,
        limit=config.limit,
    )
    if not theorems:
        count = sum(1 for _ in source.theorems())
        name = resolved.choices["data"].reference
        if not count:
            msg = f"data source {name} holds no theorems"
        else:
            filters = [*(f"--only {glob!r}" for glob in config.only), *(f"--skip {g!r}" for g in config.skip)]
            msg = f"none of the {count} theorems of {name} is left after {' '.join(filters)}"
            msg += f"\n`prover data show {name}` lists their ids"
        raise DataError(msg)
    wrong = {theorem.prover for theorem in theorems} - {environment.prover}
    if wrong:
        msg = (
            f"--data {resolved.choices['data'].reference} holds theorems for {', '.join(sorted(wrong))}, "
            f"and --env {resolved.choices['env'].name} runs {environment.prover}"
        )
        msg += "; choose one that fits the other"
        raise DataError(msg)
    # an id out of a file's name that is not UTF-8: as the records will have it, or no resume would find it
    return [t if (id := writable_text(t.id)) == t.id else replace(t, id=id) for t in theorems]


def run_settings(resolved: ResolvedRun, retry: frozenset[AttemptStatus] = frozenset()) -> RunSettings:
    """The runner's settings of a configuration."""
    config = resolved.config
    return RunSettings(
        budget=parse_budget(config.budget),
        limits=run_limits(resolved),
        workers=config.workers,
        suggestions=config.suggestions,
        premises=config.premises,
        retrieval=config.retrieval,
        attempts=config.attempts,
        kernel_recheck=config.recheck == "kernel",
        crash_retries=config.crash_retries,
        grace_s=config.grace,
        trajectories=config.trajectories,
        seed=config.seed,
        retry=retry,
    )


def premise_source(resolved: ResolvedRun, manager: PluginManager) -> PremiseSource | None:
    """The retriever that the run's settings name, over its dataset; ``None``: they name none.

    :raises UserError: there is no such retriever, it needs options, or the dataset cannot be read.
    """
    if resolved.config.retriever is None:
        return None
    name, _, folder = resolved.config.retriever.partition(":")
    made: Any = manager.retrievers.get(name)
    has_options = bool(options_model(made).model_fields)
    options = resolve_options(made, {}, f"retriever {name!r}") if has_options else None
    retriever: Retriever = made() if options is None else made(options)
    dataset = Dataset.open(Path(folder).expanduser())
    return RetrievedPremises(retriever, list(dataset.declarations()), dataset.proofs())


def run_limits(resolved: ResolvedRun) -> Limits:
    """What one prover process may use."""
    config = resolved.config
    return Limits(
        memory_mb=config.memory_mb,
        open_timeout_s=config.open_timeout,
        verify_timeout_s=config.verify_timeout,
        sandbox=config.sandbox,
    )


def run_provenance(
    resolved: ResolvedRun, parts: Parts, theorems: Iterable[Theorem], manager: PluginManager
) -> Provenance:
    """Where the numbers of a run that is about to begin come from."""
    return collect_provenance(
        toolchain=parts.environment.toolchain(),
        theorems=theorems,
        plugins={plugin.distribution: plugin.version for plugin in manager.plugins},
        model=resolved.config.model,
        seed=resolved.config.seed,
        argv=sys.argv,
    )
