"""Where a run's numbers come from: toolchain, versions, data, machine. No secrets."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from prover_core._version import __version__
from prover_core.store.records import SCHEMA_VERSION, utc_now, writable_text
from prover_core.types import Theorem, Toolchain

__all__ = ["Provenance", "collect_provenance", "data_hash", "provenance_schema", "redact"]

_SECRET = re.compile(r"token(?!s)|secret|passw|credential|api[_-]?key|auth(?!or)", re.IGNORECASE)
_HIDDEN = "(hidden)"


class ToolchainRecord(BaseModel):
    """:class:`prover_core.types.Toolchain`, as it is written to disk."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    prover: str
    version: str
    backend: str = ""
    paths: dict[str, str] = Field(default_factory=dict)
    libraries: dict[str, str] = Field(default_factory=dict)


class Provenance(BaseModel):
    """``provenance.json``: one for a run, made when it begins."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: int = SCHEMA_VERSION
    polyprover: str = __version__
    created_at: str = Field(default_factory=utc_now, description="ISO 8601, UTC.")
    toolchain: ToolchainRecord | None = None
    plugins: dict[str, str] = Field(default_factory=dict, description="Distribution -> version.")
    model: str = Field(default="", description="Policy, with its revision where it has one.")
    theorems: int = 0
    data_hash: str = Field(default="", description="Over ids and statements, in order.")
    seed: int = 0
    argv: tuple[str, ...] = Field(default=(), description="The command, with values that look secret hidden.")
    environment: dict[str, str] = Field(
        default_factory=dict, description="PROVER_* variables, secrets hidden."
    )
    python: str = Field(default_factory=lambda: platform.python_version())
    platform: str = Field(default_factory=lambda: platform.platform())
    cpus: int = Field(default_factory=lambda: len(os.sched_getaffinity(0)))
    memory_mb: int = Field(default_factory=lambda: _memory_mb())

    def differences(self, other: Provenance) -> list[str]:
        """What a resumed run must not change without a word: toolchain, data, versions, model, seed."""
        return [
            f"{name}: was {_short(old)}, now {_short(new)}"
            for name in ("toolchain", "polyprover", "plugins", "model", "theorems", "data_hash", "seed")
            if (old := getattr(self, name)) != (new := getattr(other, name))
        ]


def collect_provenance(
    *,
    toolchain: Toolchain | None = None,
    theorems: Iterable[Theorem] = (),
    plugins: Mapping[str, str] | None = None,
    model: str = "",
    seed: int = 0,
    argv: Sequence[str] | None = None,
) -> Provenance:
    """Provenance of a run that is about to begin, on this machine, now."""
    digest, count = _hash_and_count(theorems)
    return Provenance(
        toolchain=None if toolchain is None else ToolchainRecord.model_validate(_fields(toolchain)),
        plugins=dict(plugins or {}),
        model=model,
        theorems=count,
        data_hash=digest,
        seed=seed,
        argv=tuple(map(writable_text, redact(sys.argv if argv is None else argv))),
        environment={
            name: _HIDDEN if _SECRET.search(name) else writable_text(value)
            for name, value in sorted(os.environ.items())
            if name.startswith("PROVER_")
        },
    )


def data_hash(theorems: Iterable[Theorem]) -> str:
    """A hash over ids and statements, in order: equal if and only if the run attempts the same theorems."""
    return _hash_and_count(theorems)[0]


def _hash_and_count(theorems: Iterable[Theorem]) -> tuple[str, int]:
    """In one pass: a source of a million theorems is not held in memory for this."""
    digest = hashlib.sha256()
    count = 0
    for theorem in theorems:
        count += 1
        for text in (theorem.id, theorem.statement):
            raw = text.encode(errors="surrogatepass")
            digest.update(len(raw).to_bytes(8, "little"))
            digest.update(raw)
    return digest.hexdigest(), count


def redact(argv: Sequence[str]) -> tuple[str, ...]:
    """The command line with the value of every option hidden whose name looks secret."""
    shown: list[str] = []
    hide_next = False
    for word in argv:
        if hide_next and not word.startswith("-"):
            shown.append(_HIDDEN if "=" not in word else _redact_pair(word))
            hide_next = False
            continue
        hide_next = word.startswith("-") and "=" not in word and _SECRET.search(word) is not None
        shown.append(_redact_pair(word))
    return tuple(shown)


def provenance_schema() -> Mapping[str, Any]:
    """JSON schema of ``provenance.json``."""
    return Provenance.model_json_schema()


def _redact_pair(word: str) -> str:
    name, equals, _ = word.partition("=")
    return f"{name}={_HIDDEN}" if equals and _SECRET.search(name) else word


def _fields(toolchain: Toolchain) -> dict[str, Any]:
    return {
        "prover": toolchain.prover,
        "version": toolchain.version,
        "backend": toolchain.backend,
        "paths": dict(toolchain.paths),
        "libraries": dict(toolchain.libraries),
    }


def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else text[:117] + "..."
