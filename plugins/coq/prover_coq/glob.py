"""Reading ``.glob`` files: what ``coqc`` notes about every name in a source file that it compiles.

A definition line says where something is declared, a reference line where a name stands and what it means.
Only what is *written* is there: ``auto with arith`` uses lemmas that no line mentions.

Offsets in the file are bytes, the last one included; here they are characters of the source text, half open.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from prover_core.errors import DataError

__all__ = ["Glob", "GlobDefinition", "GlobReference", "Qualifier", "parse_glob", "read_glob"]

_NOWHERE = "<>"
_BOM = b"\xef\xbb\xbf"
_LINE = re.compile(
    rb"R(?P<start>\d+):(?P<end>\d+) (?P<file>\S+) (?P<path>\S+) (?P<ident>\S+) (?P<kind>\S+)"
    rb"|(?P<def_kind>[a-z]\w*) +(?P<def_start>\d+):(?P<def_end>\d+) (?P<def_path>\S+) (?P<def_ident>\S+)"
    rb"|DIGEST (?P<digest>\S+)"
    rb"|F(?P<module>\S+)"
)
_LOCAL = re.compile(r":\d+\Z")
_CONTINUATION = re.compile(rb"[\x80-\xbf]")
_UNNAMED = frozenset({"lib", "mod", "modtype", "sec", "binder", "not"})


@dataclass(frozen=True, slots=True)
class GlobReference:
    """A name in the source text, and what it means."""

    start: int
    end: int
    module: str
    """Logical name of the file that declares it: ``Coq.Arith.PeanoNat``."""
    path: str
    """Modules inside that file; ``<>``: none."""
    ident: str
    """Its short name; of a section variable with its sections (``Between.P``); of a notation in Coq's
    own spelling; of a local variable with a number (``k:5``)."""
    kind: str
    """``thm``, ``def``, ``ind``, ``constr``, ``var``, ``not``, ``lib``, ``mod``, ..."""

    @property
    def local(self) -> bool:
        """It names a variable bound in the same sentence."""
        return self.kind == "binder" or (self.kind == "var" and _LOCAL.search(self.ident) is not None)

    @property
    def named(self) -> bool:
        """It names something that a proof can use by this name: no notation, no module, no bound variable."""
        return self.kind not in _UNNAMED and not self.local

    @property
    def name(self) -> str:
        """Fully qualified: ``Coq.Arith.PeanoNat.Nat.add_comm``."""
        ident = self.ident if self.kind == "not" else _LOCAL.sub("", self.ident)
        return ".".join(part for part in (self.module, self.path, ident) if part != _NOWHERE)


@dataclass(frozen=True, slots=True)
class GlobDefinition:
    """A declaration in the source text."""

    start: int
    end: int
    path: str
    """Modules and sections around it; ``<>``: none."""
    ident: str
    kind: str
    """``prf``, ``def``, ``ind``, ``constr``, ``ax``, ``inst``, ``not``, ``binder``, ``sec``, ..."""


@dataclass(frozen=True, slots=True)
class Glob:
    """What a ``.glob`` file says."""

    digest: str
    """MD5 of the source file, in hexadecimal; ``NO`` or empty: unknown."""
    module: str
    """Logical name of the file."""
    references: tuple[GlobReference, ...]
    """In the order of the file, which is nearly that of the text."""
    definitions: tuple[GlobDefinition, ...]

    def qualifier(self, text: str) -> Qualifier:
        """Makes full names; ``text`` is the source file's."""
        return Qualifier(self, text)


class Qualifier:
    """Full names of what one file declares and refers to: modules kept, sections left out."""

    def __init__(self, glob: Glob, text: str) -> None:
        self._module = glob.module
        self._text = text
        self._sections = {_join(d.path, d.ident) for d in glob.definitions if d.kind == "sec"}
        self._modules = [
            d.path if d.ident == _NOWHERE else _join(d.path, d.ident)
            for d in glob.definitions
            if d.kind in ("mod", "modtype")
        ]
        self._by_ident: dict[str, list[tuple[int, str]]] = {}
        self._names: set[str] = set()
        for definition in glob.definitions:
            if definition.kind not in _UNNAMED:
                name = self.definition(definition)
                self._names.add(name)
                self._by_ident.setdefault(definition.ident, []).append((definition.start, name))

    def definition(self, definition: GlobDefinition) -> str:
        """The name under which the rest of the world knows it.

        A section variable keeps its sections: outside them it does not exist.
        """
        if definition.kind in ("var", "sec"):
            return _join(self._module, definition.path, definition.ident)
        kept, sofar = [self._module], ""
        for part in definition.path.split("."):
            sofar = _join(sofar or _NOWHERE, part)
            if sofar not in self._sections:
                kept.append(part)
        return _join(*kept, definition.ident)

    def reference(self, reference: GlobReference) -> str:
        """The full name of what is referred to.

        Coq leaves out the modules of the same file that have been closed by then, as if they were
        sections: after ``End M.`` it notes ``M.x`` as ``x``. They are put back, by what is written.
        """
        name = reference.name
        if reference.module != self._module or reference.kind == "var":
            return name
        written = self._text[reference.start : reference.end]
        if name in self._names and f".{name}".endswith(f".{written}"):
            return name
        base = _join(self._module, reference.path)
        near = [
            full
            for start, full in self._by_ident.get(name.rpartition(".")[2], ())
            if start <= reference.start and full.startswith(f"{base}.")
        ]
        exact = [full for full in near if full.endswith(f".{written}")]
        if exact or (near and name not in self._names and "." not in written):
            return (exact or near)[-1]
        return self._included(name, written)

    def _included(self, name: str, written: str) -> str:
        """For what a module has by ``Include`` or from a functor, which no definition line mentions."""
        prefix, _, short = written.rpartition(".")
        if prefix and not f".{name}".endswith(f".{written}"):
            for path in reversed(self._modules):
                if path == prefix or path.endswith(f".{prefix}"):
                    return _join(self._module, path, short)
        return name


def _join(*parts: str) -> str:
    return ".".join(part for part in parts if part != _NOWHERE)


def read_glob(path: Path, source: bytes) -> Glob | None:
    """The ``.glob`` file ``path`` if it was made from exactly ``source``; else ``None``.

    :raises DataError: it was, but is damaged.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest = hashlib.md5(source, usedforsecurity=False).hexdigest()
    if not data.startswith(b"DIGEST " + digest.encode()):
        return None
    return parse_glob(data, source, where=str(path))


def parse_glob(data: bytes, source: bytes, *, where: str = "the .glob file", torn: bool = False) -> Glob:
    """What ``data``, the content of a ``.glob`` file, says about the file with the content ``source``.

    ``torn``: the compiler may have broken off, so that the last line need not be whole.

    :raises DataError: a line is of no known form; ``where`` and the line's number are in the message.
    """
    offsets = _Offsets(source)
    digest, module = "", ""
    references: list[GlobReference] = []
    definitions: list[GlobDefinition] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            if torn and number == len(lines):
                break
            message = f"{where}, line {number}: not a line of a .glob file: {line[:80]!r}. Compile it again."
            raise DataError(message)
        part = found.lastgroup
        if part == "kind":
            start, end, file, path, ident, kind = found.group(1, 2, 3, 4, 5, 6)
            references.append(
                GlobReference(
                    *offsets.span(start, end), file.decode(), path.decode(), ident.decode(), kind.decode()
                )
            )
        elif part == "def_ident":
            kind, start, end, path, ident = found.group(7, 8, 9, 10, 11)
            definitions.append(
                GlobDefinition(*offsets.span(start, end), path.decode(), ident.decode(), kind.decode())
            )
        elif part == "digest":
            digest = found["digest"].decode()
        else:
            module = found["module"].decode()
    return Glob(digest, module, tuple(references), tuple(definitions))


class _Offsets:
    """Byte offsets to character offsets in the text without its byte-order mark."""

    def __init__(self, source: bytes) -> None:
        self._inner = [] if source.isascii() else [m.start() for m in _CONTINUATION.finditer(source)]
        self._mark = 1 if source.startswith(_BOM) else 0

    def span(self, first: bytes, last: bytes) -> tuple[int, int]:
        start, end = int(first), int(last) + 1
        if not self._inner:
            return start, end
        return (
            max(0, start - bisect_left(self._inner, start) - self._mark),
            max(0, end - bisect_left(self._inner, end) - self._mark),
        )
