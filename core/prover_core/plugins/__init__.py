"""What a plugin author imports: ``hookimpl`` and ``CommandSpec``."""

from prover_core.plugins.spec import ENTRY_POINT_GROUP, CommandSpec, hookimpl

__all__ = ["ENTRY_POINT_GROUP", "CommandSpec", "hookimpl"]
