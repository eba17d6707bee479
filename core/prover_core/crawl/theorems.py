"""Since when each theorem of a commit is there: the first version of any file that has its statement."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import NamedTuple, Protocol

from prover_core.crawl.git import BlobReader
from prover_core.crawl.history import Appearance, History, iso_date
from prover_core.data.normalise import statement_shape, statement_text, tokenise
from prover_core.errors import ProverError
from prover_core.types import Theorem

__all__ = ["DatedTheorem", "Listed", "StatementReader", "TheoremLister", "dated_theorems"]

_MAX_SOURCE_BYTES = 4 << 20
_CACHED = 50_000
_WORD = re.compile(rb"[^\W\d][\w']*")
_BULLETS = re.compile(r"[-+*]+|[{}]")
_MIN_SENTENCES = 4
"""Shorter proofs are alike by nature; they have no hash."""
_MIN_TOKENS = 6
"""So are statements of fewer tokens."""


class TheoremLister(Protocol):
    """What is needed of a prover's environment: its reader of source files. No prover is started."""

    @property
    def file_suffixes(self) -> tuple[str, ...]: ...

    def theorems_in(self, path: Path, options: Sequence[str] = ()) -> Sequence[Theorem]: ...


class Listed(NamedTuple):
    """A theorem of one version of a file. Hashes: 16 hexadecimal digits."""

    name: str
    """As the file qualifies it, unique in the file: ``Nat.add_comm``."""
    statement: str
    """Hash of the statement, comments, white space, keyword and name left out."""
    shape: str
    """The same with bound names by order of appearance; empty: too short to tell copies by."""
    proof: str
    """Hash of the proof's sentences; empty: no proof, or too short to tell copies by."""

    @property
    def key(self) -> tuple[str, str]:
        """What stays when a theorem is moved to another file or module."""
        return self.name.rpartition(".")[2].partition("#")[0], self.statement


class DatedTheorem(NamedTuple):
    """A theorem of a commit; dates in ISO 8601, UTC, empty where the history is not known."""

    file: str
    theorem: str
    first_seen: str
    """When a theorem of this name with this statement was first there, in whatever file."""
    commit: str
    """Where it was first there."""
    name_first_seen: str
    """When a theorem of this name was first there, with whatever statement."""
    file_first_seen: str
    """Renames followed."""
    statement: str
    shape: str
    proof: str


class StatementReader:
    """Lists the theorems of contents, each content once. For several threads at the same time."""

    def __init__(self, lister: TheoremLister) -> None:
        self._lister = lister
        self._cache: dict[str, tuple[Listed, ...] | None] = {}
        self._lock = threading.Lock()

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files that it reads."""
        return self._lister.file_suffixes

    def read(self, blob: str, suffix: str, load: Callable[[], bytes | None]) -> tuple[Listed, ...] | None:
        """Theorems of the content with this id; ``None``: it cannot be read."""
        with self._lock:
            if blob in self._cache:
                return self._cache[blob]
        data = load()
        found = None if data is None else self._list(data, suffix)
        with self._lock:
            if len(self._cache) >= _CACHED:
                self._cache.pop(next(iter(self._cache)))
            self._cache[blob] = found
        return found

    def _list(self, data: bytes, suffix: str) -> tuple[Listed, ...] | None:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return None
        # A plugin reads files, not texts, and what it finds above a file (a project's settings) is not
        # the repository's: an empty folder of its own has nothing above it.
        with TemporaryDirectory(prefix="crawl-") as folder:
            path = Path(folder) / f"source{suffix}"
            path.write_bytes(data)
            try:
                theorems = self._lister.theorems_in(path)
            except ProverError:
                return None
            except (RecursionError, ValueError):  # a reader that is lost in a strange file stops no crawl
                return None
        return tuple(_listed(theorem, text) for theorem in theorems)


def dated_theorems(
    reader: StatementReader,
    blobs: BlobReader,
    sources: Sequence[tuple[str, str]],
    history: History | None,
    unreadable: set[str],
) -> Iterator[DatedTheorem]:
    """The theorems of a commit's source files (path, blob), with their dates; ``history`` ``None``: without.

    Versions are read from the earliest on, only those with a name in them that is still to be dated. Blobs
    that cannot be read are put into ``unreadable``.
    """

    def listed(blob: str, suffix: str, data: bytes | None = None) -> tuple[Listed, ...]:
        found = reader.read(blob, suffix, lambda: data or blobs.read(blob, _MAX_SOURCE_BYTES))
        if found is None:
            unreadable.add(blob)
        return found or ()

    present = [
        (path, theorem) for path, blob in sources for theorem in listed(blob, PurePosixPath(path).suffix)
    ]
    dates = _Dates({theorem.key for _, theorem in present})
    if history is not None:
        suffix = reader.suffixes[0]
        for appearance, blob in history.by_date():
            if not dates.pending:
                break
            data = blobs.read(blob, _MAX_SOURCE_BYTES)
            if data is not None and dates.may_have(data):
                dates.take(listed(blob, suffix, data), appearance)
    for path, theorem in present:
        first = dates.statements.get(theorem.key)
        named = dates.names.get(theorem.key[0])
        file = None if history is None else history.files.get(path)
        yield DatedTheorem(
            path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
            theorem.name,
            iso_date(first and first.time),
            first.commit if first else "",
            iso_date(named and named.time),
            iso_date(file and file.time),
            *theorem[1:],
        )


class _Dates:
    """Dates of those theorems that are asked for; contents are to be given from the earliest on."""

    def __init__(self, keys: set[tuple[str, str]]) -> None:
        self.statements: dict[tuple[str, str], Appearance] = {}
        self.names: dict[str, Appearance] = {}
        self.pending: dict[bytes, set[tuple[str, str]]] = {}
        for key in keys:
            self.pending.setdefault(key[0].encode(), set()).add(key)

    def may_have(self, data: bytes) -> bool:
        """Whether the content has one of the names that are still to be dated.

        A name that the prover makes up (``Unnamed_thm``, ``f_obligation_1``) stands in no content, so all
        are read while one is pending.
        """
        words = set(_WORD.findall(data))
        return not self.pending.keys().isdisjoint(words) or any(
            b"Unnamed" in name or b"_obligation" in name or b"_instance" in name or not name.isascii()
            for name in self.pending
        )

    def take(self, theorems: Sequence[Listed], appearance: Appearance) -> None:
        for theorem in theorems:
            name = theorem.key[0].encode()
            if name not in self.pending:
                continue
            self.names.setdefault(theorem.key[0], appearance)
            if theorem.key in self.pending[name]:
                self.statements[theorem.key] = appearance
                self.pending[name].discard(theorem.key)
                if not self.pending[name]:
                    del self.pending[name]


def _listed(theorem: Theorem, text: str) -> Listed:
    name = theorem.id.rpartition(":")[2] or theorem.name
    short = name.rpartition(".")[2].partition("#")[0]
    statement = statement_text(theorem.statement, short)
    shape = statement_shape(theorem.statement, short) if statement.count("\x1f") + 1 >= _MIN_TOKENS else ""
    proof = ""
    if theorem.proof_span is not None:
        proof = _proof(text[theorem.proof_span.start : theorem.proof_span.end])
    return Listed(name, _hash(statement), _hash(shape) if shape else "", _hash(proof) if proof else "")


def _proof(text: str) -> str:
    """The proof's tokens; ``Proof.`` and bullets left out. Empty: it is too short."""
    out: list[str] = []
    start = True
    for token in tokenise(text):
        if not (start and _BULLETS.fullmatch(token)):
            out.append(token)
            start = token == "."
    if out[:2] == ["Proof", "."]:
        out = out[2:]
    return "\x1f".join(out) if out.count(".") - 1 >= _MIN_SENTENCES else ""


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
