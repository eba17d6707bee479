"""Carries an evaluation out: one run directory for each source and each budget that is run, then the result.

Everything that is found is in run directories, which survive any kill; the result is made from them alone.
So going on after a kill is doing what is left and making the result, and nothing else.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prover_core.config.build import Parts, build, build_source
from prover_core.config.resolve import ResolvedRun
from prover_core.contracts.events import RunObserver
from prover_core.errors import ConfigError, DataError, MachineryError, RunStoreError, UserError
from prover_core.evaluation.budgets import PlannedRun, plan_runs
from prover_core.evaluation.gather import RunOfSource, gather
from prover_core.evaluation.plan import PLAN_FILE, EvaluationPlan
from prover_core.evaluation.results import RESULT_FILE, IterationResult, SourceResult
from prover_core.executor import DistributedRunner
from prover_core.executor.on_ray import driver_parts, ray_runner
from prover_core.plugins.manager import PluginManager
from prover_core.runner import Runner, RunSettings, stop_on_signals
from prover_core.runner.configured import choose_theorems, make_runner, run_provenance, run_settings
from prover_core.store import AttemptStatus, RunStore, data_hash
from prover_core.store.lock import RunLock
from prover_core.store.records import writable_text
from prover_core.types import Theorem

__all__ = ["Evaluation", "Evaluator", "open_evaluation"]

RUNS = "runs"
_RESULTS = "results.jsonl"
_MADE_FIRST = frozenset({"lock", "config.yaml", "provenance.json"})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How far it came."""

    result: IterationResult | None
    """``None``: it was stopped; what is done is kept."""
    reason: str = ""
    """Why it was stopped."""
    exit_code: int | None = None
    """128 + the number of the signal that stopped it; ``None``: no signal did."""


@dataclass(slots=True)
class _Source:
    """One ``--data``: its theorems, or why there are none."""

    reference: str
    folder: Path
    resolved: ResolvedRun
    ids: dict[str, str] = field(default_factory=dict)
    """Other ids for those of its theorems whose own another source uses too."""
    theorems: list[Theorem] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    gave_up: str = ""
    """Why its attempts were broken off: some were made, and count."""
    project: str = ""
    """What all of its theorems are counted under; empty: what each says itself."""


def open_evaluation(folder: Path, plan: EvaluationPlan | None, *, resume: bool) -> EvaluationPlan:
    """The plan to carry out in ``folder``: the given one, written there, or the one that is there.

    :param plan: what was asked for; ``None``: whatever the folder's plan says.
    :raises ConfigError: the plan that is there is another one.
    :raises RunStoreError: there is something else in the folder, or nothing to go on with.
    """
    present = _present(folder)
    if (folder / PLAN_FILE).is_file():
        saved = EvaluationPlan.load(folder)
        if not resume:
            msg = (
                f"{folder} holds an evaluation. To go on with it: prover eval --out {folder} --resume. "
                "For a new one choose another --out folder."
            )
            raise RunStoreError(msg)
        changed = plan.differences(saved) if plan is not None else []
        if changed:
            what = f"--resume: the evaluation in {folder} was begun with other settings"
            raise ConfigError([f"{what}: {change}" for change in changed])
        return saved
    if present:
        msg = f"{folder} is not empty (it holds {present[0]}): choose another --out folder."
        raise RunStoreError(msg)
    if plan is None:
        msg = (
            f"there is no evaluation in {folder} to go on with; leave out --resume, and say what to evaluate"
        )
        raise RunStoreError(msg)
    return plan


class Evaluator:
    """Carries one plan out in one folder, which nobody else may write to meanwhile."""

    def __init__(
        self,
        plan: EvaluationPlan,
        folder: Path,
        manager: PluginManager,
        *,
        changes: dict[str, Any] | None = None,
        retry: frozenset[AttemptStatus] = frozenset(),
        display: Callable[[], contextlib.AbstractContextManager[RunObserver]] | None = None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """``changes``: settings that change how it is carried out (workers, grace).

        ``retry``: attempts that ended so are made again. ``display``: makes an observer for each run.
        ``tell``: told what is going on and what is wrong, a line at a time.
        """
        self.plan = plan
        self.folder = folder
        self._manager = manager
        self._changes = changes or {}
        self._retry = retry
        self._display = display
        self._tell = tell
        self._runner: Runner | DistributedRunner | None = None
        self._stop = ""

    def run(self) -> Evaluation:
        """Do what is left, and make the result.

        :raises RunStoreError: another process is writing there, the disk is full, or nothing can be written.
        :raises UserError: no source can be used.
        :raises MachineryError: nothing works any more.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(self.folder, error) from error
        lock = RunLock(self.folder / "lock")
        try:
            if not (self.folder / PLAN_FILE).is_file():
                self.plan.save(self.folder)
            return self._locked()
        finally:
            lock.close()

    def _locked(self) -> Evaluation:
        resolved = self.plan.resolved(self._manager, self.folder, self._changes)
        with _in_directory(self.plan.cwd):
            with _parts(resolved[0]) as parts:
                sources = self._sources(resolved, parts)
                anytime = parts.search.anytime(_suggestions(resolved[0], parts))
                planned = plan_runs(self.plan.parsed_budgets, anytime, separate=self.plan.separate)
                prover = parts.environment.prover
                stopped = self._carry_out_all(sources, planned[0], parts)
            for run in planned[1:]:
                if stopped is None:
                    with _parts(resolved[0]) as parts:  # anew: what a policy remembers must not decide
                        stopped = self._carry_out_all(sources, run, parts)
            if stopped is not None:
                return stopped
            if all(source.problem or source.gave_up for source in sources):
                raise MachineryError(next(source.gave_up for source in sources if source.gave_up))
            result = self._result(sources, planned, prover)
        result.save(self.folder / RESULT_FILE)
        return Evaluation(result)

    def _carry_out_all(self, sources: Sequence[_Source], run: PlannedRun, parts: Parts) -> Evaluation | None:
        """One budget on every source; what stopped it, if anything did."""
        for source in sources:
            stopped = self._carry_out(source, run, parts) if not source.problem else None
            if stopped is not None:
                return stopped
        return None

    def _sources(self, resolved: Sequence[ResolvedRun], parts: Parts) -> list[_Source]:
        """Every source with its theorems; one that cannot be used is told, if there are others."""
        found = []
        folders = [self.folder.absolute() / RUNS / name for name in self.plan.folders()]
        for reference, run, folder in zip(self.plan.sources, resolved, folders, strict=True):
            source = _Source(reference, folder, run)
            found.append(source)
            try:
                source.theorems = choose_theorems(run, parts.environment)
                source.details = _details(run, parts)
            except (UserError, MachineryError, OSError) as error:
                if len(resolved) == 1:
                    raise
                source.problem = writable_text(str(error).strip()) or type(error).__name__
                self._tell(f"warning: --data {reference} is left out: {source.problem}")
        if all(source.problem for source in found):
            msg = "none of the sources can be used:\n" + "\n".join(
                f"--data {source.reference}: {source.problem}" for source in found
            )
            raise DataError(msg)
        _tell_apart(found)
        _set_projects(found)
        return found

    def _carry_out(self, source: _Source, run: PlannedRun, parts: Parts) -> Evaluation | None:
        """One run, as far as it is not done; what stopped it, if anything did."""
        config = source.resolved.config.model_copy(update={"budget": _written(run)})
        resolved = replace(source.resolved, config=config)
        settings = replace(
            run_settings(resolved, self._retry), marks=tuple(each.budget for each in run.derived)
        )
        path = source.folder / run.folder
        hooks = self._manager.observer()
        with contextlib.ExitStack() as stack:
            store = stack.enter_context(self._store(path, resolved, source, parts))
            observers: list[RunObserver] = [hooks]
            if self._display is not None:
                observers.insert(0, stack.enter_context(self._display()))
            runner = self._made(resolved, parts, source, store, observers, settings, stack)
            self._runner = runner
            signals = stack.enter_context(stop_on_signals(runner))
            if self._stop:
                runner.request_stop(self._stop)
            runner.run()
        for problem in (*hooks.problems, *runner.problems):
            self._tell(f"warning: {problem}")
        if not runner.stopped:
            return None
        if signals.exit_code is not None or self._stop:
            return Evaluation(None, runner.stop_reason, signals.exit_code)
        source.gave_up = runner.stop_reason  # nothing worked any more; other sources may fare better
        self._tell(
            f"warning: --data {source.reference} was given up with {run.budget.text}: {source.gave_up}"
        )
        return None

    def _made(
        self,
        resolved: ResolvedRun,
        parts: Parts,
        source: _Source,
        store: RunStore,
        observers: Sequence[RunObserver],
        settings: RunSettings,
        stack: contextlib.ExitStack,
    ) -> Runner | DistributedRunner:
        theorems = source.theorems
        if resolved.config.executor == "ray":
            return stack.enter_context(ray_runner(resolved, theorems, store, settings, observers))
        return make_runner(
            resolved, parts, theorems, store, self._manager, observers=observers, settings=settings
        )

    def request_stop(self, reason: str) -> None:
        """Ask it to end, from another thread: what is in flight gets the grace time."""
        self._stop = reason
        if self._runner is not None:
            self._runner.request_stop(reason)

    def _store(self, path: Path, resolved: ResolvedRun, source: _Source, parts: Parts) -> RunStore:
        provenance = run_provenance(resolved, parts, source.theorems, self._manager)
        if (path / _RESULTS).is_file():
            with RunStore.open(path) as begun:
                if begun.provenance.data_hash != provenance.data_hash:
                    raise _other_theorems(begun, source)
            store = RunStore.resume(path, provenance)
            for line in store.repairs:
                self._tell(line)
            for line in store.changes:
                self._tell(f"warning: {path}: not as when the run was begun: {line}")
            return store
        if path.is_dir():  # killed while it was being made: nothing is in it yet
            _need_nothing(path)
            shutil.rmtree(path)
        mapping = resolved.to_mapping() | {"cwd": self.plan.cwd}
        return RunStore.create(path, mapping, provenance, trajectories=resolved.config.trajectories)

    def _result(
        self, sources: Sequence[_Source], planned: Sequence[PlannedRun], prover: str
    ) -> IterationResult:
        runs = [
            RunOfSource(
                folder=source.folder / run.folder,
                run=run,
                theorems=source.theorems,
                project=source.project,
                ids=source.ids,
            )
            for run in planned
            for source in sources
            if not source.problem
        ]
        described = tuple(
            SourceResult(
                reference=source.reference,
                theorems=len(source.theorems),
                data_hash=data_hash(source.theorems) if source.theorems else "",
                details=source.details,
                problem=source.problem or source.gave_up,
            )
            for source in sources
        )
        return gather(self.plan, runs, described, self.folder, prover)


def _other_theorems(store: RunStore, source: _Source) -> DataError:
    """What was found says nothing about a theorem that is another one by now."""
    now = {theorem.id: theorem.statement for theorem in source.theorems}
    other = next((r.theorem_id for r in store.records() if now.get(r.theorem_id) != r.statement), "")
    example = f"; {other}, for one, is another or gone" if other else ""
    return DataError(
        f"the theorems of --data {source.reference} are not those that the search was begun with "
        f"({store.provenance.theorems} then, {len(now)} now{example}). Put the data back as they were, or "
        "evaluate into another --out folder."
    )


def _parts(resolved: ResolvedRun) -> contextlib.AbstractContextManager[Parts]:
    return driver_parts(resolved) if resolved.config.executor == "ray" else build(resolved)


def _suggestions(resolved: ResolvedRun, parts: Parts) -> int:
    """Most tactics that the policy gives for a state; where it is with Ray's workers, nobody here knows."""
    unknown = sys.maxsize if resolved.config.executor == "ray" else parts.policy.suggestions
    return resolved.config.suggestions or unknown


def _present(folder: Path) -> list[str]:
    try:
        names = [p.name for p in folder.iterdir()] if folder.exists() else []
    except OSError as error:
        raise _unusable(folder, error) from error
    return sorted(name for name in names if name != "lock" and not name.endswith(".tmp"))


def _unusable(folder: Path, error: OSError) -> RunStoreError:
    return RunStoreError(f"{folder} cannot be used as --out: {error.strerror or error}")


def _need_nothing(path: Path) -> None:
    """Nothing but what the making of a run directory leaves before there is a result.

    :raises RunStoreError: something else is there, which must not be lost.
    """
    for file in sorted(path.rglob("*")):
        made = file.name in _MADE_FIRST or file.suffix == ".tmp"
        if file.is_file() and file.stat().st_size and not made:
            msg = (
                f"{path} has no {_RESULTS}, and holds {file.relative_to(path)}: put the one back, or move "
                "the other away"
            )
            raise RunStoreError(msg)


def _details(run: ResolvedRun, parts: Parts) -> dict[str, str]:
    with contextlib.suppress(UserError):
        details = build_source(run, parts.environment).describe().details
        return {writable_text(key): writable_text(value) for key, value in details.items()}
    return {}


def _tell_apart(sources: Sequence[_Source]) -> None:
    """Before an id that several sources use goes the source's name, in each, whatever their order is."""
    used = Counter(id for source in sources for id in {theorem.id for theorem in source.theorems})
    for source in sources:
        shared = (theorem.id for theorem in source.theorems if used[theorem.id] > 1)
        source.ids = {id: f"{source.reference}/{id}" for id in shared}


def _set_projects(sources: Sequence[_Source]) -> None:
    """A source whose theorems name no project, or one that another source has too, is one itself."""
    named = [{theorem.project for theorem in source.theorems} for source in sources]
    for index, source in enumerate(sources):
        others = set().union(*(names for i, names in enumerate(named) if i != index))
        if "" in named[index] or (named[index] & others):
            source.project = source.reference


def _written(run: PlannedRun) -> str:
    return run.budget.text.replace("+", ",")


def _in_directory(saved: str) -> contextlib.AbstractContextManager[None]:
    """The directory in which it was begun, so that relative paths mean what they meant."""
    return contextlib.chdir(saved) if Path(saved).is_dir() else contextlib.nullcontext()
