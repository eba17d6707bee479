"""Errors of the registry.

The tree::

    RegistryError
    +-- NameTakenError         two owners want one name
    +-- UnknownEntryError      nothing of that name; near names are listed
    +-- EntryLoadError         the module or the attribute that an entry names cannot be imported
    +-- WrongTypeError         what an entry names is not what this registry holds
    +-- RegistryFrozenError    added to after it was closed
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "EntryLoadError",
    "NameTakenError",
    "RegistryError",
    "RegistryFrozenError",
    "UnknownEntryError",
    "WrongTypeError",
]


class RegistryError(Exception):
    """Base of all errors of this package."""


class NameTakenError(RegistryError):
    """A name that another owner has; ``owner`` says who."""

    def __init__(self, message: str, *, name: str, owner: str) -> None:
        self.name = name
        self.owner = owner
        super().__init__(message)


class UnknownEntryError(RegistryError):
    """A name that nothing answers to; ``near`` are those spelt alike, ``names`` are all."""

    def __init__(self, message: str, *, name: str, near: Sequence[str], names: Sequence[str]) -> None:
        self.name = name
        self.near = tuple(near)
        self.names = tuple(names)
        super().__init__(message)


class EntryLoadError(RegistryError):
    """The module or attribute cannot be imported; the cause is chained."""


class WrongTypeError(RegistryError):
    """What was imported is not what the registry holds."""


class RegistryFrozenError(RegistryError):
    """The registry takes no more entries."""
