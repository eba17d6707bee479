"""``FILE:NAME``: finding a theorem in a person's own file, and the environment that reads such files."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prover_core.contracts import ProofEnvironment
from prover_core.errors import DataError, UnknownNameError, UserError
from prover_core.plugins.manager import PluginManager
from prover_core.types import Theorem
from prover_registry import near_names

__all__ = ["Target", "environment_for", "find_theorem", "parse_target", "unfinished"]

_SHOWN = 40
_UNFINISHED = frozenset({"", "Abort", "Admitted", "sorry"})


@dataclass(frozen=True, slots=True)
class Target:
    """A file, and the name of a theorem in it; no name: the person gave none."""

    file: Path
    name: str = ""


def parse_target(text: str) -> Target:
    """Read ``FILE`` or ``FILE:NAME``.

    :raises DataError: there is no such file.
    """
    file, colon, name = text.rpartition(":")
    target = Target(Path(text)) if Path(text).exists() or not colon else Target(Path(file), name)
    if not target.file.is_file():
        what = "is a folder" if target.file.is_dir() else "does not exist"
        msg = f"{target.file} {what}; give a source file, or FILE:NAME for one of its theorems"
        raise DataError(msg)
    return target


def environment_for(file: Path, manager: PluginManager) -> str:
    """Name of the environment that reads files with this suffix.

    :raises UnknownNameError: none does, or several do.
    """
    suffixes: dict[str, tuple[str, ...]] = {}
    for entry in manager.environments:
        with contextlib.suppress(UserError):  # one that cannot be loaded reads nothing
            suffixes[entry.name] = manager.environments.get(entry.name).file_suffixes
    found = [name for name, known in suffixes.items() if file.suffix in known]
    if len(found) == 1:
        return found[0]
    if found:
        msg = f"{', '.join(found)} all read {file.suffix} files; say which with --env"
        raise UnknownNameError(msg)
    readable = ", ".join(f"*{suffix} ({name})" for name, known in suffixes.items() for suffix in known)
    msg = f"no installed prover reads {file.name}; files that can be read: {readable or 'none'}"
    raise UnknownNameError(msg)


def find_theorem(target: Target, environment: ProofEnvironment) -> Theorem:
    """The theorem that ``target`` names: by name, by the end of a qualified name, or by line number.

    Without a name: the only theorem of the file, else its first unfinished one.

    :raises DataError: the file holds no theorem, or several and none was named.
    :raises UnknownNameError: the file has no such theorem; near names are listed.
    """
    theorems = environment.theorems_in(target.file)
    if not theorems:
        msg = f"{target.file} holds no theorem"
        raise DataError(msg)
    if target.name:
        return _named(target, theorems)
    if len(theorems) == 1:
        return theorems[0]
    open_ones = [theorem for theorem in theorems if unfinished(theorem)]
    if open_ones:
        return open_ones[0]
    msg = f"{target.file} holds {len(theorems)} theorems; say which one: {target.file}:NAME"
    msg += f"\n{_listed(theorems)}"
    raise DataError(msg)


def unfinished(theorem: Theorem) -> bool:
    """The file leaves the theorem unproved; its environment says so in ``metadata``.

    Either as ``unfinished: true``, or by the word that ends the proof in the file (``terminator``).
    """
    facts = theorem.metadata
    return facts.get("unfinished") == "true" or facts.get("terminator", "Qed") in _UNFINISHED


def _named(target: Target, theorems: Sequence[Theorem]) -> Theorem:
    name = target.name
    found = [t for t in theorems if name in (t.name, t.id)]
    found = found or [t for t in theorems if t.name.endswith(f".{name}")]
    if not found and name.isdigit():
        found = [t for t in theorems if int(t.metadata.get("line", 0)) <= int(name)][-1:]
    if len(found) > 1:
        lines = ", ".join(t.metadata.get("line", "?") for t in found)
        msg = f"{target.file} has {len(found)} theorems {name!r}, on lines {lines}"
        msg += f"; say which by its line: {target.file}:LINE"
        raise UnknownNameError(msg)
    if found:
        return found[0]
    near = near_names(name, [t.name for t in theorems])
    did_you_mean = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    msg = f"{target.file} has no theorem {name!r}.{did_you_mean}\nit holds:\n{_listed(theorems)}"
    raise UnknownNameError(msg)


def _listed(theorems: Sequence[Theorem]) -> str:
    lines = [
        f"  {theorem.name}" + (f"  (line {theorem.metadata['line']})" if "line" in theorem.metadata else "")
        for theorem in theorems[:_SHOWN]
    ]
    if len(theorems) > _SHOWN:
        lines.append(f"  and {len(theorems) - _SHOWN} more")
    return "\n".join(lines)
