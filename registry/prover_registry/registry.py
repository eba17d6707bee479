"""The registry: names, owners, and ``"module:attribute"`` targets that are imported on first use."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from prover_registry.errors import (
    EntryLoadError,
    NameTakenError,
    RegistryFrozenError,
    UnknownEntryError,
    WrongTypeError,
)

__all__ = ["Entry", "Registry", "near_names"]

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TARGET = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<attribute>[^\W\d]\w*(\.[^\W\d]\w*)*)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One name of a registry. Nothing is imported to make, list or show it."""

    name: str
    target: str
    """``"module:attribute"``."""
    owner: str
    """Who registered it, in words for a person: ``plugin 'coq' (polyprover 0.1.0)``."""
    help: str = ""
    """One line, where the registry's users want one."""


class Registry(Generic[T]):
    """Names of one kind of component, each owned by somebody and resolved when it is first asked for.

    ``T`` is what :meth:`get` returns, e.g. ``Registry[type[Engine]]``. Reading is safe from several threads.
    """

    def __init__(
        self,
        kind: str,
        bases: Sequence[str] = (),
        *,
        plural: str = "",
        hint: Callable[[str], str] | None = None,
    ) -> None:
        """Make an empty registry.

        :param kind: what an entry is, in words: ``environment``.
        :param bases: ``"module:Class"`` of the classes that an entry must be a subclass of (of any one of
            them); imported on first use. Empty: an entry may be anything.
        :param plural: ``kind`` in the plural; ``kind`` and an ``s`` if left out.
        :param hint: called with an unknown name; what it returns is added to the message (who would
            provide that name, say).
        """
        self.kind = kind
        self.plural = plural or f"{kind}s"
        self._bases = tuple(bases)
        self._hint = hint
        self._entries: dict[str, Entry] = {}
        self._resolved: dict[str, T] = {}
        self._frozen = False
        self._lock = threading.RLock()

    def add(self, name: str, target: str, *, owner: str, help: str = "") -> None:
        """Give ``name`` to ``owner``; nothing is imported.

        :raises NameTakenError: somebody has it; the message says who.
        :raises RegistryFrozenError: :meth:`freeze` was called.
        :raises ValueError: the name or the target is not of the right form.
        """
        if self._frozen:
            msg = f"the registry of {self.plural} is closed; {owner} cannot add {name!r} any more"
            raise RegistryFrozenError(msg)
        if not _NAME.fullmatch(name):
            msg = f"{self.kind} name {name!r} is not allowed: letters, digits, '.', '_' and '-' only"
            raise ValueError(msg)
        if not _TARGET.fullmatch(target):
            msg = f"{self.kind} {name!r} points to {target!r}, which is not of the form 'module:Class'"
            raise ValueError(msg)
        taken = self._entries.get(name)
        if taken is not None:
            msg = f"{self.kind} {name!r} of {owner} is left out: {taken.owner} has that name already"
            raise NameTakenError(msg, name=name, owner=taken.owner)
        self._entries[name] = Entry(name=name, target=target, owner=owner, help=help)

    def freeze(self) -> None:
        """Take no more entries."""
        self._frozen = True

    def entry(self, name: str) -> Entry:
        """The entry, without importing what it names.

        :raises UnknownEntryError: there is none; near names are listed.
        """
        try:
            return self._entries[name]
        except KeyError:
            raise self._unknown(name) from None

    def get(self, name: str) -> T:
        """What ``name`` stands for; imported and type-checked on first use.

        :raises UnknownEntryError: there is no such name.
        :raises EntryLoadError: the module or attribute cannot be imported.
        :raises WrongTypeError: it is not a subclass of the registry's base, or is still abstract.
        """
        entry = self.entry(name)
        with self._lock:
            if name not in self._resolved:
                self._resolved[name] = cast(T, self._resolve(entry))
            return self._resolved[name]

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._entries))

    def __iter__(self) -> Iterator[Entry]:
        """All entries, sorted by name; nothing is imported."""
        return iter([self._entries[name] for name in self.names()])

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def _unknown(self, name: str) -> UnknownEntryError:
        names = self.names()
        near = near_names(name, names)
        message = f"there is no {self.kind} {name!r}."
        if near:
            message += f" Did you mean {' or '.join(repr(n) for n in near)}?"
        listed = ", ".join(names) if names else "none"
        message += f"\n{self.plural} that are installed: {listed}"
        if self._hint is not None and (hint := self._hint(name)):
            message += f"\n{hint}"
        return UnknownEntryError(message, name=name, near=near, names=names)

    def _resolve(self, entry: Entry) -> object:
        what = f"{self.kind} {entry.name!r} of {entry.owner}"
        found = _import(entry.target, what)
        if not self._bases:
            return found
        bases = tuple(cast(type, _import(base, f"the base class of {self.plural}")) for base in self._bases)
        wanted = " or ".join(base.__name__ for base in bases)
        if not (isinstance(found, type) and issubclass(found, bases)):
            msg = f"{what}: {entry.target} is not a subclass of {wanted}, but {_describe(found)}"
            raise WrongTypeError(msg)
        if inspect.isabstract(found):
            missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
            msg = f"{what}: {entry.target} does not define {missing}, which every {wanted} must"
            raise WrongTypeError(msg)
        return found


def near_names(name: str, names: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Names spelt like ``name``, best first; case does not count, and a name that starts with it is near."""
    lowered = {n.lower(): n for n in sorted(names, reverse=True)}
    wanted = name.lower()
    close = difflib.get_close_matches(wanted, lowered, n=limit, cutoff=0.6)
    if len(wanted) > 1:
        close += [n for n in sorted(lowered) if n.startswith(wanted) and n not in close]
    return tuple(lowered[n] for n in close[:limit])


def _import(target: str, what: str) -> object:
    match = _TARGET.fullmatch(target)
    if match is None:
        msg = f"{what}: {target!r} is not of the form 'module:Class'"
        raise EntryLoadError(msg)
    try:
        found: object = importlib.import_module(match["module"])
    except Exception as error:
        msg = f"{what} cannot be imported from {match['module']}: {type(error).__name__}: {error}"
        raise EntryLoadError(msg) from error
    for part in match["attribute"].split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            msg = f"{what}: module {match['module']} has no {match['attribute']!r}"
            raise EntryLoadError(msg) from error
    return found


def _describe(found: object) -> str:
    if isinstance(found, type):
        return f"a class of {', '.join(base.__name__ for base in found.__mro__[1:])}"
    return f"a {type(found).__name__}"
