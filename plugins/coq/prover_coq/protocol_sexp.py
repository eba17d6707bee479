"""The s-expression protocol of ``sertop --print0 --printer=mach`` as pure functions. No process here.

A command is answered by messages that end in a NUL: first ``(Answer N Ack)``, then feedback and results,
last ``(Answer N Completed)``. The stream is split at the end of that last message (:data:`TERMINATOR`); an
*answer* is all that a command gave, ``Completed`` left out. As ``mach`` writes neither NUL nor a bare quote
into a string, the bytes can be searched for whole constructs without reading the rest.

``sertop`` tells only the goals in focus as text, without the shelved, given-up and unfocused ones; those
come from ``Show Existentials``. So the answers to :func:`goals_query` and :func:`existentials_query` are
read together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from prover_coq.goals import parse_hypothesis
from prover_core.errors import ProtocolError
from prover_core.types import Goal, Goals, Hypothesis

__all__ = [
    "NOOP",
    "NO_PROOF",
    "TERMINATOR",
    "Sexp",
    "add_command",
    "added_id",
    "cancel_command",
    "dump",
    "exec_command",
    "existentials_query",
    "failure",
    "goals",
    "goals_query",
    "has_goals",
    "is_good",
    "is_syntax_error",
    "messages",
    "parse",
    "quote",
    "split_stream",
    "vernac_query",
]

Sexp: TypeAlias = "str | list[Sexp]"

TERMINATOR = b" Completed)\x00"
NOOP = b"(Query () (Names unused))\n"
NO_PROOF = "This command requires an open proof."
"""What ``Show Existentials`` answers where no proof is open."""

_TOKEN = re.compile(rb'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s()"]+))', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:([0-9]{3})|x([0-9a-fA-F]{2})|\n[ \t]*|(.))", re.DOTALL)
_SIMPLE = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b"}
_PLAIN_ATOM = re.compile(r"[A-Za-z0-9_./:*?!<>=+-]+")
_TO_QUOTE = re.compile(r'["\\\x00-\x1f\x7f]')
_ADDED = re.compile(rb"\x00\(Answer \d+\(Added (\d+)")
_FAILED = re.compile(rb"\x00\(Answer \d+\(CoqExn\(")
_TEXT = rb'(?: ([^\s()"]+)|("(?:[^"\\]|\\.)*"))'
_LAST_STR = re.compile(rb"\(str" + _TEXT + rb"\)+$", re.DOTALL)
_GOAL_TEXT = re.compile(rb"\x00\(Answer \d+\(ObjList\(\(CoqString" + _TEXT + rb"\)\)\)\)", re.DOTALL)
_MESSAGE = re.compile(
    rb"\x00\(Feedback\(\(doc_id \d+\)\(span_id \d+\)\(route \d+\)"
    rb"\(contents\(Message\(level (?:Notice|Info|Debug)\)(.*?)\)\)\)\)(?=\x00)",
    re.DOTALL,
)
_LINE = re.compile(r"(?:^|\n)={20,}\n")
_NO_HYPOTHESES = "none"
_HYPOTHESIS = re.compile(r"^ {1,2}(?=\S)", re.MULTILINE)


# --- s-expressions ----------------------------------------------------------------------------------


def quote(text: str) -> bytes:
    """Text as a quoted atom.

    :raises ProtocolError: it is not Unicode text.
    """
    if _TO_QUOTE.search(text):
        text = _TO_QUOTE.sub(_quoted, text)
    try:
        return b'"%s"' % text.encode()
    except UnicodeEncodeError as error:
        message = f"text that is not Unicode cannot be sent to sertop: {text[:80]!r}"
        raise ProtocolError(message) from error


def _quoted(found: re.Match[str]) -> str:
    char = found[0]
    if char in '"\\':
        return f"\\{char}"
    return "\\n" if char == "\n" else f"\\{ord(char):03d}"


def dump(sexp: Sexp) -> bytes:
    """An s-expression as sertop reads it.

    :raises ProtocolError: an atom is not Unicode text.
    """
    if isinstance(sexp, str):
        return sexp.encode() if _PLAIN_ATOM.fullmatch(sexp) else quote(sexp)
    return b"(%s)" % b" ".join(dump(item) for item in sexp)


def parse(data: bytes) -> Sexp:
    """The one s-expression in ``data``.

    :raises ProtocolError: there is none, it is not complete, or something follows it.
    """
    top: list[Sexp] = []
    stack, position, end = [top], 0, len(data.rstrip())
    while position < end:
        token = _TOKEN.match(data, position)
        if token is None:
            raise _malformed(data, "a string that does not end")
        position = token.end()
        if token[1] == b"(":
            inner: list[Sexp] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif token[1] == b")":
            stack.pop()
            if not stack:
                raise _malformed(data, "a closing bracket too many")
        else:
            stack[-1].append(_unquoted(token[2]) if token[2] is not None else _decode(token[3]))
    if len(stack) > 1:
        raise _malformed(data, "a bracket that is not closed")
    if len(top) != 1:
        raise _malformed(data, f"{len(top)} expressions where one was expected")
    return top[0]


def _unquoted(body: bytes) -> str:
    if b"\\" in body:
        body = _ESCAPE.sub(_unescaped, body)
    return _decode(body)


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return bytes([int(found[1]) & 255])
    if found[2] is not None:
        return bytes([int(found[2], 16)])
    char: bytes | None = found[3]
    return b"" if char is None else _SIMPLE.get(char, char)


def _decode(data: bytes) -> str:
    return data.decode(errors="replace")


def _malformed(data: bytes, what: str) -> ProtocolError:
    return ProtocolError(f"sertop's answer is not one s-expression ({what}): {_shown(data)}")


def _shown(data: bytes) -> str:
    return repr(data[:200].decode(errors="replace"))


# --- commands ---------------------------------------------------------------------------------------


def add_command(sentence: str, tip: int, new: int) -> bytes:
    """Parse one sentence, put it after state ``tip``, and call the new state ``new``.

    :raises ProtocolError: the sentence is not Unicode text.
    """
    return b"(Add((newtip %d)(ontop %d))%s)\n" % (new, tip, quote(sentence))


def exec_command(state: int) -> bytes:
    """Execute everything up to a state."""
    return b"(Exec %d)\n" % state


def cancel_command(states: Sequence[int]) -> bytes:
    """Take states, and all that stands after them, off the document; unknown ones do no harm."""
    # The first first: going back to before a later one may lead to a state that has failed.
    return b"(Cancel(%s))\n" % b" ".join(b"%d" % s for s in sorted(states))


def existentials_query(state: int) -> bytes:
    """Tell every open existential variable with its standing."""
    return b'(Query((sid %d))(Vernac"Show Existentials."))\n' % state


def goals_query(state: int) -> bytes:
    """The goals in focus, as text; only right after :func:`exec_command` of the same state.

    It executes nothing by itself, and prints in the state that was executed last.
    """
    return b"(Query((sid %d)(pp((pp_format PpStr))))Goals)\n" % state


def vernac_query(sentence: str, state: int) -> bytes:
    """Run a sentence in a state without changing the document.

    :raises ProtocolError: the sentence is not Unicode text.
    """
    return b"(Query((sid %d))(Vernac %s))\n" % (state, quote(sentence))


# --- answers ----------------------------------------------------------------------------------------


def split_stream(buffer: bytes) -> tuple[list[bytes], bytes]:
    """The whole answers at the start of ``buffer``, and the rest."""
    answers = buffer.split(TERMINATOR)
    return answers, answers.pop()


def is_good(answer: bytes) -> bool:
    """Whether the command succeeded.

    :raises ProtocolError: this is no answer.
    """
    if b"(CoqExn(" in answer and _FAILED.search(answer):
        return False
    if b" Ack)" not in answer:
        message = f"sertop's answer was never acknowledged: {_shown(answer)}"
        raise ProtocolError(message)
    return True


def is_syntax_error(answer: bytes) -> bool:
    """Whether a sentence was refused before anything of it was executed."""
    return b"(stm_ids())" in answer


def added_id(answer: bytes) -> int | None:
    """The new state's number out of the answer to an ``Add``; ``None``: the sentence was refused.

    :raises ProtocolError: this is no answer to an ``Add``.
    """
    if not is_good(answer):
        return None
    found = _ADDED.search(answer)
    if not found:
        message = f"sertop's answer to Add names no state: {_shown(answer)}"
        raise ProtocolError(message)
    return int(found[1])


def failure(answer: bytes) -> str:
    """The error message of an answer that is not good.

    :raises ProtocolError: it holds none.
    """
    start = _FAILED.search(answer)
    end = answer.find(b"\x00", start.end()) if start else -1
    found = _LAST_STR.search(answer, start.end(), end if end >= 0 else len(answer)) if start else None
    if not found:
        message = f"sertop reports a failure without a message: {_shown(answer)}"
        raise ProtocolError(message)
    return _atom(found).strip()


def _atom(found: re.Match[bytes]) -> str:
    """The text that :data:`_TEXT` matched, bare or quoted."""
    return _decode(found[1]) if found[1] is not None else _unquoted(found[2][1:-1])


def messages(answer: bytes) -> list[str]:
    """What the prover said besides its answer (what ``Search`` found), warnings left out."""
    texts = (_LAST_STR.search(body + b")") for body in _MESSAGE.findall(answer + b"\x00"))
    return [_atom(text) for text in texts if text]


def has_goals(existentials: bytes, focused: bytes) -> bool | None:
    """Whether any goal, of whatever standing, is open; ``None``: no proof is open."""
    if not is_good(existentials):
        return None
    if b'(CoqString"")' not in focused:
        return True
    return b"Existential 1 =" in existentials


def goals(existentials: bytes, focused: bytes) -> Goals:
    """The goals out of the answers to :func:`existentials_query` and :func:`goals_query`.

    :raises ProtocolError: these are no such answers.
    """
    if not is_good(existentials):
        return Goals()
    found = _GOAL_TEXT.search(focused)
    if not found:
        message = f"sertop's answer holds no goals: {_shown(focused)}"
        raise ProtocolError(message)
    in_focus = tuple(_focused(_atom(found)))
    groups: dict[str, list[Goal]] = {"": [], " (shelved)": [], " (given up)": []}
    for goal, standing in _existentials(existentials):
        groups.setdefault(standing, []).append(goal)
    return Goals(
        focused=in_focus,
        unfocused=tuple(_left_over(groups[""], in_focus)),
        shelved=tuple(groups[" (shelved)"]),
        given_up=tuple(groups[" (given up)"]),
    )


def _focused(text: str) -> Iterator[Goal]:
    """Goals as sertop prints them: hypotheses, newest first, a line, the conclusion.

    A blank line stands before the first hypothesis, and the word ``none`` for no hypotheses.
    """
    if not text.strip():
        return
    above, *rest = _LINE.split(text)
    if not rest:
        message = f"goals of an unknown form in sertop's answer: {text[:200]!r}"
        raise ProtocolError(message)
    for index, part in enumerate(rest):
        conclusion, following = part, ""
        if index < len(rest) - 1:
            conclusion, _, following = part.rpartition(
                "\n" if part.endswith(f"\n{_NO_HYPOTHESES}") else "\n\n"
            )
        yield Goal(hypotheses=_hypotheses(above), conclusion=conclusion.strip())
        above = following


def _hypotheses(text: str) -> tuple[Hypothesis, ...]:
    """Each begins with two spaces; further lines of the same are indented more."""
    if text.strip() == _NO_HYPOTHESES:
        return ()
    parts = [part.strip() for part in _HYPOTHESIS.split(text)]
    return tuple(parse_hypothesis(part) for part in reversed(parts) if part)


def _existentials(answer: bytes) -> Iterator[tuple[Goal, str]]:
    """Every open existential variable, and what stands after it: nothing, ``(shelved)``, ``(given up)``."""
    for body in _MESSAGE.findall(answer + b"\x00"):
        if b"Existential 1 =" not in body:
            continue
        fields = parse(b"(" + body + b")")
        for item in fields:
            if isinstance(item, list) and item and item[0] == "pp":
                yield from _existential_entries(item[1])


def _existential_entries(pp: Sexp) -> Iterator[tuple[Goal, str]]:
    """Entries in a printed document: a box that starts with ``Existential N =``."""
    if isinstance(pp, str):
        return
    parts = _glued(pp)
    if parts and _is_string(parts[0]) and _flat(parts[0]).startswith("Existential "):
        standing = _flat(parts[-1]) if _is_string(parts[-1]) else ""
        yield _existential(pp), standing
        return
    for item in parts if parts else pp:
        yield from _existential_entries(item)


def _existential(pp: list[Sexp]) -> Goal:
    """``?name : [hypotheses |- conclusion]``."""
    name = ""
    for parts in _glues(pp):
        text = _flat(parts[0]) if parts else ""
        if text.startswith("?") and not name:
            name = text.split(" ")[0]
        if text == "[":
            turnstile = next((i for i, p in enumerate(parts) if _is_string(p) and _flat(p) == "|- "), None)
            if turnstile is not None:
                return Goal(
                    hypotheses=tuple(_context(parts[1:turnstile])),
                    conclusion="".join(_flat(p) for p in parts[turnstile + 1 : -1]).strip(),
                    name=name or None,
                )
    return Goal(hypotheses=(), conclusion=_flat(pp), name=name or None)


def _context(parts: list[Sexp]) -> Iterator[Hypothesis]:
    """The boxes between ``[`` and ``|-``: one a hypothesis."""
    for part in parts:
        if not isinstance(part, list) or part[0] == "Pp_print_break":
            continue
        if part[0] == "Pp_box" and part[1] == ["Pp_hvbox", "0"]:
            inner = _glued(part) or [part[2]]
            yield from _context(inner)
        elif text := _flat(part).strip():
            yield parse_hypothesis(text)


def _glued(pp: list[Sexp]) -> list[Sexp]:
    """The parts of ``(Pp_glue (...))``, through a box around it; empty for everything else."""
    if pp and pp[0] == "Pp_box" and isinstance(pp[-1], list):
        return _glued(pp[-1])
    if len(pp) == 2 and pp[0] == "Pp_glue" and isinstance(pp[1], list):
        return pp[1]
    return []


def _glues(pp: list[Sexp]) -> Iterator[list[Sexp]]:
    """The parts of every glue in a document, outermost first."""
    parts = _glued(pp)
    if parts:
        yield parts
    for item in parts if parts else pp:
        if isinstance(item, list):
            yield from _glues(item)


def _is_string(pp: Sexp) -> bool:
    return isinstance(pp, list) and len(pp) == 2 and pp[0] == "Pp_string"


def _flat(pp: Sexp) -> str:
    """A printed document on one line."""
    if isinstance(pp, str) or not pp:
        return ""
    kind = pp[0]
    if kind == "Pp_string":
        return pp[1] if isinstance(pp[1], str) else ""
    if kind in ("Pp_print_break", "Pp_force_newline"):
        width = pp[1] if len(pp) > 1 else "1"
        return " " if width != "0" else ""
    if kind == "Pp_glue":
        return "".join(_flat(item) for item in pp[1])
    if kind in ("Pp_box", "Pp_tag"):
        return _flat(pp[-1])
    return ""


def _left_over(unmarked: list[Goal], in_focus: tuple[Goal, ...]) -> list[Goal]:
    """Open goals that are not in focus: those whose text is not that of a goal in focus."""
    waiting = Counter(_key(goal) for goal in in_focus)
    rest = []
    for goal in unmarked:
        key = _key(goal)
        if waiting[key]:
            waiting[key] -= 1
        else:
            rest.append(goal)
    # Where the two printers disagree on a text, the numbers are still right.
    surplus = len(rest) - (len(unmarked) - len(in_focus))
    return rest[surplus:] if surplus > 0 else rest


def _key(goal: Goal) -> tuple[tuple[str, ...], str]:
    names = sorted(
        f"{name}:{''.join((h.body or '').split())}:{''.join(h.type.split())}"
        for h in goal.hypotheses
        for name in h.names
    )
    return tuple(names), "".join(goal.conclusion.split())
