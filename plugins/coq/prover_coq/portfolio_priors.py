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
    "rewrite-ih": -0.10,
    "case-fact": -0.10,
    "intros": -0.12,
    "subst": -0.3,
    "split": -0.3,
    "close-arithmetic": -0.3,
    "close-algebra": -0.35,
    "close-hammer": -0.4,
    "decide": -0.4,
    "apply-ih": -0.4,
    "close-logic": -0.5,
    "destruct-close": -0.6,
    "induction-close": -0.7,
    "simplify": -0.8,
    "induction": -0.9,
    "close-hints": -0.9,
    "close-using": -0.9,
    "apply-fact": -0.9,
    "apply-lemma": -1.0,
    "rewrite-lemma": -1.0,
    "congruent": -1.0,
    "scrutinee": -1.0,
    "rewrite-fact": -1.0,
    "constructor": -1.1,
    "intuition": -1.2,
    "choose": -1.2,
    "destruct": -1.3,
    "induct-fact": -1.3,
    "witness": -1.4,
    "unfold": -1.4,
    "invert-fact": -1.5,
    "rewrite-lemma-back": -1.5,
    "induction-general": -1.5,
    "lemma-in-fact": -1.6,
    "destruct-lemma": -2.2,
}
"""Template -> prior of its first instance."""
