"""The registries that plugins fill: one for each kind of component, with errors worded for a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from prover_core.errors import ProverError, UnknownNameError, UserError
from prover_registry import Entry, EntryLoadError, Registry, UnknownEntryError, WrongTypeError

if TYPE_CHECKING:
    from prover_core.contracts import (
        DataFormat,
        DataSource,
        Extractor,
        Policy,
        ProofEnvironment,
        Retriever,
        Search,
        Trainer,
        Value,
        WholeProofPolicy,
    )

__all__ = ["COMPONENT_KINDS", "ComponentRegistry", "Components"]

T = TypeVar("T")

_CONTRACTS = {
    "environment": ("prover_core.contracts.environment:ProofEnvironment",),
    "data source": ("prover_core.contracts.data:DataSource",),
    "policy": (
        "prover_core.contracts.policy:Policy",
        "prover_core.contracts.policy:WholeProofPolicy",
    ),
    "value": ("prover_core.contracts.policy:Value",),
    "trainer": ("prover_core.contracts.training:Trainer",),
    "search": ("prover_core.contracts.search:Search",),
    "format": ("prover_core.contracts.extraction:DataFormat",),
    "extractor": ("prover_core.contracts.extraction:Extractor",),
    "retriever": ("prover_core.contracts.extraction:Retriever",),
}

_PLURALS = {"policy": "policies", "search": "searches"}

COMPONENT_KINDS = {
    "prover_register_environments": "environment",
    "prover_register_data_sources": "data source",
    "prover_register_policies": "policy",
    "prover_register_values": "value",
    "prover_register_trainers": "trainer",
    "prover_register_searches": "search",
    "prover_register_formats": "format",
    "prover_register_extractors": "extractor",
    "prover_register_retrievers": "retriever",
}
"""Hook -> kind of component that it registers."""


class ComponentRegistry(Registry[T]):
    """A registry whose errors are :class:`~prover_core.errors.UserError`."""

    def entry(self, name: str) -> Entry:
        """As in :class:`prover_registry.Registry`.

        :raises UnknownNameError: there is no such name; near names are listed.
        """
        try:
            return super().entry(name)
        except UnknownEntryError as error:
            raise UnknownNameError(str(error)) from None

    def get(self, name: str) -> T:
        """As in :class:`prover_registry.Registry`.

        :raises UnknownNameError: there is no such name.
        :raises UserError: the component cannot be imported, or is not of the right type. An error that the
            component's module raised on purpose (``ToolMissingError``) passes as it is.
        """
        try:
            return super().get(name)
        except EntryLoadError as error:
            if isinstance(error.__cause__, ProverError):
                raise error.__cause__ from None
            msg = f"{error}\nThe plugin is broken or installed incompletely: see `prover plugins list`."
            raise UserError(msg) from error
        except WrongTypeError as error:
            msg = f"{error}\nThis is a mistake of the plugin; tell its authors."
            raise UserError(msg) from error


class Components:
    """All registries, by attribute and by kind."""

    def __init__(self, hint: Callable[[str], str] | None = None) -> None:
        self.environments: ComponentRegistry[type[ProofEnvironment]] = _registry("environment", hint)
        self.data_sources: ComponentRegistry[type[DataSource]] = _registry("data source", hint)
        self.policies: ComponentRegistry[type[Policy | WholeProofPolicy]] = _registry("policy", hint)
        self.values: ComponentRegistry[type[Value]] = _registry("value", hint)
        self.trainers: ComponentRegistry[type[Trainer]] = _registry("trainer", hint)
        self.searches: ComponentRegistry[type[Search]] = _registry("search", hint)
        self.formats: ComponentRegistry[type[DataFormat]] = _registry("format", hint)
        self.extractors: ComponentRegistry[type[Extractor]] = _registry("extractor", hint)
        self.retrievers: ComponentRegistry[type[Retriever]] = _registry("retriever", hint)

    def all(self) -> tuple[ComponentRegistry[Any], ...]:
        """Every registry, in the order in which they are listed."""
        return (
            self.environments,
            self.data_sources,
            self.policies,
            self.values,
            self.trainers,
            self.searches,
            self.formats,
            self.extractors,
            self.retrievers,
        )

    def of_kind(self, kind: str) -> ComponentRegistry[Any]:
        """The registry of ``environment``, ``data source``, ``policy``, ...

        :raises KeyError: there is no such kind.
        """
        return {registry.kind: registry for registry in self.all()}[kind]


def _registry(kind: str, hint: Callable[[str], str] | None) -> ComponentRegistry[Any]:
    return ComponentRegistry(kind, _CONTRACTS[kind], plural=_PLURALS.get(kind, ""), hint=hint)
