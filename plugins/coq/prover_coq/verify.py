"""The independent check: nothing counts as proved until this says so.

A proof passes several lines of defence, each of which would be enough against most cheats by itself:

1. *The guard* (:mod:`prover_coq.guard`): every sentence of the proof is one tactic, by our lexer.
2. *Coq's own view of the file*: a fresh ``coqc`` compiles the theorem's prefix, the unchanged statement and
   the proof, and tells for each sentence where it began, where it ended and what it was. Between statement
   and end of proof there must be exactly our sentences, and no command among them; its ``.glob`` file must
   show no declaration there.
3. *The statement*: what the theorem says to Coq after the proof is what it said before it, all notations,
   coercions and implicit arguments spelt out; the libraries loaded are the same.
4. *The axioms*: ``Print Assumptions`` must list only the standard library's own (:mod:`prover_coq.axioms`)
   and those that were in sight before the proof began, and no check that was switched off.
5. *The compiled file*: a second fresh process, in which nothing of the proof's text ever ran, loads the
   ``.vo`` and must list the same assumptions.
6. On request, ``coqchk``: the second, independent implementation of Coq's type checker.

Whatever goes wrong with the check itself (time, memory, a missing or broken program, answers that cannot be
read) is ``MACHINERY_FAILED``: it says nothing about the proof.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prover_coq.axioms import LIBRARY_ROOTS, STDLIB_AXIOMS
from prover_coq.candidate import (
    Candidate,
    Source,
    build_candidate,
    build_lookup,
    questions_about,
    read_theorem,
)
from prover_coq.compile import CompileRun, Scratch
from prover_coq.guard import Refusal, RefusalKind
from prover_coq.judgement import (
    Assumptions,
    CompileError,
    answer,
    declarations_in,
    found_names,
    is_command,
    read_assumptions,
    same_sentences,
    timed_sentences,
)
from prover_coq.script import Script, read_script
from prover_coq.toolchain import CoqToolchain
from prover_core.errors import DataError, MachineryError, ToolMissingError
from prover_core.types import Limits, Proof, Theorem, Verdict, VerdictStatus

__all__ = ["STDLIB_AXIOMS", "CoqVerifier"]

_LOG_CHARACTERS = 4000
_INCOMPLETE = re.compile(
    r"Attempt to save (?:an incomplete proof|a proof with)|There are pending proofs"
    r"|Some unresolved existential variables remain|open goals|No such unproven subgoal"
)


@dataclass(slots=True)
class _Findings:
    """What the check has found so far."""

    forbidden: list[str] = field(default_factory=list)
    axioms: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    statement_unchanged: bool | None = None
    rechecked: bool | None = None

    def forbid(self, reason: str) -> None:
        if reason not in self.forbidden:
            self.forbidden.append(reason)


class CoqVerifier:
    """Checks proofs with one installation of Coq. Holds nothing; may be used from several threads."""

    def __init__(self, toolchain: CoqToolchain, allow_axioms: frozenset[str] = STDLIB_AXIOMS) -> None:
        self.toolchain = toolchain
        self._allowed = allow_axioms

    def verify(
        self, theorem: Theorem, proof: Proof, limits: Limits, *, kernel_recheck: bool = False
    ) -> Verdict:
        """Check the proof in its whole file, in fresh processes. Never raises for what is wrong with it.

        ``limits.verify_timeout_s`` is for the whole check, ``limits.memory_mb`` for each process.
        """
        script = read_script(proof, theorem.statement)
        if isinstance(script, Refusal):
            return self._refused(script)
        ending = _ending(theorem, script)
        return self.check_script(theorem, script.lines(ending), limits, kernel_recheck=kernel_recheck)

    def check_script(
        self, theorem: Theorem, lines: Sequence[str], limits: Limits, *, kernel_recheck: bool = False
    ) -> Verdict:
        """All lines of defence but the first: ``lines`` stand after the statement as they are, unguarded.

        Each is one sentence, the proof's end included.
        """
        started = time.monotonic()
        found = _Findings()
        try:
            status, log = self._check(theorem, lines, limits, kernel_recheck, found)
        except (MachineryError, ToolMissingError, DataError, OSError) as error:
            status, log = VerdictStatus.MACHINERY_FAILED, str(error)
        return Verdict(
            status=status,
            checker=f"coqc {self.toolchain.version_text}",
            axioms=tuple(found.axioms),
            forbidden=tuple(found.forbidden),
            statement_unchanged=found.statement_unchanged,
            kernel_rechecked=found.rechecked,
            seconds=time.monotonic() - started,
            log=_shorten("\n".join([*found.notes, log]).strip()),
        )

    def _refused(self, refusal: Refusal) -> Verdict:
        status = {
            RefusalKind.COMMAND: VerdictStatus.CHEATED,
            RefusalKind.SEVERAL: VerdictStatus.CHEATED,
            RefusalKind.GIVES_UP: VerdictStatus.INCOMPLETE,
            RefusalKind.MALFORMED: VerdictStatus.REJECTED,
        }[refusal.kind]
        forbidden = (refusal.reason,) if status is VerdictStatus.CHEATED else ()
        return Verdict(status=status, checker="guard", forbidden=forbidden, log=refusal.reason)

    def _check(
        self,
        theorem: Theorem,
        lines: Sequence[str],
        limits: Limits,
        kernel_recheck: bool,
        found: _Findings,
    ) -> tuple[VerdictStatus, str]:
        source = read_theorem(theorem)
        with Scratch(self.toolchain, source.path, theorem.options, limits) as scratch:
            candidate, run = self._compile(source, lines, scratch)
            _look_for_commands(candidate, run, scratch.glob(), found)
            if run.error is not None:
                verdict = _judge_error(candidate, run, run.error, found)
                if verdict is not None:
                    return verdict
                found.notes.append("the modules around the theorem do not close after it: no compiled file")
            try:
                self._judge_answers(source, candidate, run, scratch, found)
                if not found.forbidden and scratch.compiled is not None:
                    _look_at_compiled(source, scratch, found, candidate.subject)
            except MachineryError:
                if not found.forbidden:  # a cheat may well leave nothing there to be asked about
                    raise
            if found.forbidden:
                return VerdictStatus.CHEATED, run.log
            if kernel_recheck and _recheck(scratch, found) is False:
                return VerdictStatus.REJECTED, "coqchk refuses what coqc accepted"
            return VerdictStatus.PROVED, ""

    def _compile(
        self, source: Source, lines: Sequence[str], scratch: Scratch
    ) -> tuple[Candidate, CompileRun]:
        """Compile it; once more where Coq calls the theorem otherwise than its text suggests.

        Asking about a wrong name could mean asking about another theorem, which may well be proved.
        """
        for _ in range(2):
            candidate = build_candidate(source, lines, scratch.questions, self._lookups())
            run = scratch.compile(candidate.data, candidate.questions)
            named = (answer(run.stdout, f"{candidate.marker}_before_name") or source.name).split()
            if not named or named[0] == source.name:
                return candidate, run
            source = source.renamed(named[0])
        message = f"the name under which Coq proves the theorem cannot be told: it says {named[0]}"
        raise MachineryError(message)

    def _lookups(self) -> list[str]:
        """Allowed axioms that this version of the library may hold."""
        other = {"Corelib", "Stdlib"} if self.toolchain.version < (9,) else {"Coq"}
        return [axiom for axiom in self._allowed if axiom.split(".", 1)[0] not in other]

    def _judge_answers(
        self, source: Source, candidate: Candidate, run: CompileRun, scratch: Scratch, found: _Findings
    ) -> None:
        answers = _Answers(run.stdout, candidate.marker)
        answers.get("before_name")
        found.statement_unchanged = answers.get("before_says").split() == answers.get("after_says").split()
        if not same_sentences(timed_sentences(run.stdout, candidate.proof), candidate.sentences):
            found.forbid("Coq reads other sentences in the proof than those that were checked")
        if not found.statement_unchanged:
            found.forbid("the statement that was proved is not the one that was asked for")
        if answers.get("before_libraries") != answers.get("after_libraries"):
            found.forbid("the proof loads a library")
        assumptions = read_assumptions(answers.get("assumptions"))
        if assumptions is None:
            message = f"the answer of Print Assumptions is not understood:\n{answers.get('assumptions')}"
            raise MachineryError(message)
        for line in assumptions.weakened:
            found.forbid(f"it rests on a check that is switched off: {line}")
        for name in assumptions.variables:
            found.forbid(f"it leaves the section variable {name} behind")
        self._judge_axioms(assumptions, answers, source, scratch, found)

    def _judge_axioms(
        self,
        assumptions: Assumptions,
        answers: _Answers,
        source: Source,
        scratch: Scratch,
        found: _Findings,
    ) -> None:
        before = found_names(answers.get("before_known"))
        after = found_names(answers.get("after_known"))
        full_names = {short: full for full, short in after.items()}
        other: list[str] = []
        for name in assumptions.axioms:
            full = full_names.get(name)
            if full is not None and full in self._allowed and full in before:
                found.axioms.append(full)
            else:
                other.append(name)
        if not other:
            return
        in_sight = _names_before(source, other, scratch)
        context: list[str] = []
        for name in other:
            full = in_sight.get(name)
            found.axioms.append(full or name)
            if full is None or full in after:
                found.forbid(f"it rests on the axiom {name}, which was not there before it")
            elif full.split(".", 1)[0] in LIBRARY_ROOTS and not full.startswith(f"{scratch.logical}."):
                found.forbid(f"it rests on the axiom {full}, which is not among those allowed")
            else:
                context.append(full)
        if context:
            found.notes.append(f"of its axioms, its own context assumes: {', '.join(context)}")


class _Answers:
    """The answers in the compiler's output; one that is missing breaks the check."""

    def __init__(self, stdout: str, marker: str) -> None:
        self._stdout = stdout
        self._marker = marker

    def get(self, name: str) -> str:
        """:raises MachineryError: there is no such answer."""
        text = answer(self._stdout, f"{self._marker}_{name}")
        if text is None:
            message = f"coqc did not answer ({name}); the end of what it said:\n{self._stdout[-1000:]}"
            raise MachineryError(message)
        return text


def _ending(theorem: Theorem, script: Script) -> str:
    """``Defined.`` where the file's own proof ends so, or where the proof asks for it and nothing speaks
    against it; else ``Qed.``."""
    own = theorem.metadata.get("terminator", "")
    if own in ("Qed", "Defined"):
        return f"{own}."
    return script.ending or "Qed."


def _look_for_commands(candidate: Candidate, run: CompileRun, glob: str | None, found: _Findings) -> None:
    """What Coq itself saw between the statement and the end of the proof that is no tactic."""
    for sentence in timed_sentences(run.stdout, candidate.proof):
        if is_command(sentence.text):
            found.forbid(f"the proof holds the command `{sentence.text.replace('~', ' ')}`")
    for declaration in declarations_in(glob or "", [candidate.proof]):
        found.forbid(f"the proof declares something: {declaration}")


def _judge_error(
    candidate: Candidate, run: CompileRun, error: CompileError, found: _Findings
) -> tuple[VerdictStatus, str] | None:
    """What a failed compilation means; ``None``: only the modules around the theorem cannot be closed."""
    where = error.offset(run.data)
    file = Path(error.file).name
    asked = file in candidate.questions
    if file == "before.v" or (not asked and where is not None and where < candidate.proof.start):
        message = f"the file does not compile up to the theorem, so no proof of it can be checked:\n{run.log}"
        raise MachineryError(message)
    answered = answer(run.stdout, f"{candidate.marker}_assumptions") is not None
    if answered and not asked and (where is None or where >= candidate.modules_end.start):
        return None
    if found.forbidden:
        return VerdictStatus.CHEATED, run.log
    if _INCOMPLETE.search(error.message) and (where is None or where in candidate.proof):
        return VerdictStatus.INCOMPLETE, run.log
    if not asked and where is not None and where in candidate.proof:
        return VerdictStatus.REJECTED, run.log
    message = f"the file around the proof does not compile:\n{run.log}"
    raise MachineryError(message)


def _names_before(source: Source, names: Sequence[str], scratch: Scratch) -> dict[str, str]:
    """Full names of those that mean something where the statement stands, with no proof in the file.

    :raises MachineryError: it cannot be told.
    """
    found, unknown = _look_up(source, {name: name for name in names}, scratch)
    if unknown:
        # A keyword by itself, but not behind a dot; its like stand in the same modules.
        spaces = {full.rpartition(".")[0] for full in found.values()} - {""}
        tries = {f"{space}.{name}": name for name in unknown for space in sorted(spaces)}
        more, _ = _look_up(source, tries, scratch)
        found.update(more)
        unknown = [name for name in unknown if name not in found]
    if unknown:
        message = f"Coq cannot look up {', '.join(unknown)}: notations have made keywords of them"
        raise MachineryError(message)
    return found


def _look_up(source: Source, asked: dict[str, str], scratch: Scratch) -> tuple[dict[str, str], list[str]]:
    """Short name -> full name, and the short names that Coq could not even read.

    ``asked``: what to ask for -> the short name that the answer must have.
    """
    data, questions, marker = build_lookup(source, list(asked), scratch.questions)
    run = scratch.look_up(data, questions)  # fails at its end if anything is open there; the answers count
    found: dict[str, str] = {}
    unreadable: list[str] = []
    for number, (question, name) in enumerate(asked.items()):
        text = answer(run.stdout, f"{marker}_{number}")
        if text is None:
            unreadable.append(name)
            continue
        for full, short in found_names(text).items():  # the first is what the question refers to
            if question == name or short == name:
                found[name] = full
            break
    return found, unreadable


def _look_at_compiled(source: Source, scratch: Scratch, found: _Findings, subject: str) -> None:
    """Load the compiled file in a process of its own and ask again what the theorem rests on."""
    if source.abstract:
        found.notes.append("inside a functor or module type: its compiled file cannot be asked")
        return
    name = ".".join([scratch.logical, *source.modules, subject])
    marker = f"polyprover_{secrets.token_hex(16)}"
    run = scratch.ask(questions_about(scratch.logical, name, marker))
    if run.error is not None:
        found.notes.append(f"the compiled file could not be asked: {run.error.message}")
        return
    place = answer(run.stdout, f"{marker}_place")
    listed = read_assumptions(answer(run.stdout, f"{marker}_assumptions") or "")
    if listed is None or place is None or str(scratch.compiled) not in place:
        message = f"the compiled file gave no answer that can be read:\n{run.stdout[-1000:]}"
        raise MachineryError(message)
    if listed.weakened or listed.variables or not _same_axioms(listed.axioms, found.axioms):
        found.forbid(
            "the compiled file rests on something else than it seemed to: "
            + ", ".join([*listed.axioms, *listed.weakened, *listed.variables])
        )


def _same_axioms(shown: Sequence[str], full: Sequence[str]) -> bool:
    """Whether these short names can stand for exactly these full ones."""
    return len(shown) == len(full) and all(
        any(f".{name}".endswith(f".{short}") for name in full) for short in shown
    )


def _recheck(scratch: Scratch, found: _Findings) -> bool | None:
    """Ask ``coqchk``; ``None``: there is no compiled file to be asked about."""
    if scratch.compiled is None:
        found.notes.append("coqchk was not asked: the theorem's modules do not close after it")
        return None
    result = scratch.recheck()
    found.rechecked = result.returncode == 0
    if not found.rechecked:
        found.notes.append(f"coqchk: {result.stderr.strip() or result.stdout.strip()}")
    return found.rechecked


def _shorten(text: str) -> str:
    if len(text) <= _LOG_CHARACTERS:
        return text
    half = _LOG_CHARACTERS // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
