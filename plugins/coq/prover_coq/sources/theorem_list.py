"""``--data theorem-list:FILE``: theorems named one by one in a text or JSON Lines file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prover_coq.theorems import select_theorems, theorem_from_text, theorems_of_file
from prover_core.contracts.data import DataSource, SourceDescription
from prover_core.contracts.options import ComponentOptions
from prover_core.errors import DataError, UserError
from prover_core.types import Theorem

__all__ = ["TheoremList", "TheoremListOptions"]


class TheoremListOptions(ComponentOptions):
    """Options of a theorem list."""

    coq_options: tuple[str, ...] = Field(
        default=(), description="More options for Coq's command line (-Q dir Name), for every theorem."
    )


class _Row(BaseModel):
    """One line of a ``.jsonl`` list. Other keys are kept as metadata."""

    model_config = ConfigDict(extra="allow")
    id: str = ""
    file: str = ""
    name: str = ""
    statement: str = ""
    preamble: str = ""
    options: tuple[str, ...] = ()


class TheoremList(DataSource):
    """Theorems from a list. In a ``.txt`` file: ``File.v:name`` a line, ``#`` starts a comment.

    In a ``.jsonl`` file: ``{"file": ..., "name": ...}`` or ``{"name": ..., "statement": ...}`` with
    ``preamble``, ``options`` and ``id`` if wanted. Files are looked for from the list's own folder.
    """

    Options: ClassVar[type[TheoremListOptions]] = TheoremListOptions

    def __init__(self, options: TheoremListOptions, argument: str) -> None:
        self._options = options
        self._path = Path(argument).expanduser()
        self._last: tuple[Path, tuple[str, ...], list[Theorem]] | None = None

    def theorems(self) -> Iterator[Theorem]:
        """In the list's order.

        :raises DataError: a line cannot be understood, names what is not there, or repeats an id; the
            message says which line.
        """
        seen: dict[str, int] = {}
        for number, line in enumerate(self._lines(), start=1):
            try:
                found = self._of_line(line)
            except (UserError, ValidationError, ValueError) as error:
                message = f"{self._path}, line {number}: {error}"
                raise DataError(message) from error
            for theorem in found:
                first = seen.setdefault(theorem.id, number)
                if first != number:
                    message = f"{self._path}, line {number}: {theorem.id} is on line {first} already."
                    raise DataError(message)
                yield theorem

    def describe(self) -> SourceDescription:
        """Where the list is."""
        return SourceDescription(name="theorem-list", prover="coq", origin=str(self._path))

    def _lines(self) -> list[str]:
        if self._path.suffix not in (".txt", ".jsonl"):
            message = f"{self._path}: a theorem list is a .txt file (File.v:name a line) or a .jsonl file."
            raise DataError(message)
        try:
            return self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            message = f"cannot read the theorem list {self._path}: {error}"
            raise DataError(message) from error

    def _of_line(self, line: str) -> list[Theorem]:
        line = line.strip()
        if not line:
            return []
        if self._path.suffix == ".jsonl":
            return self._of_row(_Row.model_validate(json.loads(line)))
        line = line.partition("#")[0].strip() if line.startswith("#") or " #" in line else line
        if not line:
            return []
        file, colon, name = line.rpartition(":")
        if not colon:
            file, name = line, ""
        return self._in_file(file, name, ())

    def _of_row(self, row: _Row) -> list[Theorem]:
        if bool(row.file) == bool(row.statement):
            message = 'a row needs either "file" (and "name") or "statement"'
            raise DataError(message)
        if row.file:
            found = self._in_file(row.file, row.name, row.options)
        else:
            options = (*row.options, *self._options.coq_options)
            found = [theorem_from_text(row.statement, row.name, row.preamble, options)]
        extra = {key: str(value) for key, value in (row.model_extra or {}).items()}
        found = [dataclasses.replace(t, metadata={**extra, **t.metadata}) for t in found]
        return [dataclasses.replace(found[0], id=row.id)] if row.id and len(found) == 1 else found

    def _in_file(self, file: str, name: str, options: tuple[str, ...]) -> list[Theorem]:
        path = (self._path.parent / Path(file).expanduser()).resolve()
        options = (*options, *self._options.coq_options)
        if self._last is None or self._last[:2] != (path, options):
            self._last = (path, options, theorems_of_file(path, options))
        theorems = self._last[2]
        return select_theorems(theorems, name, file) if name else theorems
