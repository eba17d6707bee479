"""Options of the ``coq`` environment."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from prover_core.contracts import ComponentOptions

__all__ = ["CoqOptions"]


class CoqOptions(ComponentOptions):
    """What ``--set env.KEY=VALUE`` sets."""

    backend: Literal["idetop", "serapi"] = Field(
        default="idetop",
        description="how to talk to Coq: idetop (coqidetop, Coq 8.16 or later) or serapi (sertop, Coq 8.20)",
    )
    bin: Path | None = Field(
        default=None,
        description="folder of coqc; default: $PROVER_COQ_BIN, PATH, then what `make setup` installed",
    )
    version: str | None = Field(
        default=None,
        description="take the first installation whose version starts with this, e.g. 8.20; default: any",
    )
    extra_args: tuple[str, ...] = Field(
        default=(), description="more options for Coq's command line, e.g. -Q theories MyProject"
    )
    allow_axioms: tuple[str, ...] = Field(
        default=(),
        description="full names of axioms that a proof may use besides the standard library's own",
    )
    recycle_theorems: int = Field(
        default=100, ge=1, description="theorems after which a prover process is replaced by a fresh one"
    )
    recycle_mb: int = Field(
        default=1500, ge=1, description="resident memory, in MiB, above which a prover process is replaced"
    )
    idle_processes: int = Field(
        default=4, ge=0, description="prover processes kept for the next theorem of the same file, at most"
    )
    search_timeout_s: float = Field(
        default=10.0, gt=0, description="seconds that Search may take to list the lemmas in scope"
    )
    qed_timeout_s: float = Field(
        default=60.0, gt=0, description="seconds that the kernel may take to accept a finished proof"
    )
