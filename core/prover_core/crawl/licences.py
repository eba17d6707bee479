"""Which licence a text is, as far as its words tell."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["guess_licence", "is_licence_file", "licence_allowed", "licence_of_opam"]

_FILE = re.compile(r"(un)?licen[cs]e([.-].*)?|copying([.-].*)?|.*[.-]licen[cs]e(\.\w+)?", re.IGNORECASE)
_MARK = re.compile(r"SPDX-License-Identifier:\s*([A-Za-z0-9.+-]+)")
_OPAM = re.compile(r'^license:\s*\[?\s*"([^"]+)"', re.MULTILINE)

# The first whose phrases all occur is taken, so the particular stand before the general.
_PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("AGPL-3.0", ("gnu affero general public license", "version 3")),
    ("LGPL-3.0", ("gnu lesser general public license", "version 3")),
    ("LGPL-2.1", ("gnu lesser general public license", "version 2.1")),
    ("LGPL-2.0", ("gnu library general public license", "version 2")),
    ("GPL-3.0", ("gnu general public license", "version 3")),
    ("GPL-2.0", ("gnu general public license", "version 2")),
    ("MPL-2.0", ("mozilla public license", "2.0")),
    ("EPL-2.0", ("eclipse public license", "2.0")),
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("CECILL-B", ("cecill-b",)),
    ("CECILL-C", ("cecill-c",)),
    ("CECILL-2.1", ("cecill", "2.1")),
    ("CECILL-2.0", ("cecill", "2.0")),
    ("Unlicense", ("free and unencumbered software released into the public domain",)),
    ("BSL-1.0", ("boost software license", "version 1.0")),
    ("CC0-1.0", ("cc0 1.0",)),
    ("CC-BY-NC-SA-4.0", ("attribution-noncommercial-sharealike 4.0",)),
    ("CC-BY-NC-4.0", ("attribution-noncommercial 4.0",)),
    ("CC-BY-SA-4.0", ("attribution-sharealike 4.0",)),
    ("CC-BY-4.0", ("attribution 4.0 international",)),
    ("WTFPL", ("do what the fuck you want to public license",)),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "endorse or promote")),
    ("BSD-2-Clause", ("redistribution and use in source and binary forms", "disclaimer")),
    (
        "MIT",
        ("permission is hereby granted, free of charge", "the above copyright notice and this permission"),
    ),
    ("0BSD", ("permission to use, copy, modify, and/or distribute this software", "with or without fee is")),
    ("MIT", ("mit license",)),
)
_ISC_NOTICE = "provided that the above copyright notice and this permission notice appear in all copies"
_HEAD = 1500
"""Characters in which a licence of the GNU family gives its own name; later ones name its relatives."""


def is_licence_file(name: str) -> bool:
    """Whether a file of that name, at the top of a repository, is likely to hold its licence."""
    return _FILE.fullmatch(name) is not None


def guess_licence(text: str) -> str:
    """SPDX name of the licence, or an empty text.

    Whether a GNU licence is meant with "or later" does not stand in its text: ``GPL-3.0`` leaves it open.
    """
    if mark := _MARK.search(text):
        return mark[1]
    words = " ".join(re.sub(r"[*#>\"“”`]", " ", text).lower().split())
    if _ISC_NOTICE in words:
        return "ISC"
    for name, phrases in _PHRASES:
        place = words[:_HEAD] if "gnu " in phrases[0] else words
        if all(phrase in place for phrase in phrases):
            return name
    return ""


def licence_of_opam(text: str) -> str:
    """What an opam file says; empty: nothing."""
    found = _OPAM.search(text)
    return found[1] if found else ""


def licence_allowed(licence: str, allowed: Collection[str], *, unknown: bool) -> bool:
    """Whether a repository of this licence is wanted; ``allowed`` empty: all are.

    ``GPL-3.0`` covers ``GPL-3.0-only`` and ``GPL-3.0-or-later``, and the other way round.
    """
    if not allowed:
        return True
    if not licence:
        return unknown
    return _stem(licence) in {_stem(name) for name in allowed}


def _stem(licence: str) -> str:
    return re.sub(r"(-only|-or-later|\+)$", "", licence.strip().lower())
