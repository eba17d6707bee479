"""Options of components: what ``--set env.backend=serapi`` sets.

Every component class (environment, policy, data source, search, trainer, value) may carry a class
attribute ``Options``, a subclass of :class:`ComponentOptions`, and is then made as
``Class(options)``; a data source as ``Class(options, argument)``. The model is what validates
configuration, what ``prover plugins show NAME`` prints, and what a run records, so each field has a
description and a default.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["ComponentOptions"]


class ComponentOptions(BaseModel):
    """Base of all option models: unknown keys are mistakes, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
