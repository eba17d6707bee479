"""``--data putnambench-coq:...``: PutnamBench's statements in Coq."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from prover_coq.document import parse_document, read_source
from prover_coq.sources.statements import Problem, StatementOptions, StatementSource
from prover_core.errors import DataError

__all__ = ["PutnamBenchCoq"]

_EXPECTED = "the folder of PutnamBench, its folder coq, or coq/src with putnam_YYYY_xN.v files"
_FILE = re.compile(r"putnam_(?P<year>\d{4})_[ab]\d")


class PutnamBenchCoq(StatementSource):
    """PutnamBench in Coq: ``argument`` is its folder, the folder ``coq`` in it, or ``coq/src``.

    Ids are the problems' names (``putnam_1962_a2``). Most of them need Coquelicot or mathcomp. ``metadata``
    has the year, the libraries that the statement requires, and ``answer`` = ``yes`` where the file defines a
    solution that the statement speaks of.
    """

    Options: ClassVar[type[StatementOptions]] = StatementOptions
    name = "putnambench-coq"
    benchmark = "PutnamBench"
    licence = "MIT"

    def problems(self) -> Iterator[Problem]:
        """Sorted by name."""
        path = self._folder(_EXPECTED)
        for folder in (path / "coq" / "src", path / "src", path):
            files = [file for file in sorted(folder.glob("*.v")) if _FILE.fullmatch(file.stem)]
            if files:
                break
        else:
            message = f"{self.name} needs {_EXPECTED}; there is no such file in {path}"
            raise DataError(message)
        for file in files:
            text = read_source(file)
            yield Problem(file.stem, text, str(file), _facts(file, text))


def _facts(file: Path, text: str) -> dict[str, str]:
    match = _FILE.fullmatch(file.stem)
    answer = any(f"{file.stem}_solution" in sentence.text for sentence in parse_document(text).sentences)
    return {"year": match["year"] if match else "", "answer": "yes" if answer else "no"}
