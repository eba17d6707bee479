"""The ``scripted`` policy: proposes what it was told to. Needs no model and no prover.

Three ways to tell it, from the most to the least particular:

* ``scripts``: theorem name -> tactics in order; the policy plays the next one, and at the end nothing;
* ``tactics``: the same list for every state, best first;
* neither: the prover's own portfolio (``ProofEnvironment.portfolio``), as the ``fake`` prover has one.

``file`` holds either of the first two as YAML or JSON: a mapping or a list.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import Field

from prover_core.contracts import ComponentOptions, Policy, PolicyRequest, Portfolio, ProofEnvironment
from prover_core.errors import DataError, PolicyFailedError
from prover_core.types import Suggestion

__all__ = ["ScriptedOptions", "ScriptedPolicy"]


class ScriptedOptions(ComponentOptions):
    """What the policy plays, and how long it thinks about it."""

    tactics: tuple[str, ...] = Field(default=(), description="Tactics proposed for every state, best first.")
    scripts: Mapping[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Theorem name -> the tactics of its proof, played one after another.",
    )
    file: Path | None = Field(
        default=None, description="YAML or JSON file with a list (tactics) or a mapping (scripts)."
    )
    delay_ms: float = Field(default=0.0, ge=0, description="Time that every call takes, in milliseconds.")
    fail_after: int = Field(
        default=-1, ge=-1, description="Number of calls after which every call fails (-1: never)."
    )
    batch_size: int = Field(default=32, ge=1, description="Most states that it wants in one call.")


class ScriptedPolicy(Policy):
    """See the module's text. Suggestions are worth 1/2, 1/4, 1/8, ...: the first the most."""

    Options: ClassVar[type[ScriptedOptions]] = ScriptedOptions

    def __init__(self, options: ScriptedOptions | None = None) -> None:
        self.options = options or ScriptedOptions()
        self.batch_size = self.options.batch_size
        self._tactics = self.options.tactics
        self._scripts = dict(self.options.scripts)
        self._portfolio: Portfolio | None = None
        self._calls = 0
        if self.options.file is not None:
            self._read(self.options.file)

    def bind(self, environment: ProofEnvironment) -> None:
        if not self._tactics and not self._scripts:
            self._portfolio = environment.portfolio()
            self.wants_premises = self._portfolio is not None and self._portfolio.wants_premises

    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        self._calls += 1
        if 0 <= self.options.fail_after < self._calls:
            message = f"the scripted policy was told to fail after {self.options.fail_after} calls"
            raise PolicyFailedError(message)
        time.sleep(self.options.delay_ms / 1000)
        return [self._for(request)[:k] for request in requests]

    def _for(self, request: PolicyRequest) -> list[Suggestion]:
        script = self._scripts.get(request.theorem.name)
        if script is not None:
            return _weighted(script[len(request.script) : len(request.script) + 1])
        if self._tactics or self._scripts or self._portfolio is None:
            return _weighted(self._tactics)
        return list(self._portfolio.propose(request))

    def _read(self, path: Path) -> None:
        try:
            content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            message = f"the scripted policy cannot read {path}: {error}"
            raise DataError(message) from error
        if isinstance(content, dict):
            self._scripts.update({str(name): _texts(script, path) for name, script in content.items()})
        else:
            self._tactics = _texts(content, path)


def _texts(content: Any, path: Path) -> tuple[str, ...]:
    if isinstance(content, list) and all(isinstance(item, str) for item in content):
        return tuple(content)
    message = (
        f"{path} should hold a list of tactics, or a mapping from theorem names to such lists, "
        f"and has {type(content).__name__}: {str(content)[:60]}"
    )
    raise DataError(message)


def _weighted(tactics: Sequence[str]) -> list[Suggestion]:
    ln2 = 0.6931471805599453
    unique = dict.fromkeys(tactics)
    return [Suggestion(tactic, -ln2 * (place + 1), "scripted") for place, tactic in enumerate(unique)]
