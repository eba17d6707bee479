"""Reading a Coq file's text: which theorems it holds, where their statements and proofs stand.

This looks at sentences only and runs nothing, so a few names cannot be told for certain: those that Coq
makes up itself. An anonymous ``Goal`` is ``Unnamed_thm``, ``Unnamed_thm0``, ... as in Coq; an anonymous
instance ``<Class>_instance_<k>`` and a ``Next Obligation`` ``<program>_obligation_<k>`` count in the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from prover_coq.commands import Command, CommandKind, classify
from prover_coq.lexer import Sentence, SentenceKind, split_sentences
from prover_core.errors import DataError
from prover_core.types import Span

__all__ = ["Document", "TheoremDecl", "parse_document", "read_source"]


@dataclass(frozen=True, slots=True)
class TheoremDecl:
    """A declaration that opens a proof. Offsets are characters in the document's text."""

    name: str
    """As declared: ``add_comm``."""
    qualified_name: str
    """With the modules of this file around it (``Nat.add_comm``), sections left out; unique in the file:
    the second declaration of the same name ends in ``#2``."""
    kind: str
    """``Lemma``, ``Instance``, ``Program Definition``, ``Next Obligation``, ..."""
    statement: Span
    proof: Span | None
    """From the first sentence after the statement (``Proof.`` included) to just past the terminator;
    ``None``: the text ends before the proof does."""
    terminator: str
    """``Qed``, ``Defined``, ``Admitted``, ``Abort``, ``Save``, ``Proof term``; empty where there is none."""
    modules: tuple[str, ...]
    sections: tuple[str, ...]
    line: int
    """Of the statement's start, counted from 1."""
    proof_sentences: int = 0
    """Sentences of the proof, ``Proof.`` and the terminator not counted."""
    abstract: bool = False
    """Stands in a functor, a module type or a module sealed by a signature (``Module M : T.``): once that
    is closed, its name refers to nothing, or need not."""

    @property
    def closed(self) -> bool:
        """The file proves it: neither admitted, aborted nor unfinished."""
        return self.terminator not in ("", "Admitted", "Abort")


@dataclass(frozen=True, slots=True)
class Document:
    """A source text, cut into sentences, and its theorems in order of their statements."""

    text: str
    sentences: tuple[Sentence, ...]
    theorems: tuple[TheoremDecl, ...]


def read_source(path: Path) -> str:
    """A source file's text: UTF-8, with or without a byte-order mark (dropped), line ends as they are.

    :raises DataError: it cannot be read, or is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"cannot read {path}: {reason}. Check the path and its permissions."
        raise DataError(message) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = (
            f"{path} is not UTF-8: byte {data[error.start]:#04x} at offset {error.start}. "
            "Coq reads UTF-8 only; convert the file, for instance with `iconv -f latin1 -t utf-8`."
        )
        raise DataError(message) from error


def parse_document(text: str) -> Document:
    """Cut ``text`` into sentences and find every declaration that opens a proof. Never raises."""
    sentences = split_sentences(text)
    reader = _Reader(text)
    for sentence in sentences:
        reader.read(sentence)
    return Document(text, tuple(sentences), tuple(reader.finish()))


@dataclass(slots=True)
class _Scope:
    """A module, module type or section that is open."""

    name: str
    section: bool
    abstract: bool


@dataclass(slots=True)
class _OpenProof:
    """A declaration whose proof has not ended yet."""

    decl: TheoremDecl
    order: int
    certain: bool
    """``False``: it opens a proof only if what follows looks like one (``Instance x : C := {}.``)."""
    started: int | None = None
    sentences: int = 0


@dataclass(slots=True)
class _Reader:
    """Goes through the sentences once, keeping the open scopes and the open proofs."""

    text: str
    scopes: list[_Scope] = field(default_factory=list)
    proofs: list[_OpenProof] = field(default_factory=list)
    found: list[tuple[int, TheoremDecl]] = field(default_factory=list)
    program: str = ""
    counters: dict[str, int] = field(default_factory=dict)
    _line: int = 1
    _line_at: int = 0
    _order: int = 0

    def read(self, sentence: Sentence) -> None:
        """Take the next sentence."""
        if sentence.kind is not SentenceKind.TACTIC_OR_COMMAND:
            self._proof_step(sentence)
            return
        command = classify(sentence.text)
        if command.kind is not CommandKind.OTHER:
            self._drop_uncertain(command)
        if command.kind is CommandKind.STATEMENT:
            self._open_proof(sentence, command)
        elif command.kind is CommandKind.END_PROOF:
            self._end_proof(sentence, command)
        elif command.kind is CommandKind.PROOF:
            self._proof_step(sentence, counted=False)
        elif command.kind in (CommandKind.OPEN_SCOPE, CommandKind.CLOSE_SCOPE):
            self._scope(command)
        else:
            self._other(sentence, command)

    def finish(self) -> list[TheoremDecl]:
        """All declarations, in order of their statements, names made unique."""
        for proof in self.proofs:
            if proof.certain:
                self.found.append((proof.order, proof.decl))
        seen: dict[str, int] = {}
        unique: list[TheoremDecl] = []
        for _, decl in sorted(self.found, key=lambda item: item[0]):
            count = seen[decl.qualified_name] = seen.get(decl.qualified_name, 0) + 1
            unique.append(
                decl if count == 1 else replace(decl, qualified_name=f"{decl.qualified_name}#{count}")
            )
        return unique

    def _drop_uncertain(self, command: Command) -> None:
        """A command right after a declaration that need not open a proof shows that it did not."""
        if command.kind in (CommandKind.PROOF, CommandKind.END_PROOF):
            return
        while self.proofs and not self.proofs[-1].certain:
            self.proofs.pop()

    def _proof_step(self, sentence: Sentence, *, counted: bool = True) -> None:
        if not self.proofs:
            return
        proof = self.proofs[-1]
        proof.certain = True
        if proof.started is None:
            proof.started = sentence.start
        proof.sentences += counted

    def _other(self, sentence: Sentence, command: Command) -> None:
        """A tactic, or a command that neither opens nor closes anything."""
        if command.program:
            self.program = command.name
        if not self.proofs:
            return
        if command.tactic or self.proofs[-1].certain:
            self._proof_step(sentence)
        else:
            self.proofs.pop()

    def _scope(self, command: Command) -> None:
        # Neither modules nor sections can be opened or closed inside a proof.
        self.found.extend((proof.order, proof.decl) for proof in self.proofs if proof.certain)
        self.proofs.clear()
        if command.kind is CommandKind.OPEN_SCOPE:
            self.scopes.append(_Scope(command.name, command.keyword == "Section", command.abstract))
            return
        for depth in range(len(self.scopes) - 1, -1, -1):
            if self.scopes[depth].name == command.name:
                del self.scopes[depth:]
                return

    def _open_proof(self, sentence: Sentence, command: Command) -> None:
        if command.program and not command.keyword.endswith("Obligation"):
            self.program = command.name
        name = self._name(command)
        modules = tuple(scope.name for scope in self.scopes if not scope.section)
        decl = TheoremDecl(
            name=name,
            qualified_name=".".join([*modules, name]),
            kind=command.keyword,
            statement=Span(sentence.start, sentence.end),
            proof=None,
            terminator="",
            modules=modules,
            sections=tuple(scope.name for scope in self.scopes if scope.section),
            line=self._line_of(sentence.start),
            abstract=any(scope.abstract for scope in self.scopes),
        )
        self.proofs.append(_OpenProof(decl, self._order, command.certain))
        self._order += 1

    def _end_proof(self, sentence: Sentence, command: Command) -> None:
        if not self.proofs:
            return
        proof = self.proofs.pop()
        started = sentence.start if proof.started is None else proof.started
        decl = replace(
            proof.decl,
            proof=Span(started, sentence.end),
            terminator=command.keyword,
            proof_sentences=proof.sentences,
        )
        if command.name and decl.kind == "Goal":  # `Save name.`, `Defined name.`
            decl = replace(decl, name=command.name, qualified_name=".".join([*decl.modules, command.name]))
        self.found.append((proof.order, decl))

    def _name(self, command: Command) -> str:
        keyword, name = command.keyword, command.name
        if keyword == "Goal":
            count = self._count("Unnamed_thm")
            return "Unnamed_thm" if count == 0 else f"Unnamed_thm{count - 1}"
        if keyword.endswith("Obligation"):
            program = name or self.program or "Unnamed"
            number = command.number or str(self._count(f"{program}_obligation") + 1)
            return f"{program}_obligation_{number}"
        if not name:
            stem = f"{command.head or 'Unnamed'}_instance"
            return f"{stem}_{self._count(stem)}"
        return name

    def _count(self, key: str) -> int:
        count = self.counters.get(key, 0)
        self.counters[key] = count + 1
        return count

    def _line_of(self, offset: int) -> int:
        self._line += self.text.count("\n", self._line_at, offset)
        self._line_at = offset
        return self._line
