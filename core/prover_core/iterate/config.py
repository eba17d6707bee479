"""What ``prover iterate`` reads: one YAML file that says everything, checked whole before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prover_core.config.yaml_file import YamlFile, read_yaml
from prover_core.errors import ConfigError
from prover_registry import near_names

__all__ = [
    "EvaluatePlan",
    "ExportPlan",
    "IterateConfig",
    "TrainPlan",
    "ValuePlan",
    "config_text",
    "load_config",
    "option_text",
    "option_words",
    "quick_config",
    "run_settings",
]

_BASE_RATE = 2e-4
"""Learning rate of the first iteration; it is halved with each (2e-4 / 2^i)."""


class _Section(BaseModel):
    # defaults are validated too: 3 and 3.0, which is what it is read back as, are not the same word
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class TrainPlan(_Section):
    """``prover train`` in each iteration. The adapter of one iteration is the base of the next."""

    preset: str = Field(description="Recipe of `prover train`: gpt2-lora, deepseek-qlora, ...")
    data: list[str] = Field(min_length=1, description="Extracted proofs; what is found is added to them.")
    lr: float = Field(default=_BASE_RATE, gt=0, description="Of iteration 0; of iteration i: lr / 2^i.")
    first_epochs: float = Field(default=3, gt=0, description="Over the data, in iteration 0.")
    later_epochs: float = Field(default=1, gt=0, description="Over the data and what was found, later.")
    base: str | None = Field(default=None, description="Adapter that iteration 0 goes on from.")
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Further settings of `prover train`: section, option, value."
    )


class ExportPlan(_Section):
    """``prover export`` in each iteration: adapter and base as one set of weights."""

    verify: bool = Field(default=True, description="Compare merged weights with the adapter's, and generate.")


class ValuePlan(_Section):
    """A value model, fitted to all searches so far, that guides the next ones."""

    kind: Literal["ebm", "steps-remaining"] = "ebm"
    preset: str | None = Field(default=None, description="Preset for --value; default: the kind's own name.")
    held_out: float = Field(default=0.25, ge=0, lt=1, description="Share of theorems that it is measured on.")
    flags: list[str] = Field(default_factory=list, description="Further words for `prover data fit-value`.")


class EvaluatePlan(_Section):
    """``prover eval`` in each iteration, on theorems held out."""

    data: str = Field(description="Theorems, as --data takes them. Not those that are searched.")
    budgets: str = Field(default="100t", description="As `prover eval --budgets` takes them.")
    attempts: int = Field(default=1, ge=1)
    k: str | None = Field(default=None, description="As `prover eval --k` takes them; default: its own.")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Settings of `prover run` that differ from `run`."
    )


class IterateConfig(_Section):
    """One expert iteration. ``run``, ``search``, ``noise`` and ``guided`` hold settings of ``prover run``."""

    iterations: int = Field(default=3, ge=1, le=1000)
    seed: int = Field(default=0, ge=0, description="Of everything; iteration i takes seed + i.")
    run: dict[str, Any] = Field(description="What every search and evaluation has: env, model, workers, ...")
    search: dict[str, Any] = Field(description="Of the searches that make data: data, budget, sample, ...")
    noise: dict[str, Any] | None = Field(
        default_factory=lambda: {"temperature": 1.2, "noise": 0.1},
        description="A second search in iteration 0, for diversity: what differs from `search`. null: none.",
    )
    guided: dict[str, Any] = Field(
        default_factory=dict, description="What a search with a value model has other than `search`."
    )
    train: TrainPlan | None = Field(default=None, description="null: the model stays as it is.")
    export: ExportPlan | None = None
    value: ValuePlan | None = ValuePlan()
    per_theorem: int = Field(
        default=4, ge=1, description="Most different proofs of a theorem that are added."
    )
    evaluate: EvaluatePlan | None = None


def load_config(path: Path) -> IterateConfig:
    """The checked file.

    :raises ConfigError: every mistake in it, with its line.
    """
    problems: list[str] = []
    data = read_yaml(path, problems)
    if problems:
        raise ConfigError(problems)
    try:
        config = IterateConfig.model_validate(data.values)
    except ValidationError as error:
        raise ConfigError([_mistake(path, data, each) for each in error.errors()]) from error
    problems += _missing(path, config)
    if problems:
        raise ConfigError(problems)
    return config


def config_text(config: IterateConfig) -> str:
    """The YAML file that :func:`load_config` reads back to the same."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def run_settings(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of ``prover run`` laid over one another; ``options`` are merged key by key."""
    merged: dict[str, Any] = {}
    options: dict[str, dict[str, Any]] = {}
    for part in parts:
        merged |= {key: value for key, value in part.items() if key != "options"}
        for role, values in (part.get("options") or {}).items():
            options[role] = options.get(role, {}) | dict(values or {})
    return merged | ({"options": options} if options else {})


def option_words(options: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Options by component or section as ``--set`` takes them: ``policy.device=cpu``."""
    return [
        f"{section}.{name}={option_text(value)}"
        for section, values in options.items()
        for name, value in (values or {}).items()
    ]


def option_text(value: Any) -> str:
    """A value as ``--set`` reads it back: texts as they are, all else as YAML on one line."""
    if isinstance(value, str):
        return value
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).strip().removesuffix("\n...").strip()


def quick_config(run: Mapping[str, Any]) -> IterateConfig:
    """``--quick``: search, fit the value model, search again guided by it, compare the two; no training.

    :param run: settings of ``prover run``: ``env``, ``model``, ``data``, and what else was given.
    """
    common = {key: value for key, value in run.items() if key != "data"}
    common.setdefault("budget", "60t")
    data = run["data"]
    return IterateConfig(
        iterations=2,
        run={"seed": 0} | common,  # the same in both: what differs is the value model alone
        search={"data": data},
        noise=None,
        train=None,
        evaluate=None,
    )


def _missing(path: Path, config: IterateConfig) -> list[str]:
    problems = []
    for name in ("env", "model"):
        if name not in config.run:
            problems.append(f"{path}: run.{name} is missing: every search and evaluation needs it")
    if "data" not in config.search:
        problems.append(f"{path}: search.data is missing: which theorems are searched?")
    decided = {"lr": "train.lr", "epochs": "train.first_epochs and train.later_epochs", "seed": "seed"}
    for name, place in decided.items():
        if config.train is not None and name in config.train.options.get("optim", {}):
            problems.append(f"{path}: train.options.optim.{name}: each iteration has its own; set {place}")
    if config.export is not None and config.train is None:
        problems.append(f"{path}: export needs train: there is no adapter to merge")
    return problems


def _mistake(path: Path, data: YamlFile, error: Any) -> str:
    place = tuple(str(part) for part in error["loc"])
    at = data.at(place)
    if error["type"] == "extra_forbidden":
        known = _known(place[:-1])
        near = near_names(place[-1], known)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"{path}{at}: there is no setting {'.'.join(place)!r}{hint}; known here: {', '.join(known)}"
    return f"{path}{at}: {'.'.join(place)}: {error['msg']}"


def _known(place: tuple[str, ...]) -> list[str]:
    sections: dict[tuple[str, ...], type[BaseModel]] = {
        (): IterateConfig, ("train",): TrainPlan, ("export",): ExportPlan, ("value",): ValuePlan,
        ("evaluate",): EvaluatePlan,
    }  # fmt: skip
    model = sections.get(place)
    return sorted(model.model_fields) if model is not None else []
