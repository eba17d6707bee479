"""A repository's history: which contents each source file ever had, and since when.

One walk over all commits, ancestors first, merges compared with all their parents at once. A content (blob)
dates from the earliest commit that has it, on whatever branch; a file, from the earliest commit that has it
under this name or one that it was renamed from. Dates are the committers'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from prover_core.crawl.git import Git, GitError

__all__ = ["Appearance", "History", "iso_date", "read_history", "tree_files"]

_COMMIT = b"\x01"
_REGULAR = (b"100644", b"100755", b"100664")
_NO_BLOB = b"0" * 40


class Appearance(NamedTuple):
    """When something was first there; the smaller, the earlier."""

    time: int
    """Seconds since 1970, UTC."""
    order: int
    """Number of the commit, ancestors first."""
    commit: str


@dataclass(slots=True)
class History:
    """What a walk found."""

    blobs: dict[str, Appearance] = field(default_factory=dict)
    """Blob id -> the earliest commit that has it."""
    files: dict[str, Appearance] = field(default_factory=dict)
    """Path -> the earliest commit that has the file, renames followed."""
    commits: int = 0
    began: int | None = None
    ended: int | None = None

    def by_date(self) -> list[tuple[Appearance, str]]:
        """All blobs, the earliest first."""
        return sorted((appearance, blob) for blob, appearance in self.blobs.items())


def iso_date(seconds: int | None) -> str:
    """ISO 8601, UTC; empty where there is no such date."""
    if seconds is None:
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return ""


def tree_files(git: Git, commit: str, *, sizes: bool = False) -> Iterator[tuple[str, str, int]]:
    """(path, blob, size or 0) of every regular file of a commit.

    :raises GitError: there is no such commit, or far too many files.
    """
    for entry in git.run("ls-tree", "-r", "-z", *(["-l"] if sizes else []), commit).split(b"\0"):
        head, tab, path = entry.partition(b"\t")
        words = head.split()
        if tab and words[0] in _REGULAR:
            size = int(words[3]) if sizes and words[3].isdigit() else 0
            yield path.decode("utf-8", "surrogateescape"), words[2].decode(), size


def read_history(git: Git, commit: str, suffixes: Sequence[str]) -> History:
    """Walk everything that ``commit`` comes from, with regard to the files that end so.

    :raises GitError: git failed.
    """
    history = History()
    count = b"".join(git.stream("rev-list", "--count", commit)).strip()
    history.commits = int(count)
    walk = git.stream(
        "log", "--topo-order", "--reverse", "--full-history", "--raw", "-z", "-M", "-l2000", "-c",
        "--no-abbrev", "--no-ext-diff", "--no-textconv", "--no-show-signature", "--no-notes",
        "--no-color", "--no-mailmap", "--format=%x01%H %ct", commit, "--",
        *(f":(glob)**/*{suffix}" for suffix in suffixes),
    )  # fmt: skip
    now = Appearance(0, 0, "")
    fields = _fields(walk)
    for word in fields:
        if word.startswith(_COMMIT):
            name, _, time = word[1:].partition(b" ")
            now = Appearance(_number(time), now.order + 1, name.decode())
        elif word.startswith(b":"):
            _take(history, word, fields, now)
    _ends(history, git, commit)
    return history


def _take(history: History, word: bytes, fields: Iterator[bytes], now: Appearance) -> None:
    """One line of ``--raw``; a merge's begins with one colon for each parent."""
    parents = len(word) - len(word.lstrip(b":"))
    words = word[parents:].split()
    mode, blob, status = words[parents], words[2 * parents + 1], words[-1]
    path = next(fields)
    old = path
    if parents == 1 and status[:1] in b"RC":
        path = next(fields)
    if blob == _NO_BLOB or mode not in _REGULAR:
        return
    key, name = path.decode("utf-8", "surrogateescape"), blob.decode()
    history.blobs[name] = min(history.blobs.get(name, now), now)
    since = history.files.get(key, now)
    if path is not old:
        since = min(since, history.files.get(old.decode("utf-8", "surrogateescape"), now))
    history.files[key] = min(since, now)


def _ends(history: History, git: Git, commit: str) -> None:
    roots = git.run("log", "--max-parents=0", "--format=%ct", commit, "--").split()
    history.began = min(map(_number, roots), default=None)
    history.ended = _number(git.run("log", "-1", "--format=%ct", commit, "--"))


def _fields(stream: Iterable[bytes]) -> Iterator[bytes]:
    """What stands between NULs; line ends that git puts in are left out."""
    rest = b""
    for data in stream:
        *whole, rest = (rest + data).split(b"\0")
        for word in whole:
            yield from _parts(word)
    yield from _parts(rest)


def _parts(word: bytes) -> Iterator[bytes]:
    stripped = word.lstrip(b"\n") if word.startswith((b"\n:", b"\n\x01", b"\n\n")) else word
    if stripped.startswith(_COMMIT) and b"\n" in stripped:
        head, _, tail = stripped.partition(b"\n")
        yield head
        yield from _parts(tail.lstrip(b"\n"))
    elif stripped:
        yield stripped


def _number(text: bytes) -> int:
    try:
        return int(text)
    except ValueError as error:
        msg = f"a commit has no date that can be read: {text[:40]!r}"
        raise GitError(msg) from error
