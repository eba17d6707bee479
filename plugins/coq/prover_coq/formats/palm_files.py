"""The files of PALM: projects as lists of sentences, their options, and the ids of evaluated theorems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from prover_core.data.lines import Problems, validation_reason
from prover_core.data.rows import read_json_document

__all__ = ["INDEX_FILES", "PalmFile", "PalmIndex", "PalmTheorem", "find_data", "project_of", "read_palm_file"]

INDEX_FILES = ("path.json", "intersection.json", "StructTact.json")
_PATHS = "path.json"
_IDS = "intersection.json"
_MIN_PARTS = 2


class _Strict(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class PalmTheorem(_Strict):
    """``code[begin]`` is the statement, ``code[begin + 1 : end + 1]`` its proof."""

    name: str
    kind: str
    begin: int
    end: int


class _Code(_Strict):
    code: list[str]
    theorems: list[Any]


def _first_two(value: object) -> object:
    return [value, ""] if isinstance(value, str) else value


_PATH_JSON = TypeAdapter(dict[str, Annotated[list[str], BeforeValidator(_first_two)]])
_IDS_JSON = TypeAdapter(dict[str, list[str]])


class PalmFile:
    """One project file: sentences, and the theorems whose indices are in range."""

    def __init__(self, code: list[str], theorems: list[PalmTheorem], extra: dict[str, Any]) -> None:
        self.code = code
        self.theorems = theorems
        self.extra = extra
        """Other keys of the file."""


class PalmIndex:
    """``path.json`` and ``intersection.json`` of a data folder; empty where there is none."""

    def __init__(self, folder: Path, problems: Problems) -> None:
        self.folder = folder
        self.options: dict[str, str] = {}
        self.switches: dict[str, str] = {}
        self.ids: dict[str, list[str]] = {}
        if (folder / _PATHS).is_file():
            for project, (options, *rest) in _read(folder / _PATHS, _PATH_JSON, problems).items():
                self.options[project] = options
                self.switches[project] = rest[0] if rest else ""
        if (folder / _IDS).is_file():
            self.ids = _read(folder / _IDS, _IDS_JSON, problems)

    @property
    def count(self) -> int:
        """Number of theorem ids."""
        return sum(map(len, self.ids.values()))


def find_data(path: Path) -> Path | None:
    """The data folder that ``path`` is, holds as ``data``, or lies in; ``None``: of none."""
    for folder in (path, path / "data", *path.parents[:16]):
        if (folder / _PATHS).is_file() or (folder / _IDS).is_file():
            return folder
    return None


def project_of(data: Path, file: Path) -> tuple[str, str]:
    """(project, source file) of a JSON file in a data folder: ``("verdi", "core/Net.v")``."""
    parts = file.relative_to(data).with_suffix(".v").parts
    if len(parts) < _MIN_PARTS:
        return "", parts[-1]
    return parts[0], "/".join(parts[1:])


def read_palm_file(path: Path, problems: Problems) -> PalmFile | None:
    """A project file; ``None``: it is none, and that is reported. So are theorems out of range.

    :raises DataError: it cannot be read; or something is malformed and reading is not lenient.
    """
    data = read_json_document(path, problems)
    if data is None:
        return None
    try:
        content = _Code.model_validate(data)
    except ValidationError as error:
        problems.report(path, None, f"not a PALM project file: {validation_reason(error)}")
        return None
    theorems = []
    for number, raw in enumerate(content.theorems):
        try:
            theorem = PalmTheorem.model_validate(raw)
        except ValidationError as error:
            problems.report(path, None, f"theorems[{number}] is none: {validation_reason(error)}")
            continue
        if not 0 <= theorem.begin <= theorem.end < len(content.code):
            problems.report(
                path,
                None,
                f"theorems[{number}] ({theorem.name}) stands at {theorem.begin} to {theorem.end}, and the "
                f"code has {len(content.code)} sentences",
            )
            continue
        theorems.append(theorem)
    return PalmFile(content.code, theorems, content.model_extra or {})


def _read(path: Path, model: TypeAdapter[dict[str, list[str]]], problems: Problems) -> dict[str, list[str]]:
    data = read_json_document(path, problems)
    if data is None:
        return {}
    try:
        return model.validate_python(data, strict=True)
    except ValidationError as error:
        problems.report(path, None, f"not PALM's {path.name}: {validation_reason(error)}")
        return {}
