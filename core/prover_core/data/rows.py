"""Files of JSON rows: one a line, or one list; read in pieces of bounded size, written in a stream."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from prover_core.data.files import disk_error, replacing
from prover_core.data.lines import MAX_LINE_BYTES, Problems, parse_json, read_lines
from prover_core.errors import DataError

__all__ = ["JsonWriter", "Row", "dump_json", "read_json_document", "read_rows", "write_rows"]

_CHUNK = 1 << 20
_BLANK = " \t\r\n"
_NEAR_THE_END = 16
"""A mistake this near to the end of what was read may be a word or a number that is not all there yet."""


class Row(NamedTuple):
    """One JSON object of a file, and the line on which it begins."""

    line: int
    data: dict[str, Any]


def read_rows(path: Path, problems: Problems, *, limit: int = MAX_LINE_BYTES) -> Iterator[Row]:
    """The objects of a file of JSON lines, or of one JSON list, one at a time.

    Never more than about two rows of at most ``limit`` bytes are in memory.

    :raises DataError: the file cannot be read, or is empty; or a row is malformed and reading is not lenient.
    """
    first = _first_byte(path)
    if not first:
        msg = f"{path}: the file is empty; is it the right one, and was it written to its end?"
        raise DataError(msg)
    values = _list_values(path, problems, limit) if first == b"[" else _line_values(path, problems, limit)
    for line, value in values:
        if isinstance(value, dict):
            yield Row(line, value)
        else:
            problems.report(path, line, f"a row must be a JSON object, and this is {_kind(value)}")


def read_json_document(path: Path, problems: Problems, *, limit: int = 16 * MAX_LINE_BYTES) -> Any:
    """The one JSON value of a file; ``None``: malformed, and reported.

    :raises DataError: it cannot be read; or it is malformed and reading is not lenient.
    """
    try:
        size = path.stat().st_size
        if size > limit:
            problems.report(path, None, f"{size:,} bytes are too many for one document (at most {limit:,})")
            return None
        data = path.read_bytes()
    except OSError as error:
        raise disk_error(path, error) from error
    value, problem = parse_json(data)
    if problem:
        line = 1 if not data.strip() else _line_of(data)
        problems.report(path, line, "the file is empty" if not data.strip() else problem)
        return None
    return value


def dump_json(value: Any) -> str:
    """One JSON text on one line, as people read it: no escapes but those that must be."""
    return json.dumps(value, ensure_ascii=False)


class JsonWriter:
    """Writes rows as JSON lines, or as one JSON list."""

    def __init__(self, file: BinaryIO, *, as_list: bool) -> None:
        self._file = file
        self._as_list = as_list
        self.count = 0

    def add(self, row: Any) -> None:
        """Write one row.

        :raises DataError: a text in it holds half a surrogate pair.
        """
        text = dump_json(row)
        if self._as_list:
            text = f"{',' if self.count else '['}\n{text}"
        else:
            text += "\n"
        try:
            self._file.write(text.encode())
        except UnicodeEncodeError as error:
            msg = f"a row cannot be written as UTF-8: {error}"
            raise DataError(msg) from error
        self.count += 1

    def end(self) -> None:
        """Write what must come after the last row."""
        if self._as_list:
            self._file.write(b"\n]\n" if self.count else b"[]\n")


def write_rows(path: Path, rows: Iterable[Any]) -> int:
    """Write rows: a JSON list where the file is called ``*.json``, else JSON lines. Returns their number.

    :raises DataError: it cannot be written; a file that was there before is untouched.
    """
    with replacing(path) as file:
        writer = JsonWriter(file, as_list=path.suffix == ".json")
        for row in rows:
            writer.add(row)
        writer.end()
    return writer.count


def _line_values(path: Path, problems: Problems, limit: int) -> Iterator[tuple[int, Any]]:
    for line in read_lines(path, limit=limit):
        value, problem = (None, line.problem) if line.problem else parse_json(line.data)
        if problem:
            problems.report(path, line.number, problem)
        else:
            yield line.number, value


def _list_values(path: Path, problems: Problems, limit: int) -> Iterator[tuple[int, Any]]:
    try:
        with open(path, "rb") as file:
            yield from _Elements(file, path, problems, limit).read()
    except OSError as error:
        raise disk_error(path, error) from error


class _Elements:
    """Cursor over the elements of a JSON list: a window of text that grows only as one element needs."""

    def __init__(self, file: BinaryIO, path: Path, problems: Problems, limit: int) -> None:
        self._file = file
        self._path = path
        self._problems = problems
        self._limit = limit
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._parse = json.JSONDecoder(parse_constant=_no_constant).raw_decode
        self._text = ""
        self._at = 0
        self._line = 1
        self._ended = False
        self._bytes = 0

    def read(self) -> Iterator[tuple[int, Any]]:
        """(line, element); stops at the first mistake, because what comes after it cannot be told."""
        try:
            self._skip("[")
            if self._peek() == "]":
                self._at += 1
            else:
                yield from self._elements()
            if self._peek():
                self._report("there is more text after the end of the list")
        except _MalformedError as error:
            self._report(str(error))

    def _elements(self) -> Iterator[tuple[int, Any]]:
        while True:
            self._peek()
            line = self._line
            yield line, self._element()
            mark = self._peek()
            if mark not in (",", "]"):
                message = "the list is cut short" if not mark else f"expected ',' or ']', found {mark!r}"
                raise _MalformedError(message)
            self._at += 1
            if mark == "]":
                return

    def _element(self) -> Any:
        while True:
            try:
                value, end = self._parse(self._text, self._at)
            except json.JSONDecodeError as error:
                unfinished = error.msg.startswith("Unterminated string") or (
                    error.pos >= len(self._text) - _NEAR_THE_END
                )
                if self._ended or not unfinished:
                    self._pass(error.pos)
                    message = "the list is cut short" if unfinished else f"not a JSON text: {error.msg}"
                    raise _MalformedError(message) from error
            except (RecursionError, ValueError) as error:
                message = f"not a JSON text that can be read: {error}"
                raise _MalformedError(message) from error
            else:
                self._pass(end)
                return value
            if len(self._text) - self._at > self._limit:
                message = f"an element of more than {self._limit:,} characters is no row"
                raise _MalformedError(message)
            self._more(max(_CHUNK, len(self._text) - self._at))

    def _skip(self, mark: str) -> None:
        if self._peek() != mark:
            message = f"expected {mark!r}"
            raise _MalformedError(message)
        self._at += 1

    def _peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._line += self._text[self._at] == "\n"
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._more(_CHUNK)

    def _pass(self, end: int) -> None:
        self._line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self, size: int) -> None:
        data = self._file.read(size)
        self._ended = not data
        try:
            fresh = self._decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            message = f"bad UTF-8 at byte {self._bytes + error.start} of the file"
            raise _MalformedError(message) from error
        self._bytes += len(data)
        self._text = self._text[self._at :] + fresh
        self._at = 0

    def _report(self, reason: str) -> None:
        self._problems.report(self._path, self._line, reason)


class _MalformedError(Exception):
    """The list ends here, as far as it can be read."""


def _no_constant(name: str) -> Any:
    message = f"{name} is no JSON number"
    raise ValueError(message)


def _first_byte(path: Path) -> bytes:
    """The first byte that is not blank."""
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                if content := chunk.removeprefix(codecs.BOM_UTF8).lstrip():
                    return content[:1]
    except OSError as error:
        raise disk_error(path, error) from error
    return b""


def _line_of(data: bytes) -> int | None:
    """The line of the first mistake in a JSON text."""
    try:
        json.loads(data)
    except json.JSONDecodeError as error:
        return error.lineno
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    except (RecursionError, ValueError):
        return None
    return None


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number"}
    return names.get(type(value), "null")
