"""The data source: the first few numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from prover_core.contracts import ComponentOptions, DataSource, SourceDescription
from prover_core.errors import DataError
from prover_core.types import Theorem


class ToySourceOptions(ComponentOptions):
    """Options of the toy theorems."""

    count: int = Field(default=5, ge=1, description="How many theorems: reach 2, reach 3, ...")


class ToySource(DataSource):
    """Numbers to be reached; ``--data toy:30`` gives the one number 30."""

    Options: ClassVar[type[ToySourceOptions]] = ToySourceOptions

    def __init__(self, options: ToySourceOptions, argument: str) -> None:
        if argument and not argument.isdigit():
            message = f"--data toy:{argument}: write a number after the colon"
            raise DataError(message)
        self._targets = [int(argument)] if argument else range(2, 2 + options.count)

    def theorems(self) -> Iterator[Theorem]:
        for target in self._targets:
            yield Theorem(f"toy:reach_{target}", f"reach_{target}", "toy", f"reach {target}")

    def describe(self) -> SourceDescription:
        return SourceDescription(
            "toy", "toy", theorems=len(self._targets), licence="Apache-2.0", version="1.2.3"
        )
