"""``--data minif2f-rocq:...``: miniF2F's statements in Rocq."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from prover_coq.document import read_source
from prover_coq.sources.files import coq_files_under
from prover_coq.sources.statements import Problem, StatementOptions, StatementSource
from prover_core.data.lines import Problems
from prover_core.data.rows import read_json_document, read_rows
from prover_core.errors import DataError

__all__ = ["MiniF2FOptions", "MiniF2FRocq"]

_SPLITS = ("valid", "test")
_AUDIT = ("audit.json", "rocq_audit.json")
_EXPECTED = (
    "the folder of miniF2F-rocq (with test/NAME.v and valid/NAME.v), one of its two folders, or a .jsonl "
    "file with the texts as `rocq`"
)


class MiniF2FOptions(StatementOptions):
    """Options of miniF2F's statements."""

    split: Literal["all", "test", "valid"] = Field(default="all", description="which of the two halves")


class MiniF2FRocq(StatementSource):
    """miniF2F in Rocq: ``argument`` is its folder, with ``test/*.v`` and ``valid/*.v``, or a ``.jsonl`` file.

    Ids are the problems' names, the same as in other provers. ``metadata`` has the split, the libraries that
    the statement requires, and how its audit ended where ``audit.json`` says so. A line of a ``.jsonl`` file
    has ``id``, ``split`` and ``rocq``.
    """

    Options: ClassVar[type[MiniF2FOptions]] = MiniF2FOptions
    name = "minif2f-rocq"
    benchmark = "miniF2F"
    licence = "MIT"
    _options: MiniF2FOptions

    def problems(self) -> Iterator[Problem]:
        """By split and name; a ``.jsonl`` file in its own order."""
        path = self._folder(_EXPECTED)
        audit = _audit(path if path.is_dir() else path.parent)
        found = 0
        for problem in self._of_rows(path) if path.is_file() else self._of_folder(path):
            found += 1
            if self._options.split in ("all", problem.facts.get("split") or self._options.split):
                status = audit.get(problem.name.lower())
                facts = {**problem.facts, **({"audit": status} if status else {})}
                yield Problem(problem.name, problem.text, problem.origin, facts)
        if not found:
            what = "no problem" if path.is_file() else f"{_contents(path)}, and no .v file of a problem"
            message = f"{self.name} needs {_EXPECTED}; {path} holds {what}"
            raise DataError(message)

    def _of_folder(self, path: Path) -> Iterator[Problem]:
        splits = [path / split for split in _SPLITS if (path / split).is_dir()]
        for folder in splits or [path]:
            split = folder.name if folder.name in _SPLITS else ""
            for file in coq_files_under(folder) if splits or split else sorted(path.glob("*.v")):
                yield Problem(file.stem, read_source(file), str(file), {"split": split} if split else {})

    def _of_rows(self, path: Path) -> Iterator[Problem]:
        if path.suffix not in (".jsonl", ".json"):
            message = f"{self.name} needs {_EXPECTED}; {path} is no such file"
            raise DataError(message)
        for line, row in read_rows(path, Problems()):
            name, text, split = (row.get(key, "") for key in ("id", "rocq", "split"))
            name = name or row.get("name", "")
            if not (
                isinstance(name, str) and isinstance(text, str) and isinstance(split, str) and name and text
            ):
                message = (
                    f"{path}:{line}: a row needs the texts `id` (or `name`) and `rocq`; this one has "
                    f"{', '.join(row) or 'nothing'}"
                )
                raise DataError(message)
            yield Problem(name, text, f"{path}:{line}", {"split": split} if split else {})


def _audit(folder: Path) -> dict[str, str]:
    """Problem, in small letters -> how its audit ended."""
    for place in (folder, folder.parent):
        for name in _AUDIT:
            if not (place / name).is_file():
                continue
            data = read_json_document(place / name, Problems())
            if not isinstance(data, dict):
                message = f"{place / name} is not an object with an entry for each problem"
                raise DataError(message)
            return {
                key.lower(): value["status"]
                if isinstance(value, dict) and "status" in value
                else json.dumps(value)
                for key, value in data.items()
            }
    return {}


def _contents(path: Path) -> str:
    """The first names in a folder, for an error message."""
    names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())
    shown = ", ".join(names[:6])
    return f"{shown}{', ...' if len(names) > 6 else ''}" if names else "nothing"
