"""Goals as Coq prints them, read back into hypotheses and conclusion; the same for every protocol."""

from __future__ import annotations

import re

from prover_core.types import Hypothesis

__all__ = ["parse_hypothesis"]

_NAMES = re.compile(r"([^:]*?)\s*(:=|:)\s+(.*)", re.DOTALL)
_STEP = re.compile(
    r"""(?P<open>[(\[{])|(?P<close>[)\]}])|"(?:[^"]|"")*"|(?P<arrow>=>)|(?P<comma>,)"""
    r"""|(?P<colon>\s:\s)|(?P<binder>\b(?:fun|forall|exists!?)\b|[λ∀∃])""",
    re.VERBOSE,
)


def parse_hypothesis(text: str) -> Hypothesis:
    """``x, y : nat`` or ``n := 5 : nat``; a text of neither form becomes a type without a name."""
    found = _NAMES.fullmatch(text)
    if not found:
        return Hypothesis(names=(), type=text)
    names = tuple(name.strip() for name in found[1].split(","))
    if found[2] == ":":
        return Hypothesis(names=names, type=found[3])
    body, kind = _split_body(found[3])
    return Hypothesis(names=names, type=kind, body=body)


def _split_body(text: str) -> tuple[str, str]:
    """``body : type`` at the last colon that stands outside brackets and belongs to no binder."""
    depth, waiting, at = 0, 0, -1
    for step in _STEP.finditer(text):
        kind = step.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
        elif depth == 0:
            if kind == "binder":
                waiting += 1
            elif kind in ("arrow", "comma") and waiting:
                waiting -= 1
            elif kind == "colon" and not waiting:
                at = step.start()
    if at < 0:
        return text, ""
    return text[:at].rstrip(), text[at:].lstrip().removeprefix(":").lstrip()
