"""Features of a proof state: numbers that stand for what its first goal looks like.

Constants, pairs and triples of neighbours in the conclusion and in the hypotheses, with local names
replaced by the heads of their types; the outermost relation; what stands in front; and the whole
conclusion up to renaming. A feature is hashed into one of 2**20 numbers, the lower half for the
conclusion, the upper half for the hypotheses, so that no vocabulary has to be kept.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final
from zlib import crc32

from prover_core.types import Goal
from prover_models.knn.goalview import GoalView, view_goal

__all__ = ["FEATURES", "FEATURES_VERSION", "HALF", "goal_features"]

FEATURES_VERSION: Final = 1
"""Raised when features change, so that indexes are built again."""
FEATURES: Final = 1 << 20
HALF: Final = FEATURES // 2
"""Numbers from here on are of hypotheses."""
_SKIPPED: Final = frozenset("(),:") | {"forall"}
_MOST_HYPOTHESES: Final = 24


def goal_features(goal: Goal) -> list[int]:
    """The features of a goal: distinct numbers below :data:`FEATURES`, sorted."""
    view = view_goal(goal)
    found = set(_conclusion_features(view))
    for entry in view.hypotheses[-_MOST_HYPOTHESES:]:
        found.update(_hypothesis_features(entry.type))
    return sorted(found)


def _conclusion_features(view: GoalView) -> list[int]:
    tokens = ["^", *(token for token in view.conclusion if token not in _SKIPPED), "$"]
    texts = _grams(tokens, 3)
    texts += [f"head {view.head}", f"front {view.prefix}", f"head {view.head} {view.prefix[:2]}"]
    texts += [f"is {view.skeleton}"]
    return [_hash(text) for text in texts]


@functools.lru_cache(maxsize=65536)
def _hypothesis_features(kind: str) -> tuple[int, ...]:
    tokens = [token for token in kind.split(" ") if token not in _SKIPPED]
    return tuple(HALF + _hash(text) for text in [*_grams(tokens, 2), f"is {kind}"])


def _grams(tokens: Sequence[str], longest: int) -> list[str]:
    """All runs of 1 to ``longest`` neighbours."""
    return [
        " ".join(tokens[at : at + size])
        for size in range(1, longest + 1)
        for at in range(len(tokens) - size + 1)
    ]


def _hash(text: str) -> int:
    return crc32(text.encode()) % HALF
