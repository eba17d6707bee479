"""Theorems, as the rest of Polyprover knows them, out of Coq files and out of text."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from pathlib import Path

from prover_coq.commands import CommandKind, classify
from prover_coq.document import TheoremDecl, parse_document, read_source
from prover_coq.lexer import SentenceKind, split_sentences
from prover_coq.project import compile_options, find_project, library_root
from prover_core.errors import DataError, UnknownNameError
from prover_core.types import Theorem

__all__ = ["select_theorems", "source_name", "theorem_from_text", "theorems_of_file"]


def source_name(path: Path) -> str:
    """A file's name in theorem ids: relative to its library or project, else the bare file name.

    Files of the standard library are ``Arith/PeanoNat.v`` in every version of Coq, wherever installed;
    Rocq's core library comes as ``Corelib/Init/Logic.v``, other installed libraries under their own name.
    """
    path = path.resolve()
    root = library_root(path)
    if root is not None:
        top, *rest = path.relative_to(root).parts
        if top == "user-contrib":
            return "/".join(rest[1:] if rest[0] == "Stdlib" else rest)
        core = [] if (root / "theories" / "Arith").is_dir() else ["Corelib"]
        return "/".join([*core, *rest])
    project = find_project(path).root
    return path.relative_to(project.resolve()).as_posix() if project is not None else path.name


def theorems_of_file(path: Path, options: Sequence[str] = (), *, project: str = "") -> list[Theorem]:
    """Every theorem of a source file, admitted and unfinished ones too, in the file's order.

    ``options`` are added to those of the file's project. ``metadata`` has ``kind``, ``line``, ``area`` (the
    file's folder), ``terminator`` (``Qed``, ``Admitted``, ..., empty: unfinished), ``proof_sentences``, and
    ``abstract`` (``yes``: stands in a functor, module type or sealed module, so it may have no global name).

    :raises DataError: the file is not Coq's, or cannot be read, or its project file cannot.
    """
    if path.suffix != ".v":
        message = f"{path} is not a Coq source file: its name does not end in .v"
        raise DataError(message)
    text = read_source(path)
    found = compile_options(path, options)
    name = source_name(path)
    file = str(path.resolve())
    return [_theorem(decl, text, name, file, found, project) for decl in parse_document(text).theorems]


def _theorem(
    decl: TheoremDecl, text: str, source: str, file: str, options: tuple[str, ...], project: str
) -> Theorem:
    return Theorem(
        id=f"{source}:{decl.qualified_name}",
        name=_plain(decl.qualified_name),
        prover="coq",
        statement=text[decl.statement.start : decl.statement.end],
        file=file,
        span=decl.statement,
        proof_span=decl.proof,
        project=project,
        options=options,
        metadata={
            "kind": decl.kind,
            "line": str(decl.line),
            "area": source.rpartition("/")[0],
            "terminator": decl.terminator,
            "proof_sentences": str(decl.proof_sentences),
            "abstract": "yes" if decl.abstract else "no",
        },
    )


def _plain(name: str) -> str:
    """Without the ``#2`` of a name that the file declares twice."""
    return name.partition("#")[0]


def theorem_from_text(
    statement: str, name: str = "", preamble: str = "", options: Sequence[str] = ()
) -> Theorem:
    """A theorem that stands in no file: ``preamble``, then ``statement``.

    ``name`` becomes the id; without it the declared name is. ``Theorem.name`` is always the declared name,
    with the modules that ``preamble`` leaves open.

    :raises DataError: ``statement`` is not exactly one sentence that opens a proof, or ``preamble`` breaks
        off inside a sentence or a proof.
    """
    statement = statement.strip()
    sentences = split_sentences(statement)
    _check_statement(statement, [s.kind for s in sentences], all(s.complete for s in sentences))
    before = preamble if not preamble or preamble.endswith("\n") else preamble + "\n"
    _check_preamble(before)
    start = len(before) + sentences[0].start
    for decl in parse_document(before + statement).theorems:
        if decl.statement.start == start:
            declared = _plain(decl.qualified_name)
            break
    else:
        declared = classify(sentences[0].text).name or "Unnamed_thm"
    return Theorem(
        id=name or declared,
        name=declared,
        prover="coq",
        statement=sentences[0].text,
        preamble=before,
        options=tuple(options),
        metadata={"kind": classify(sentences[0].text).keyword},
    )


def _check_statement(statement: str, kinds: Sequence[SentenceKind], complete: bool) -> None:
    shown = statement if len(statement) <= 200 else statement[:200] + " ..."
    problem = ""
    if not kinds:
        problem = "it holds no sentence"
    elif not complete:
        problem = "its last sentence is not ended by a dot (or a comment or string is not closed)"
    elif len(kinds) > 1:
        problem = f"it holds {len(kinds)} sentences; definitions and imports belong in the preamble"
    elif classify(split_sentences(statement)[0].text).kind is not CommandKind.STATEMENT:
        problem = "it does not open a proof; write for instance `Lemma name : statement.`"
    if problem:
        message = f"not one Coq statement: {problem}.\nThe text was: {shown!r}"
        raise DataError(message)


def _check_preamble(preamble: str) -> None:
    sentences = split_sentences(preamble)
    if sentences and not sentences[-1].complete:
        message = f"the preamble's last sentence is not ended by a dot: {sentences[-1].text[:200]!r}"
        raise DataError(message)
    open_proofs = [d.qualified_name for d in parse_document(preamble).theorems if d.proof is None]
    if open_proofs:
        message = f"the preamble leaves the proof of {open_proofs[0]} open; end it with Qed or Admitted."
        raise DataError(message)


def select_theorems(theorems: Sequence[Theorem], name: str, where: str) -> list[Theorem]:
    """The theorems called ``name``: fully (``Nat.add_comm``), by the end of the name, or by a glob.

    :raises UnknownNameError: there is none, or several share the end of their names; ``where`` (a file) is
        named in the message.
    """
    by_id = [t for t in theorems if t.id.rpartition(":")[2] == name]
    if by_id:
        return by_id
    if any(mark in name for mark in "*?["):
        matching = [t for t in theorems if fnmatch.fnmatchcase(t.name, name)]
    else:
        matching = [t for t in theorems if t.name.endswith("." + name)]
        if len(matching) > 1:
            names = ", ".join(t.name for t in matching[:8])
            message = f"{name} in {where} can mean several theorems: {names}. Write the whole name."
            raise UnknownNameError(message)
    if not matching:
        raise UnknownNameError(_no_theorem(name, where, [t.name for t in theorems]))
    return matching


def _no_theorem(name: str, where: str, names: list[str]) -> str:
    if not names:
        return f"{where} holds no theorem at all, so none called {name}."
    shorts = {full.rpartition(".")[2]: full for full in names}
    near = difflib.get_close_matches(name, names, n=5)
    near += [shorts[short] for short in difflib.get_close_matches(name.rpartition(".")[2], shorts, n=5)]
    shown = list(dict.fromkeys(near))[:6]
    if shown:
        hint = f"Near names: {', '.join(shown)}."
    else:
        hint = f"It holds {len(names)}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
    return (
        f"no theorem {name} is declared in {where}. {hint}\n"
        "What a module gets by `Include` or by applying a functor is declared in that functor's file."
    )
