"""The policy: double or add one, in an order that an option sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from prover_core.contracts import ComponentOptions, Policy, PolicyRequest
from prover_core.types import Suggestion


class ToyPolicyOptions(ComponentOptions):
    """Options of the toy policy."""

    first: Literal["double", "inc"] = Field(default="double", description="The step that is tried first.")
    seed: int = Field(default=0, description="Of nothing yet; the run's own seed, unless set.")


class ToyPolicy(Policy):
    """Knows two steps."""

    Options: ClassVar[type[ToyPolicyOptions]] = ToyPolicyOptions

    def __init__(self, options: ToyPolicyOptions) -> None:
        other = "inc" if options.first == "double" else "double"
        self._suggestions = [Suggestion(options.first, -0.5), Suggestion(other, -1.0)]

    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        return [self._suggestions[:k] for _ in requests]
