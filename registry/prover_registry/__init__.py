"""Generic name -> component registry; knows no prover."""

from prover_registry.errors import (
    EntryLoadError,
    NameTakenError,
    RegistryError,
    RegistryFrozenError,
    UnknownEntryError,
    WrongTypeError,
)
from prover_registry.registry import Entry, Registry, near_names

__all__ = [
    "Entry",
    "EntryLoadError",
    "NameTakenError",
    "Registry",
    "RegistryError",
    "RegistryFrozenError",
    "UnknownEntryError",
    "WrongTypeError",
    "near_names",
]
