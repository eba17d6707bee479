"""What all kits share: no test of a kit is switched off in silence."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["Contract"]


class Contract:
    """Base of the kits."""

    def test_overridden_tests_say_why(self) -> None:
        """A kit's test is overridden only with ``@pytest.mark.xfail(reason="...")``.

        Troubleshooting: the subclass defines (or deletes) a method that is a test of the kit. Rename it
        if that was an accident; else mark it, and say in the reason which rule is not kept, and why.
        """
        silent = [name for name in _kit_tests(type(self)) if not _kept(type(self), name)]
        if silent:
            pytest.fail(
                f"{type(self).__name__} overrides {', '.join(silent)} without saying why: "
                'mark each with @pytest.mark.xfail(reason="...")'
            )


def _kit_tests(subclass: type) -> list[str]:
    names: dict[str, None] = {}
    for base in subclass.__mro__:
        if _in_kit(base):
            names |= dict.fromkeys(name for name in vars(base) if name.startswith("test_"))
    return list(names)


def _in_kit(owner: type) -> bool:
    return owner.__module__.startswith("prover_core.testing.")


def _kept(subclass: type, name: str) -> bool:
    """Whether the kit's own test runs, or whatever stands in its place says why."""
    owner = next(base for base in subclass.__mro__ if name in vars(base))
    if _in_kit(owner):
        return True
    marks: Any = getattr(vars(owner)[name], "pytestmark", ())
    return any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks)
