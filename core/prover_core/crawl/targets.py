"""Which repositories: manifests, and the entries in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prover_core.data.files import disk_error
from prover_core.data.lines import parse_json
from prover_core.errors import ConfigError, DataError

__all__ = ["Target", "parse_entry", "read_manifest", "unique_targets"]

_GITHUB = "https://github.com"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]+")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./+-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SCHEMES = {"https": "https", "http": "http:https", "file": "file"}
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Target:
    """A repository that is to be cloned."""

    name: str
    """``owner/name``, or the URL."""
    url: str
    commit: str = ""
    """40 hexadecimal digits, a branch or a tag; empty: the default branch."""
    folder: str = ""
    """Name of its folder, unique among targets: ``owner__name``."""
    licence: str = ""
    """As the API has it; empty: not known yet."""
    size_mb: float = 0.0
    created_at: str = ""

    @property
    def protocols(self) -> str:
        """What git may use to get it."""
        return _SCHEMES[urlsplit(self.url).scheme]

    @property
    def exact(self) -> bool:
        """Whether ``commit`` is a commit's full id, and not the name of something that moves."""
        return _COMMIT.fullmatch(self.commit) is not None


def read_manifest(path: Path, git_base: str = _GITHUB) -> list[Target]:
    """The targets of a manifest.

    JSON: ``{"owner/name": "commit", ...}`` or a list of entries; else a text of one entry a line, ``#``
    begins a comment. An entry: ``owner/name``, a URL (https, http, file) or a local path, each with
    ``@commit`` or without.

    :raises DataError: it cannot be read; the message names the line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise disk_error(path, error) from error
    if data.lstrip()[:1] in (b"{", b"["):
        value, problem = parse_json(data)
        if problem:
            msg = f"{path} begins like JSON, and is {problem}"
            raise DataError(msg)
        return unique_targets(_from_json(value, path, git_base))
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 (byte {error.start})"
        raise DataError(msg) from error
    targets = []
    for number, line in enumerate(lines, 1):
        entry = re.sub(r"(^|\s)#.*", "", line).strip()
        if entry:
            targets.append(_parsed(entry, "", f"{path}:{number}", git_base))
    return unique_targets(targets)


def unique_targets(targets: Iterable[Target]) -> list[Target]:
    """Each repository once; the first entry counts. (GitHub does not tell case apart.)"""
    found: dict[str, Target] = {}
    for target in targets:
        found.setdefault(target.folder.lower(), target)
    return list(found.values())


def parse_entry(entry: str, commit: str = "", git_base: str = _GITHUB) -> Target:
    """One entry; ``commit`` where it does not stand in the entry.

    :raises ConfigError: it is none.
    """
    place, at, ref = entry.rpartition("@")
    path = urlsplit(place).path if "://" in place else place
    if commit or not at or "/" not in path or not _REF.fullmatch(ref):
        place, ref = entry, commit  # that @ belongs to the place
    if ref and not _REF.fullmatch(ref):
        raise ConfigError([f"{ref!r} names no commit, branch or tag"])
    if "://" in place:
        return _of_url(place, ref, git_base)
    if place.startswith(("/", "./", "../", "~")):
        local = Path(place).expanduser().resolve()
        return Target(str(local), f"file://{local}", ref, _folder(local.name, str(local)))
    if not _NAME.fullmatch(place) or place.endswith(("/.", "/..")):
        problem = f"{entry!r} is no repository: give owner/name, a URL, or a path that begins with / or ./"
        raise ConfigError([problem])
    url = f"{git_base.rstrip('/')}/{place}"
    if urlsplit(url).scheme not in _SCHEMES:
        raise ConfigError([f"{git_base!r} is no base of URLs (https://, http:// or file://)"])
    return Target(place, url, ref, place.replace("/", "__"))


def _of_url(url: str, ref: str, git_base: str) -> Target:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ConfigError([f"{url!r}: repositories are fetched by https, http or from files only"])
    if parts.username is not None or parts.password is not None:
        raise ConfigError([f"a URL of {parts.hostname} holds credentials; take them out of it"])
    base = git_base.rstrip("/") + "/"
    name = url.removeprefix(base).removesuffix("/").removesuffix(".git")
    if url.startswith(base) and _NAME.fullmatch(name):
        return Target(name, url, ref, name.replace("/", "__"))
    return Target(url, url, ref, _folder(parts.path.rstrip("/").rpartition("/")[2], url))


def _folder(name: str, key: str) -> str:
    stem = _UNSAFE.sub("_", name.removesuffix(".git")).lstrip(".-") or "repository"
    return f"{stem}--{hashlib.blake2b(key.encode(), digest_size=4).hexdigest()}"


def _from_json(value: Any, path: Path, git_base: str) -> list[Target]:
    entries: list[tuple[Any, Any]]
    if isinstance(value, dict):
        entries = list(value.items())
    else:
        entries = [
            (item.get("repo") or item.get("name"), item.get("commit"))
            if isinstance(item, dict)
            else (item, "")
            for item in value
        ]
    targets = []
    for number, (name, commit) in enumerate(entries, 1):
        if not isinstance(name, str) or not isinstance(commit, str | None):
            msg = f'{path}, entry {number}: expected "owner/name": "commit", found {name!r}: {commit!r}'
            raise DataError(msg)
        targets.append(_parsed(name, commit or "", f"{path}, entry {number}", git_base))
    return targets


def _parsed(entry: str, commit: str, where: str, git_base: str) -> Target:
    try:
        return parse_entry(entry, commit, git_base)
    except ConfigError as error:
        msg = f"{where}: {error}"
        raise DataError(msg) from error
