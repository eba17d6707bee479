"""Records as lines of JSON: bounded reading, exact errors, compact writing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import pydantic_core
from pydantic import BaseModel, ValidationError

from prover_core.contracts.extraction import ReadProblem
from prover_core.data.files import disk_error
from prover_core.errors import DataError
from prover_core.records import SCHEMA_VERSION, DeclarationRecord, FailureRecord, ProofRecord

__all__ = [
    "MAX_LINE_BYTES",
    "Line",
    "Problems",
    "dump_line",
    "parse_json",
    "read_lines",
    "read_records",
    "validation_reason",
]

MAX_LINE_BYTES = 64 * 1024 * 1024
"""Longest line that is read into memory; the longest proof record of Coq's library has about 3 MB."""

_SKIP = 1 << 20
_Record = TypeVar("_Record", ProofRecord, DeclarationRecord, FailureRecord)


class Line(NamedTuple):
    """One line of a file, without its newline; ``problem``: why it has no content."""

    number: int
    data: bytes
    problem: str = ""


class Problems:
    """What a reader does about a malformed row: an error that names the place, or a note and on."""

    def __init__(self, lenient: bool = False, into: list[ReadProblem] | None = None) -> None:
        self.lenient = lenient
        self._into = into

    def report(self, file: Path, line: int | None, reason: str) -> None:
        """Note the row as skipped.

        :raises DataError: reading is not lenient.
        """
        if not self.lenient:
            where = f"{file}:{line}" if line is not None else f"{file}"
            msg = f"{where}: {reason}.\nWith --lenient, rows that cannot be read are counted and skipped."
            raise DataError(msg)
        if self._into is not None:
            self._into.append(ReadProblem(file, line, reason))


def read_lines(path: Path, *, limit: int = MAX_LINE_BYTES) -> Iterator[Line]:
    """The lines of a file that are not blank; one longer than ``limit`` bytes is passed over unread.

    :raises DataError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            number = 0
            while chunk := file.readline(limit + 1):
                number += 1
                if len(chunk) > limit and not chunk.endswith(b"\n"):
                    yield Line(number, b"", f"a line of more than {limit:,} bytes is no record")
                    _skip_line(file)
                elif content := chunk.strip(b"\r\n\t "):
                    yield Line(number, content)
    except OSError as error:
        raise disk_error(path, error) from error


def parse_json(data: bytes) -> tuple[Any, str]:
    """(value, ``""``) of one JSON text in UTF-8, or (``None``, why it is none)."""
    try:
        return pydantic_core.from_json(data, allow_inf_nan=False), ""
    except ValueError as error:
        return None, f"not a JSON text: {error}{_utf8_problem(data)}"


def read_records(
    path: Path, model: type[_Record], problems: Problems, *, limit: int = MAX_LINE_BYTES
) -> Iterator[_Record]:
    """The records of a JSONL file, one at a time."""
    for line in read_lines(path, limit=limit):
        if line.problem:
            problems.report(path, line.number, line.problem)
            continue
        try:
            record = model.model_validate_json(line.data)
        except ValidationError as error:
            problems.report(path, line.number, _record_reason(line.data, error))
            continue
        if record.schema_version > SCHEMA_VERSION:
            problems.report(path, line.number, _newer(record.schema_version))
            continue
        yield record


def dump_line(record: ProofRecord | DeclarationRecord | FailureRecord) -> bytes:
    """The record as one line of JSON, newline included; defaults are left out, but never the version.

    :raises DataError: a text in it holds half a surrogate pair, which no UTF-8 file can hold.
    """
    try:
        text = record.model_dump_json(exclude_defaults=True)
    except pydantic_core.PydanticSerializationError as error:
        msg = f"record {_name(record)!r} cannot be written as UTF-8: {error}"
        raise DataError(msg) from error
    if record.schema_version == SCHEMA_VERSION:
        text = f'{{"schema_version":{SCHEMA_VERSION},{text[1:]}'
    return text.encode() + b"\n"


def validation_reason(error: ValidationError) -> str:
    """The first mistake that pydantic found, in one line, and how many more there are."""
    mistakes = error.errors(include_url=False, include_input=False, include_context=False)
    first = mistakes[0]
    place = ".".join(str(part) for part in first["loc"])
    text = f"{place}: {first['msg']}" if place else first["msg"]
    return f"{text} (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else text


def _record_reason(data: bytes, error: ValidationError) -> str:
    value, problem = parse_json(data)
    if problem:
        return problem
    version = value.get("schema_version") if isinstance(value, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        return _newer(version)
    return f"not a record: {validation_reason(error)}"


def _newer(version: int) -> str:
    return (
        f"the record has schema version {version}, and this Polyprover reads up to {SCHEMA_VERSION}: "
        "update it"
    )


def _utf8_problem(data: bytes) -> str:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f" (bad UTF-8 at byte {error.start} of the line)"
    return ""


def _name(record: BaseModel) -> str:
    for field in ("id", "name", "file"):
        if value := getattr(record, field, ""):
            return str(value)
    return "?"


def _skip_line(file: BinaryIO) -> None:
    while (chunk := file.readline(_SKIP)) and not chunk.endswith(b"\n"):
        pass
