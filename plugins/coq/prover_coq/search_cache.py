"""The lemmas in scope at a theorem, asked of the prover once for many theorems of a file.

``Search _`` prints everything in scope, which takes seconds after the larger libraries are loaded. From one
theorem of a file to the next, though, hardly anything is added. So the answer is kept with the place in the
text where it was given; at a later place, as long as nothing was imported in between, only the theorems
stated since then are asked for.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from prover_coq.document import parse_document
from prover_coq.premises import SEARCH_ALL, PremiseIndex

__all__ = ["Ask", "SearchCache"]

Ask = Callable[[Sequence[str]], "list[list[str]]"]
"""Runs queries where the theorem's statement stands, before it; what the prover said to each."""

_CHANGES_SCOPE = re.compile(
    r"^\s*(?:#\[[^\]]*\]\s*)?(?:(?:Local|Global|Polymorphic)\s+)?"
    r"(?:Require|From|Import|Export|Include|Module|End|Section|Open|Close|Notation|Infix|Set|Unset)\b",
    re.MULTILINE,
)
"""What may bring other lemmas into scope, or make known ones print differently."""
_CHECKED = re.compile(r"\s*(\S+)\s*:\s+(.*)", re.DOTALL)
_KEPT = 16


class SearchCache:
    """For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[object, str], list[str]] = OrderedDict()

    def index(self, key: object, text: str, ask: Ask) -> PremiseIndex:
        """The lemmas in scope after ``text``, which processes started as ``key`` says have executed."""
        start, messages = self._nearest(key, text)
        if messages is None:
            messages = ask([SEARCH_ALL])[0]
            with self._lock:
                self._known[key, text] = messages
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
            return PremiseIndex(messages)
        names = [theorem.qualified_name for theorem in parse_document(text[start:]).theorems]
        added: list[str] = []
        for answer in ask([f"Check {name}." for name in names if "#" not in name]) if names else ():
            for message in answer:
                found = _CHECKED.fullmatch(message)
                if found:
                    added.append(f"{found[1]}: {found[2]}")
        return PremiseIndex([*added, *messages])

    def _nearest(self, key: object, text: str) -> tuple[int, list[str] | None]:
        """The latest place before the end of ``text`` from where on only theorems were added."""
        with self._lock:
            places = [known for known in self._known if known[0] == key and text.startswith(known[1])]
            if not places:
                return 0, None
            best = max(places, key=lambda place: len(place[1]))
            if _CHANGES_SCOPE.search(text, len(best[1])):
                return 0, None
            self._known.move_to_end(best)
            return len(best[1]), self._known[best]
