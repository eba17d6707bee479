"""``--data coq-files:...``: theorems of files and folders on disk."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from prover_coq.sources.selection import SelectionOptions, wanted
from prover_coq.theorems import select_theorems, source_name, theorems_of_file
from prover_core.contracts.data import DataSource, SourceDescription
from prover_core.errors import DataError
from prover_core.types import Theorem

__all__ = ["CoqFiles", "coq_files_under"]

_USAGE = (
    "Write files, folders or File.v:name, comma-separated, for instance `coq-files:src,Extra.v:my_lemma`."
)


class CoqFiles(DataSource):
    """Theorems of Coq files: ``argument`` is a comma-separated list of files, folders and ``File.v:name``.

    Folders are searched recursively, build and hidden folders left out. Each file gets the options of its own
    project. Ids are ``<path in the project>:<qualified name>``.
    """

    Options: ClassVar[type[SelectionOptions]] = SelectionOptions

    def __init__(self, options: SelectionOptions, argument: str) -> None:
        self._options = options
        self._argument = argument
        self._items = [item.strip() for item in argument.split(",") if item.strip()]

    def theorems(self) -> Iterator[Theorem]:
        """File by file; a file is read when its first theorem is asked for."""
        if not self._items:
            message = f"coq-files was given nothing to read. {_USAGE}"
            raise DataError(message)
        owners: dict[str, Path] = {}
        seen: set[str] = set()
        for item in self._items:
            for file, name in self._files(item):
                found = theorems_of_file(file, self._options.coq_options)
                if name:
                    chosen = select_theorems(found, name, str(file))
                else:
                    chosen = list(wanted(found, self._options))
                for theorem in _with_unique_source(chosen, file.resolve(), owners):
                    if theorem.id not in seen:
                        seen.add(theorem.id)
                        yield theorem

    def describe(self) -> SourceDescription:
        """What was asked for; theorems are not counted, because that would read every file."""
        return SourceDescription(name="coq-files", prover="coq", origin=self._argument)

    def _files(self, item: str) -> Iterator[tuple[Path, str]]:
        path, name = Path(item).expanduser(), ""
        if not path.exists() and ":" in item:
            before, _, name = item.rpartition(":")
            path = Path(before).expanduser()
        if path.is_dir() and not name:
            files = coq_files_under(path)
            if not files:
                message = f"{path} holds no .v file. {_USAGE}"
                raise DataError(message)
            yield from ((file, "") for file in files)
        elif path.is_file():
            yield path, name
        else:
            message = f"there is no file or folder {path} (looked from {Path.cwd()}). {_USAGE}"
            raise DataError(message)


def coq_files_under(folder: Path) -> list[Path]:
    """All ``.v`` files under ``folder``, sorted; build folders and hidden ones are left out."""
    found: list[Path] = []
    for current, subfolders, files in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith((".", "_build", "_opam"))]
        found += [Path(current) / name for name in files if name.endswith(".v") and not name.startswith(".")]
    return sorted(found, key=lambda file: file.parts)


def _with_unique_source(theorems: list[Theorem], file: Path, owners: dict[str, Path]) -> list[Theorem]:
    """Two files of the same name, neither in a project, are told apart by their whole paths."""
    source = source_name(file)
    if owners.setdefault(source, file) == file:
        return theorems
    return [dataclasses.replace(t, id=f"{file}{t.id.removeprefix(source)}") for t in theorems]
