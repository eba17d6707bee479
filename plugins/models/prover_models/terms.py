"""Printed terms as tokens: what retrieval and nearest neighbours compare.

Only the prover can parse what it prints; for comparing, identifiers, operators and their order are enough.
Pure, never raises, linear in the text.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

__all__ = ["KEYWORDS", "PUNCTUATION", "is_name", "is_variable", "symbols", "token_spans", "tokenise"]

_TOKEN: Final = re.compile(
    r"""[^\W\d][\w']*(?:\.[^\W\d][\w']*)*   # an identifier, qualified or not
      | \?[^\W\d][\w']*                     # an existential variable
      | \d[\w.]*\b                          # a number
      | "(?:[^"]|"")*"?                     # a string
      | [()\[\]{},;]                        # a bracket
      | [^\w\s()\[\]{},;"]+                 # an operator
    """,
    re.VERBOSE,
)
_NAME: Final = re.compile(r"[^\W\d][\w']*")

KEYWORDS: Final = frozenset(
    """forall exists fun match with end if then else let in as return fix cofix Prop Set Type SProp at where
    struct for by using""".split()
)
PUNCTUATION: Final = frozenset("()[]{},;.:|") | {":=", "=>", "->", "{|", "|}", "@"}


def tokenise(text: str) -> list[str]:
    """The tokens of ``text``, in order; white space and nothing else is lost."""
    return _TOKEN.findall(text)


def token_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """The tokens with where they start and end."""
    for found in _TOKEN.finditer(text):
        yield found.group(), found.start(), found.end()


def is_name(token: str) -> bool:
    """Whether ``token`` is one unqualified identifier, and no keyword."""
    return token not in KEYWORDS and _NAME.fullmatch(token) is not None


def is_variable(token: str) -> bool:
    """Whether ``token`` looks like a variable: one letter, perhaps with digits or primes after it."""
    return token[:1].isalpha() and token[1:].strip("0123456789'") == ""


def symbols(text: str) -> list[str]:
    """What a term speaks of, repetitions included: no punctuation, keywords, or variables; then pairs of
    neighbours among what is left, so that ``length (a ++ b)`` differs from ``length a ++ b``.
    """
    told = [
        token
        for token in tokenise(text)
        if token not in PUNCTUATION and token not in KEYWORDS and not is_variable(token)
    ]
    tails = [token.rpartition(".")[2] for token in told if "." in token and token[-1] != "."]
    return told + tails + [f"{a} {b}" for a, b in itertools.pairwise(told)]
