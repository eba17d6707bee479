"""What a file or folder holds, as one hash: how a stage knows whether what it rests on has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prover_core.errors import DataError

__all__ = ["MISSING", "content_hash"]

MISSING: Final = "missing"
"""In place of a hash, where there is nothing."""

_KINDS: Final = (
    ("results.jsonl", ("results.jsonl", "trajectories/*.parquet", "trajectories/*.journal")),
    ("result.json", ("result.json",)),
    ("adapter_config.json", ("adapter_*.json", "adapter_*.safetensors", "prover_lm.json", "tokenizer*")),
    ("manifest.json", ("parts.json", "proofs/*.jsonl")),
    ("value.json", ("value.json", "*.npz", "*.safetensors")),
)
"""A file that tells what a folder is, and what in it counts: not logs, locks, reports, checkpoints."""
_CHUNK: Final = 1 << 20

_known: dict[tuple[str, int, int], str] = {}
"""Path, size and time of change -> hash: a dataset of gigabytes is read once in a process."""


def content_hash(path: Path) -> str:
    """Of the file, or of what counts in the folder; :data:`MISSING` where there is nothing.

    :raises DataError: it cannot be read.
    """
    if path.is_file():
        return _file_hash(path)
    if not path.is_dir():
        return MISSING
    listed = [(file.relative_to(path).as_posix(), _file_hash(file)) for file in _files(path)]
    return hashlib.blake2b(json.dumps(listed).encode(), digest_size=16).hexdigest()


def _files(folder: Path) -> list[Path]:
    for mark, patterns in _KINDS:
        if (folder / mark).exists():
            found = {file for pattern in patterns for file in folder.glob(pattern)}
            return sorted(_real(found))
    return sorted(_real(folder.rglob("*")))


def _real(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if file.is_file() and not file.name.startswith(".")]


def _file_hash(path: Path) -> str:
    try:
        told = path.stat()
        key = (str(path.absolute()), told.st_size, told.st_mtime_ns)
        if key not in _known:
            digest = hashlib.blake2b(digest_size=16)
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
            _known[key] = digest.hexdigest()
    except OSError as error:
        message = f"cannot read {path}, which a stage rests on: {error.strerror or error}"
        raise DataError(message) from error
    return _known[key]
