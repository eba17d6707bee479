"""Reading what Coq's compiler said about a candidate file: pure functions, no process.

Four kinds of output are read: the line that ``-time`` prints for each sentence, from which Coq's own view of
the file is known; error messages with their place; the answers between markers (see
:mod:`prover_coq.candidate`); and the ``.glob`` file, in which the compiler notes what was declared where.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from prover_coq.candidate import Region

__all__ = [
    "Assumptions",
    "CompileError",
    "TimedSentence",
    "answer",
    "declarations_in",
    "first_error",
    "found_names",
    "is_command",
    "read_assumptions",
    "same_sentences",
    "timed_sentences",
]


@dataclass(frozen=True, slots=True)
class TimedSentence:
    """One sentence as Coq saw it; offsets are bytes."""

    start: int
    end: int
    text: str
    """Coq's own rendering, shortened, blanks as ``~``."""


_TIMED = re.compile(r"^Chars (\d+) - (\d+) \[(.*)\] \d[\d.]*(?:e-?\d+)? secs? \(", re.MULTILINE)


def timed_sentences(stdout: str, region: Region) -> list[TimedSentence]:
    """Sentences that Coq executed in that part of the file.

    A tactic can print lines that look the same, but cannot keep Coq from printing its own: there may be
    too many of them, never too few.
    """
    found = (TimedSentence(int(m[1]), int(m[2]), m[3]) for m in _TIMED.finditer(stdout))
    return [sentence for sentence in found if sentence.start in region]


def same_sentences(seen: Iterable[TimedSentence], expected: Iterable[Region]) -> bool:
    """Whether Coq executed exactly these sentences."""
    return sorted((s.start, s.end) for s in seen) == sorted((r.start, r.end) for r in expected)


_ALLOWED = re.compile(
    r"Proof(?:~+(?:using|with)\b.*|\.)|Qed\.|Defined\.|Save\b.*|Unshelve\.|Grab~Existential~Variables\."
)
_SELECTED = re.compile(r"(?:all|par|!|\[[^\]]*\]|\d+(?:[-,~]+\d+)*)~?:~?(?!=)")


def is_command(text: str) -> bool:
    """Whether Coq's rendering of a sentence is that of a command rather than of a tactic.

    Coq prints commands by their grammar, which a file cannot change: they begin with an upper-case letter
    or an attribute. Tactics with a qualified name may begin with an upper-case one too.
    """
    if _ALLOWED.fullmatch(text):
        return False
    bare = _SELECTED.sub("", text, count=1).lstrip("(~")
    if bare.startswith("#["):
        return True
    word = re.match(r"[\w']+(\.\w)?", bare)
    return word is not None and word[0][0].isupper() and word[1] is None


@dataclass(frozen=True, slots=True)
class CompileError:
    """The error that ended a compilation."""

    message: str
    file: str = ""
    line: int = 0
    """Counted from 1; 0: the error has no place."""
    column: int = 0
    """In bytes."""

    def offset(self, data: bytes) -> int | None:
        """Where in the file it is, in bytes."""
        if self.line == 0:
            return None
        position = 0
        for _ in range(self.line - 1):
            newline = data.find(b"\n", position)
            if newline < 0:
                return len(data)
            position = newline + 1
        return min(position + self.column, len(data))


_PLACED = re.compile(
    r'^File "(?P<file>[^"\n]*)", line (?P<line>\d+), characters (?P<column>\d+)-\d+:\n'
    r"(?:Error|Anomaly|Fatal error)\b:?(?P<message>.*)",
    re.MULTILINE | re.DOTALL,
)
_UNPLACED = re.compile(r"^(?:Error|Anomaly|Fatal error)\b:?(?P<message>.*)", re.MULTILINE | re.DOTALL)


def first_error(stderr: str) -> CompileError | None:
    """The first error in the compiler's standard error; ``None``: there is none that can be read."""
    placed = _PLACED.search(stderr)
    unplaced = _UNPLACED.search(stderr)
    if placed is not None and (unplaced is None or placed.start() <= unplaced.start()):
        message = placed["message"].strip()
        return CompileError(message, placed["file"], int(placed["line"]), int(placed["column"]))
    return None if unplaced is None else CompileError(unplaced["message"].strip())


def answer(stdout: str, marker: str) -> str | None:
    """What stands between the marker's two lines; ``None``: it is not there, or there twice."""
    begin = re.findall(rf"^.*\b{marker}_begin$\n", stdout, re.MULTILINE)
    end = re.findall(rf"^.*\b{marker}_end$", stdout, re.MULTILINE)
    if len(begin) != 1 or len(end) != 1:
        return None
    start = stdout.index(begin[0]) + len(begin[0])
    stop = stdout.index(end[0])
    return stdout[start:stop] if start <= stop else None


_FOUND = re.compile(
    r"^Constant (?P<full>\S+)"
    r"(?:\s+\(shorter name to refer to it in current context is (?P<short>\S+)\))?$",
    re.MULTILINE,
)


def found_names(located: str) -> dict[str, str]:
    """Constants that ``Locate Term`` found: full name -> the shortest name for it there, in Coq's order.

    Coq leaves the shortest name out where it is the one that was asked for; then it is the full name here.
    """
    return {m["full"]: m["short"] or m["full"] for m in _FOUND.finditer(located)}


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What ``Print Assumptions`` lists."""

    axioms: tuple[str, ...] = ()
    """Names as printed: the shortest that refer to them there."""
    weakened: tuple[str, ...] = ()
    """Checks that were switched off, in Coq's words."""
    variables: tuple[str, ...] = ()
    """Section variables."""


_HEADINGS = {"Axioms:": "axioms", "Section Variables:": "variables", "Theory:": "theory"}
_AXIOM = re.compile(r"(?P<name>[^\s:@]+)(?:@\{[^}]*\})?\s*:(?:\s|$)")
_WEAKENED = re.compile(r"\S+ (?:is assumed to be|relies on)\b")


def read_assumptions(text: str) -> Assumptions | None:
    """Read its answer; ``None``: it holds a line that is not understood, so nothing may be concluded."""
    found: dict[str, list[str]] = {"axioms": [], "variables": [], "theory": []}
    heading = ""
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and lines[0].startswith("Closed under the global context"):
        return Assumptions() if len(lines) == 1 else None
    for line in lines:
        if line in _HEADINGS:
            heading = _HEADINGS[line]
        elif heading == "theory":
            found["theory"].append(line.strip())
        elif line[0] in " \t" and heading:
            continue  # the type goes on
        elif _WEAKENED.match(line):
            found["theory"].append(line.strip())
        elif heading and (axiom := _AXIOM.match(line + " ")):
            found[heading].append(axiom["name"])
        elif heading and re.fullmatch(r"\S+", line):
            found[heading].append(line)  # a long type begins on the next line
        else:
            return None
    if not lines:
        return None
    return Assumptions(tuple(found["axioms"]), tuple(found["theory"]), tuple(found["variables"]))


_GLOB = re.compile(r"^(?P<kind>[a-z]+) (?P<start>\d+):(?P<end>\d+) \S+ (?P<name>\S+)", re.MULTILINE)


def declarations_in(glob: str, regions: Iterable[Region]) -> list[str]:
    """What the compiler declared in those parts of the file: ``ax x``, ``def y``, ..."""
    areas = list(regions)
    return [
        f"{m['kind']} {m['name']}"
        for m in _GLOB.finditer(glob)
        if m["kind"] != "binder" and any(int(m["start"]) in area for area in areas)
    ]
