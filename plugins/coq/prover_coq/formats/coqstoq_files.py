"""The files of CoqStoq: theorems by their places in projects, split lists, submissions."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from prover_coq.document import Document, TheoremDecl, parse_document, read_source
from prover_core.data.lines import Problems, validation_reason
from prover_core.data.rows import read_json_document
from prover_core.errors import DataError
from prover_core.types import Span

__all__ = [
    "Checkouts",
    "CoqStoqProject",
    "CoqStoqTheorem",
    "Entry",
    "Lines",
    "Located",
    "Place",
    "read_theorems",
]

_SHOWN = 160


class _Raw(BaseModel):
    model_config = ConfigDict(extra="allow")


class Place(_Raw):
    """A position: line and column, both from 0."""

    line: int = Field(ge=0)
    column: int = Field(ge=0)


class CoqStoqSplit(_Raw):
    """Folders of a split: ``test-repos`` and ``test-theorems``."""

    dir_name: str
    thm_dir_name: str = ""


class CoqStoqProject(_Raw):
    """A project of a split."""

    dir_name: str
    split: CoqStoqSplit
    commit_hash: str = ""
    compile_args: list[str] = []


class CoqStoqTheorem(_Raw):
    """A theorem: starts are inclusive; ends are on an inclusive line, before an exclusive column."""

    project: CoqStoqProject
    path: str
    theorem_start_pos: Place
    theorem_end_pos: Place
    proof_start_pos: Place
    proof_end_pos: Place
    hash: str = ""


class _Listed(_Raw):
    thm_path: str
    thm_idx: int = Field(ge=0)


class Entry(NamedTuple):
    """A theorem of a theorem file, and the JSON that it was read from."""

    file: Path
    number: int
    theorem: CoqStoqTheorem
    raw: dict[str, Any]
    proof: str | None = None
    """Of a submission: the proof that was found."""
    time: float | None = None


_LISTED = TypeAdapter(list[_Listed])


def read_theorems(path: Path, problems: Problems) -> Iterator[Entry]:
    """Theorems of a theorem file, of all those in a folder, of a split list, or of a submission.

    :raises DataError: it is none of these; or something is malformed and reading is not lenient.
    """
    if path.is_dir():
        folders = [path] if not list(path.glob("*-theorems")) else sorted(path.glob("*-theorems"))
        files = sorted(
            (f for folder in folders if folder.is_dir() for f in folder.rglob("*.json")),
            key=lambda f: f.parts,
        )
        if not files:
            message = (
                f"{path} holds no theorem file. CoqStoq keeps them in "
                "<split>-theorems/<project>/<path>.json; give its folder, one of these folders, or a "
                "list like test-theorems.json"
            )
            raise DataError(message)
        for file in files:
            yield from _read_file(file, problems)
        return
    yield from _read_file(path, problems)


def _read_file(path: Path, problems: Problems) -> Iterator[Entry]:
    data = read_json_document(path, problems)
    if data is None:
        return
    if isinstance(data, dict) and isinstance(data.get("results"), list):
        for number, row in enumerate(data["results"]):
            yield from _result(path, number, row, problems)
        return
    if not isinstance(data, list):
        problems.report(path, None, "neither a list of theorems nor a submission (an object with 'results')")
        return
    if data and isinstance(data[0], dict) and "thm_path" in data[0]:
        yield from _listed(path, data, problems)
        return
    for number, row in enumerate(data):
        if (theorem := _theorem(path, f"theorem {number}", row, problems)) is not None:
            yield Entry(path, number, theorem, row)


def _result(path: Path, number: int, row: Any, problems: Problems) -> Iterator[Entry]:
    raw = row.get("thm") if isinstance(row, dict) else None
    theorem = _theorem(path, f"results[{number}].thm", raw, problems)
    if theorem is None or raw is None:
        return
    proof, time = row.get("proof"), row.get("time")
    if (
        not isinstance(proof, str | None)
        or not isinstance(time, int | float | None)
        or isinstance(time, bool)
    ):
        problems.report(
            path, None, f"results[{number}]: proof must be a text or null, and time a number or null"
        )
        return
    yield Entry(path, number, theorem, raw, proof, time)


def _theorem(path: Path, where: str, row: Any, problems: Problems) -> CoqStoqTheorem | None:
    try:
        return CoqStoqTheorem.model_validate(row)
    except ValidationError as error:
        problems.report(path, None, f"{where} is none: {validation_reason(error)}")
        return None


def _listed(path: Path, data: list[Any], problems: Problems) -> Iterator[Entry]:
    """Theorems in the order of a split list, which is shuffled."""
    try:
        listed = _LISTED.validate_python(data)
    except ValidationError as error:
        problems.report(path, None, f"not a split list: {validation_reason(error)}")
        return
    cache: dict[Path, list[Entry]] = {}
    for number, item in enumerate(listed):
        file = _beside(path, item.thm_path)
        if file is None:
            problems.report(
                path,
                None,
                f"entry {number}: there is no {item.thm_path} beside the list or in a folder above it",
            )
            continue
        if file not in cache:
            cache[file] = list(_read_file(file, problems))
        found = [entry for entry in cache[file] if entry.number == item.thm_idx]
        if found:
            yield found[0]
        else:
            problems.report(path, None, f"entry {number}: {file} has no theorem {item.thm_idx}")


def _beside(path: Path, name: str) -> Path | None:
    for folder in path.absolute().parents[:3]:
        if (folder / name).is_file():
            return folder / name
    return None


# --- places in source files ----------------------------------------------------------------------------


class Lines:
    """Between offsets of a text and its lines and columns, both from 0."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0]
        position = text.find("\n")
        while position >= 0:
            self._starts.append(position + 1)
            position = text.find("\n", position + 1)

    def offset(self, place: Place) -> int:
        """Offset of a place; past the last line, that of the text's end."""
        if place.line >= len(self._starts):
            return len(self.text)
        end = self._starts[place.line + 1] if place.line + 1 < len(self._starts) else len(self.text)
        return min(self._starts[place.line] + place.column, end)

    def place(self, offset: int) -> dict[str, int]:
        """Line and column of an offset."""
        line = bisect.bisect_right(self._starts, offset) - 1
        return {"line": line, "column": offset - self._starts[line]}


class Located(NamedTuple):
    """A theorem found in its source file."""

    file: Path
    document: Document
    decl: TheoremDecl
    statement: Span
    proof: Span


class Checkouts:
    """Folders with the projects' sources: CoqStoq's own (``test-repos/``), or one that holds projects."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._last: tuple[Path, Document, Lines] | None = None

    def project(self, project: CoqStoqProject) -> Path | None:
        """Folder of a project; ``None``: it is not there."""
        for place in (
            self.folder / project.split.dir_name / project.dir_name,
            self.folder / project.dir_name,
        ):
            if place.is_dir():
                return place
        return None

    def locate(self, theorem: CoqStoqTheorem) -> Located | str:
        """The theorem in its file; or why it cannot be found there."""
        root = self.project(theorem.project)
        if root is None:
            name = theorem.project.dir_name
            return (
                f"there is no project {name} under {self.folder} (nor under {theorem.project.split.dir_name})"
            )
        file = root / theorem.path
        if not file.resolve().is_relative_to(root.resolve()) or not file.is_file():
            return f"there is no file {theorem.path} in {root}"
        try:
            document, lines = self._read(file)
        except DataError as error:
            return str(error)
        start = lines.offset(theorem.theorem_start_pos)
        decls = [d for d in document.theorems if d.statement.start == start]
        decls = decls or [d for d in document.theorems if d.line == theorem.theorem_start_pos.line + 1]
        if len(decls) != 1:
            line = document.text[start : start + _SHOWN].partition("\n")[0]
            return (
                f"no theorem begins at line {theorem.theorem_start_pos.line}, column "
                f"{theorem.theorem_start_pos.column} (from 0) of {file}, where the text is {line!r}; is it "
                f"the commit {theorem.project.commit_hash or 'that the list was made from'}?"
            )
        proof = Span(lines.offset(theorem.proof_start_pos), lines.offset(theorem.proof_end_pos))
        return Located(file, document, decls[0], decls[0].statement, decls[0].proof or proof)

    def _read(self, file: Path) -> tuple[Document, Lines]:
        if self._last is None or self._last[0] != file:
            text = read_source(file)
            self._last = (file, parse_document(text), Lines(text))
        return self._last[1:]
