"""Load paths out of dune's ``coq.theory`` stanzas: the simple ones, without plugins or composed flags."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["dune_options"]

_THEORY = re.compile(r"\(\s*(?:coq|rocq)\.theory\b")
_NAME = re.compile(r"\(\s*name\s+([\w.']+)\s*\)")
_COMMENT = re.compile(r";[^\n]*")


def dune_options(root: Path, path: Path) -> tuple[str, ...]:
    """``-R`` and ``-Q`` for the theories of the dune project at ``root``; empty: none covers ``path``.

    Dune compiles under ``_build/default``, so that each theory's folder there is bound too, if it exists.
    The theory that ``path`` stands in is bound by ``-R``, the others by ``-Q``. Read errors count as no
    stanza: a ``dune`` file need not concern Coq at all.
    """
    own: list[str] = []
    others: list[str] = []
    for folder, name in _theories(root):
        mine = path.is_relative_to(folder)
        option, target = ("-R", own) if mine else ("-Q", others)
        target += [option, str(folder), name]
        built = root / "_build" / "default" / folder.relative_to(root)
        if built.is_dir():
            target += [option, str(built), name]
    return (*others, *own) if own else ()


def _theories(root: Path) -> Iterator[tuple[Path, str]]:
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith((".", "_build")))
        if "dune" not in files:
            continue
        try:
            text = (Path(folder) / "dune").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        text = _COMMENT.sub("", text)
        for stanza in _THEORY.finditer(text):
            name = _NAME.search(text, stanza.end())
            if name is not None:
                yield Path(folder), name.group(1)
