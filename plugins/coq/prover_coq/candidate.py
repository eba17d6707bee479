"""The file that is compiled to check a proof, and the questions that are put to Coq while it compiles.

The file is: the theorem's own prefix, a first set of questions, the unchanged statement, the proof, a second
set of questions, the ends of the open sections, a third set, the ends of the open modules::

    <prefix>
    Succeed Load "before.v".     what the statement says to Coq, the libraries loaded, the axioms in sight
    <statement>
    Proof. <sentences> Qed.
    Succeed Load "after.v".      what the theorem that is now there says
    End <sections>.
    Succeed Load "assumptions.v".    what it rests on
    End <modules>.

``Succeed`` runs a command and then takes all of it back, so the questions leave no trace for the proof to use
or to stumble over: ``before.v`` states the theorem and admits it, and the next moment it is gone. The answers
stand between markers with random names made up after the proof was written, so nothing that a tactic prints
can pass for an answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from prover_coq.document import TheoremDecl, parse_document, read_source
from prover_coq.lexer import split_sentences
from prover_core.errors import DataError
from prover_core.types import Theorem

__all__ = [
    "Candidate",
    "Region",
    "Source",
    "build_candidate",
    "build_lookup",
    "questions_about",
    "read_theorem",
]


@dataclass(frozen=True, slots=True)
class Source:
    """A theorem's text and what Coq calls it."""

    prefix: str
    statement: str
    name: str
    """Without modules."""
    kind: str
    modules: tuple[str, ...]
    """Open modules and module types, outermost first."""
    sections: tuple[str, ...]
    abstract: bool
    """Stands in a functor or a module type."""
    path: Path | None
    """The file that it stands in."""

    def renamed(self, name: str) -> Source:
        """The same, where Coq says that the theorem has another name than its text suggests."""
        return replace(self, name=name)


@dataclass(frozen=True, slots=True)
class Region:
    """A half-open range of bytes in the candidate file."""

    start: int
    end: int

    def __contains__(self, offset: object) -> bool:
        return isinstance(offset, int) and self.start <= offset < self.end


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to compile, the files of questions beside it, and where its parts stand."""

    data: bytes
    questions: dict[str, bytes]
    """File name -> content."""
    marker: str
    """What all markers of this candidate begin with."""
    subject: str
    """Name, without modules, of what is asked about: the theorem, or what stands in for it."""
    statement: Region
    proof: Region
    """From the statement's end to the end of the proof's last sentence."""
    sections_end: Region
    modules_end: Region
    sentences: tuple[Region, ...] = field(default=())
    """Where the proof's own sentences stand, the opening and the end included."""


def read_theorem(theorem: Theorem) -> Source:
    """The theorem's text, its prefix, and the modules and sections that are open there.

    :raises DataError: its file cannot be read, or no longer holds the statement where it stood.
    """
    path: Path | None = None
    if theorem.file is not None and theorem.span is not None:
        path = Path(theorem.file)
        text = read_source(path)
        if text[theorem.span.start : theorem.span.end] != theorem.statement:
            message = (
                f"{path} has changed: {theorem.name} no longer stands at characters "
                f"{theorem.span.start}-{theorem.span.end}. Read the theorems of the file again."
            )
            raise DataError(message)
        prefix = text[: theorem.span.start]
    else:
        prefix = theorem.preamble
    decl = _declaration(prefix, theorem.statement)
    return Source(
        prefix=prefix,
        statement=theorem.statement,
        name=theorem.name.rsplit(".", 1)[-1] if decl is None else decl.name,
        kind="" if decl is None else decl.kind,
        modules=() if decl is None else decl.modules,
        sections=() if decl is None else decl.sections,
        abstract=decl is not None and decl.abstract,
        path=path,
    )


def _declaration(prefix: str, statement: str) -> TheoremDecl | None:
    """The statement as the document reader sees it; ``Proof.`` makes certain that it opens a proof."""
    found = parse_document(f"{prefix}\n{statement}\nProof.\n").theorems
    return found[-1] if found else None


def build_candidate(
    source: Source, proof: Sequence[str], folder: Path, axioms: Iterable[str] = ()
) -> Candidate:
    """Put the file together.

    ``proof`` is everything after the statement, one sentence an item, the end (``Qed.``) included; it is
    taken as it is, checked or not. ``folder`` is where the questions will lie. ``axioms`` are full names
    to be looked up before and after the proof.
    """
    marker = f"polyprover_{secrets.token_hex(16)}"
    parts = _Parts()
    parts.add(source.prefix)
    parts.add(_ask(folder / "before.v"))
    statement = parts.add(source.statement)
    parts.add("\n")
    sentences: list[Region] = []
    for item in proof:
        sentences += parts.add_sentences(item)
        parts.add("\n")
    proof_region = Region(statement.end, parts.size)
    parts.add(_ask(folder / "after.v"))
    subject = source.name
    if source.kind.startswith("Let") and source.sections:
        # The section takes a Let with it when it closes, so a definition stands in for it.
        parts.add(f"Definition {marker}_let := {source.name}.\n")
        subject = f"{marker}_let"
    sections_end = parts.add("".join(f"End {name}.\n" for name in reversed(source.sections)))
    if source.kind.endswith("Obligation"):
        parts.add("Admit Obligations.\n")  # the program's others, which this theorem does not rest on
    parts.add(_ask(folder / "assumptions.v"))
    modules_end = parts.add("".join(f"End {name}.\n" for name in reversed(source.modules)))
    return Candidate(
        data=parts.data(),
        questions=_questions(source, subject, marker, axioms),
        marker=marker,
        subject=subject,
        statement=statement,
        proof=proof_region,
        sections_end=sections_end,
        modules_end=modules_end,
        sentences=tuple(sentences),
    )


def _questions(source: Source, subject: str, marker: str, axioms: Iterable[str]) -> dict[str, bytes]:
    says = f"{_SHOW}Check @{source.name}.\n"
    lookups = "".join(f"Locate Term {axiom}.\n" for axiom in sorted(axioms))
    before = [
        _WIDE,
        _marked(f"{marker}_before_known", lookups),
        _marked(f"{marker}_before_libraries", "Print Libraries.\n"),
        source.statement + "\n",
        _marked(f"{marker}_before_name", "Show Conjectures.\n"),
        "Admitted.\n",
        _marked(f"{marker}_before_says", says),
    ]
    after = [
        _WIDE,
        _marked(f"{marker}_after_libraries", "Print Libraries.\n"),
        _marked(f"{marker}_after_says", says),
    ]
    assumptions = [
        _WIDE,
        _marked(f"{marker}_after_known", lookups),
        _marked(f"{marker}_assumptions", f"Print Assumptions {subject}.\n"),
    ]
    return {
        "before.v": "".join(before).encode(),
        "after.v": "".join(after).encode(),
        "assumptions.v": "".join(assumptions).encode(),
    }


def build_lookup(source: Source, names: Sequence[str], folder: Path) -> tuple[bytes, dict[str, bytes], str]:
    """A file that only asks, where the statement would stand, what each name refers to.

    Gives the file, the questions and the marker. The proof is no part of it. A notation may have made a
    name a keyword, which Coq cannot look up by itself, so each question stands in a file of its own, under
    ``Fail``: this takes back what it runs like ``Succeed`` does, and goes on after a mistake. The last
    command of each file always fails.
    """
    marker = f"polyprover_{secrets.token_hex(16)}"
    questions: dict[str, bytes] = {}
    data = source.prefix
    for number, name in enumerate(names):
        asked = _marked(f"{marker}_{number}", f"Locate Term {name}.\n")
        questions[f"look_up_{number}.v"] = f"{_WIDE}{asked}Fail Locate {marker}.\n".encode()
        data += _ask(folder / f"look_up_{number}.v", control="Fail")
    return data.encode(), questions, marker


def questions_about(library: str, name: str, marker: str) -> str:
    """A file that loads a compiled one and asks what a theorem in it rests on."""
    place = _marked(f"{marker}_place", f"Locate Library {library}.\n")
    assumptions = _marked(f"{marker}_assumptions", f"Print Assumptions {name}.\n")
    return f"Require {library}.\n{_WIDE}{place}{assumptions}"


_WIDE = "Set Printing Width 1000000.\nSet Printing Depth 1000000.\n"
_SHOW = "Set Printing All.\nUnset Printing Notations.\n"


def _marked(marker: str, question: str) -> str:
    """``Locate`` of a name that does not exist prints that name: our marker."""
    return f"Locate {marker}_begin.\n{question}Locate {marker}_end.\n"


def _ask(file: Path, control: str = "Succeed") -> str:
    quoted = str(file).replace('"', '""')
    return f'\n{control} Load "{quoted}".\n'


class _Parts:
    """Text under construction that knows its size in bytes, which is how Coq counts."""

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[bytes] = []

    def add(self, text: str) -> Region:
        data = text.encode()
        start = self.size
        self._parts.append(data)
        self.size += len(data)
        return Region(start, self.size)

    def add_sentences(self, text: str) -> list[Region]:
        """Add text and tell where our lexer sees sentences in it."""
        base = self.size
        self.add(text)
        found = split_sentences(text)
        return [
            Region(base + len(text[: s.start].encode()), base + len(text[: s.end].encode())) for s in found
        ]

    def data(self) -> bytes:
        return b"".join(self._parts)
