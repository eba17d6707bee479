"""The stages of one iteration: which commands, on what they rest, what they leave.

Every stage is one ``prover`` command in a process of its own, so that it can be run by hand, is resumed by
the command's own means, and gives its memory back. The order is that of expert iteration (Polu et al. 2022):
train, export, fit the value model to the searches so far, search with both, keep what was proved, evaluate
on held-out theorems, compare with the iteration before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from prover_core.iterate.config import IterateConfig, option_text, option_words, run_settings

__all__ = ["Facts", "Kind", "Stage", "iteration_folder", "plan_iteration"]

Kind = Literal["train", "export", "value", "search", "harvest", "evaluate", "compare"]

_ADAPTER: Final = "adapter"
_PATH_KEYS: Final = frozenset({"adapter", "base", "dataset", "path"})
"""Options of this name may hold a path of one word."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What earlier iterations found, as far as the plan of the next depends on it."""

    proofs: int = 0
    """Verified proofs with steps in the searches so far; without any no value model can be fitted."""
    value: bool = True
    """There is a value model, or is to be; ``False``: the searches held nothing that one is fitted to."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One command."""

    iteration: int
    name: str
    kind: Kind
    words: tuple[str, ...]
    """After ``prover``."""
    out: Path
    """What it leaves: a folder or a file."""
    inputs: tuple[Path, ...] = ()
    """Files and folders that it rests on; when one changes, it is done again."""
    optional: bool = False
    """It may find that there is nothing to make (exit code 1): then it is done, and leaves nothing."""
    resume: tuple[str, ...] = ()
    """The words that go on with it; empty: it is begun again."""
    resume_mark: str = ""
    """File in ``out`` without which there is nothing to go on with."""
    stdout: Path | None = None
    """Where what it prints goes, if that is its result."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What is written as its ``--config`` file before it starts."""
    config: Path | None = None
    """That file."""

    @property
    def key(self) -> str:
        return f"{self.iteration:02d}-{self.name}"


def iteration_folder(out: Path, iteration: int) -> Path:
    """Where an iteration's stages leave what they make."""
    return out / f"iteration-{iteration:02d}"


def plan_iteration(config: IterateConfig, out: Path, iteration: int, facts: Facts) -> list[Stage]:
    """The stages in order.

    :param facts: of the iterations before; the plan of iteration 0 needs none.
    """
    planner = _Planner(config, out, iteration, facts)
    stages = [
        *planner.train(), *planner.export(), *planner.value(), *planner.searches(), planner.harvest(),
        *planner.evaluate(), *planner.compare(),
    ]  # fmt: skip
    return stages


class _Planner:
    def __init__(self, config: IterateConfig, out: Path, iteration: int, facts: Facts) -> None:
        self.config = config
        self.out = out
        self.iteration = iteration
        self.here = iteration_folder(out, iteration)
        self.before = iteration_folder(out, iteration - 1)
        self.seed = config.seed + iteration
        self.found = facts.proofs > 0
        self.fits = config.value is not None and iteration > 0 and self.found
        self.guided = self.fits and facts.value

    def train(self) -> list[Stage]:
        plan = self.config.train
        if plan is None:
            return []
        out = self.here / _ADAPTER
        data = [*plan.data, *([str(self.before / "found")] if self.iteration and self.found else [])]
        epochs = plan.later_epochs if self.iteration else plan.first_epochs
        base = str(self.before / _ADAPTER) if self.iteration else plan.base
        rate = plan.lr / 2**self.iteration
        sets = {"optim.lr": rate, "optim.epochs": f"{epochs:g}", "optim.seed": self.seed}
        words = ["train", "--preset", plan.preset, "--out", str(out)]
        for each in data:
            words += ["--data", each]
        if base is not None:
            words += ["--base", base]
        for each in [*(f"{key}={option_text(v)}" for key, v in sets.items()), *option_words(plan.options)]:
            words += ["--set", each]
        rests = [*map(self._data_path, data), Path(base) if base else None, *_named_paths(plan.options)]
        return [
            Stage(
                self.iteration, "train", "train", tuple(words), out, _each_once(rests, self.out),
                resume=("train", "--out", str(out), "--resume"), resume_mark="train_config.yaml",
            )
        ]  # fmt: skip

    def export(self) -> list[Stage]:
        if self.config.export is None:
            return []
        out = self.here / "merged"
        adapter = self.here / _ADAPTER
        words = ["export", "--adapter", str(adapter), "--out", str(out)]
        words += ["--verify"] if self.config.export.verify else []
        return [Stage(self.iteration, "export", "export", tuple(words), out, (adapter,))]

    def value(self) -> list[Stage]:
        plan = self.config.value
        if plan is None or not self.fits:
            return []
        runs = [run for number in range(self.iteration) for run in self._runs(number)]
        out = self.here / "value"
        words = ["data", "fit-value", *map(str, runs), "--kind", plan.kind, "--out", str(out)]
        words += ["--held-out", f"{plan.held_out:g}", "--seed", str(self.config.seed), *plan.flags]
        return [Stage(self.iteration, "value", "value", tuple(words), out, tuple(runs), optional=True)]

    def searches(self) -> list[Stage]:
        stages = [self._search("search", {})]
        if self.iteration == 0 and self.config.noise is not None:
            other = {"seed": self.seed + 1000} | dict(self.config.noise)
            stages.append(self._search("search-noise", other))
        return stages

    def harvest(self) -> Stage:
        runs = [run for number in range(self.iteration + 1) for run in self._runs(number)]
        out = self.here / "found"
        words = ("data", "harvest", *map(str, runs), "--out", str(out))
        words += ("--per-theorem", str(self.config.per_theorem))
        return Stage(self.iteration, "harvest", "harvest", words, out, tuple(runs))

    def evaluate(self) -> list[Stage]:
        plan = self.config.evaluate
        if plan is None:
            return []
        out = self.here / "eval"
        told = run_settings(self.config.run, plan.settings, {"data": plan.data, "seed": self.config.seed})
        told.pop("budget", None)
        told.pop("attempts", None)
        settings = run_settings(told, self._model())
        words = [
            "eval",
            "--data",
            plan.data,
            "--budgets",
            plan.budgets,
            "--attempts",
            str(plan.attempts),
            "--out",
            str(out),
        ]
        words += ["--iteration", str(self.iteration), "--name", f"iteration {self.iteration}"]
        words += ["--k", plan.k] if plan.k else []
        return [
            self._configured("evaluate", "evaluate", words, out, settings, self._rests(settings),
                             resume=("eval", "--out", str(out), "--resume"), mark="plan.json")
        ]  # fmt: skip

    def compare(self) -> list[Stage]:
        if self.iteration == 0:
            return []
        folder, file = ("eval", "result.json") if self.config.evaluate is not None else ("search", "")
        sides = [place / folder / file if file else place / folder for place in (self.before, self.here)]
        out = self.here / "compare.json"
        words = ("compare", *map(str, sides), "--json")
        return [Stage(self.iteration, "compare", "compare", words, out, tuple(sides), stdout=out)]

    def _search(self, name: str, other: Mapping[str, Any]) -> Stage:
        out = self.here / name
        guided = self.config.guided if self.guided else {}
        told = run_settings(
            {"seed": self.seed}, self.config.run, self.config.search, guided, other, self._model()
        )
        resume = ("run", "--resume", str(out))
        words = ["run", "--out", str(out)]
        # results.jsonl is the last of a run's files to be made: without it there is nothing to go on with
        return self._configured(
            name, "search", words, out, told, self._rests(told), resume=resume, mark="results.jsonl"
        )

    def _configured(
        self, name: str, kind: Kind, words: list[str], out: Path, settings: Mapping[str, Any],
        inputs: tuple[Path, ...], *, resume: tuple[str, ...], mark: str,
    ) -> Stage:  # fmt: skip
        config = self.here / "config" / f"{name}.yaml"
        full = (words[0], "--config", str(config), *words[1:])
        return Stage(
            self.iteration, name, kind, full, out, inputs, resume=resume, resume_mark=mark,
            settings=settings, config=config,
        )  # fmt: skip

    def _model(self) -> dict[str, Any]:
        """What of the settings this iteration's models decide."""
        told: dict[str, Any] = {}
        options: dict[str, dict[str, Any]] = {}
        if self.config.export is not None:
            options["policy"] = {"base": str(self.here / "merged")}
        elif self.config.train is not None:
            options["policy"] = {"adapter": str(self.here / _ADAPTER)}
        if self.guided and self.config.value is not None:
            told["value"] = self.config.value.preset or self.config.value.kind
            options["value"] = {"path": str(self.here / "value")}
        return told | ({"options": options} if options else {})

    def _rests(self, settings: Mapping[str, Any]) -> tuple[Path, ...]:
        """Files and folders that the settings of a search or an evaluation name."""
        options = settings.get("options") or {}
        found = [
            self._data_path(str(settings.get("data", ""))),
            _source_path(str(settings.get("retriever") or "")),
            *_named_paths({role: told for role, told in options.items() if role != "env"}),
        ]
        made = {Path(each) for told in self._model().get("options", {}).values() for each in told.values()}
        return _each_once([*found, *sorted(made)], self.out)

    def _data_path(self, reference: str) -> Path | None:
        inside = Path(reference).is_relative_to(self.out)  # made by an earlier stage, which may be to come
        return Path(reference) if inside else _source_path(reference)

    def _runs(self, number: int) -> list[Path]:
        folder = iteration_folder(self.out, number)
        noise = number == 0 and self.config.noise is not None
        return [folder / "search", *([folder / "search-noise"] if noise else [])]


def _source_path(reference: str) -> Path | None:
    """The file or folder that ``--data`` names, by itself or behind the source's name; else ``None``."""
    texts = (reference, reference.partition(":")[2])
    return next((Path(text) for text in texts if text and Path(text).exists()), None)


def _named_paths(value: Any, key: str = "") -> Iterator[Path]:
    """Files and folders among option values: weights, datasets, indexes. A bare word may be a name."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _named_paths(each, str(name))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _named_paths(each, key)
    elif isinstance(value, str) and ("/" in value or key in _PATH_KEYS) and Path(value).exists():
        yield Path(value)


def _each_once(paths: Iterable[Path | None], out: Path) -> tuple[Path, ...]:
    """Without those that hold the whole iteration, whose content changes with every stage."""
    known = dict.fromkeys(path for path in paths if path is not None)
    return tuple(path for path in known if not out.absolute().is_relative_to(path.absolute()))
