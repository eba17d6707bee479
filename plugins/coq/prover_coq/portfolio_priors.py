"""How much each template's proposals cost, measured with ``benchmarks/coq_portfolio.py``.

A prior is the natural logarithm of a tactic's chance to be a step of a proof, *given that Coq accepts it*:
a search pays only for tactics that are accepted. Closing tactics therefore cost next to nothing; they are
also tried first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["PRIORS"]

PRIORS: Final[Mapping[str, float]] = {
    "close": -0.01,
    "close-hints": -0.05,
    "rewrite-ih": -0.10,
    "case-fact": -0.10,
    "intros": -0.12,
    "close-using": -0.13,
    "close-logic": -0.14,
    "close-arithmetic": -0.15,
    "close-algebra": -0.16,
    "close-hammer": -0.18,
    "subst": -0.3,
    "split": -0.3,
    "apply-ih": -0.4,
    "destruct-close": -0.6,
    "induction-close": -0.7,
    "induction": -0.8,
    "simplify": -0.8,
    "apply-fact": -0.8,
    "apply-lemma": -0.9,
    "congruent": -1.0,
    "scrutinee": -1.0,
    "rewrite-fact": -1.0,
    "rewrite-lemma": -1.1,
    "constructor": -1.1,
    "choose": -1.2,
    "destruct": -1.3,
    "induct-fact": -1.3,
    "witness": -1.4,
    "unfold": -1.5,
    "invert-fact": -1.5,
    "lemma-in-fact": -1.8,
    "induction-general": -1.9,
    "rewrite-lemma-back": -2.0,
    "destruct-lemma": -2.2,
}
"""Template -> prior of its first instance."""
