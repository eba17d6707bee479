"""White space of Lean text, normalised without a change of meaning: indentation is syntax.

Lean compares the column in which a line starts with the columns of what came before it. So no line's start
is ever moved, but with all of its text; and blanks inside a line go only where no later line's start
stands differently to what they move.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from prover_lean4.keywords import COMMAND_MODIFIERS, COMMAND_WORDS, LOOSE_COMMAND_WORDS
from prover_lean4.lexer import Token, TokenKind, tokenize

__all__ = ["dedent", "join_proof", "normalise_whitespace", "same_layout", "split_proof"]

_MAX_NEW_LINES = 2
_BLANKS = " \t\r\n"
_WORD = re.compile(r"[a-z_]+")
_COMMANDS = COMMAND_WORDS | COMMAND_MODIFIERS | LOOSE_COMMAND_WORDS


def normalise_whitespace(text: str) -> str:
    """Unix line ends, no blanks at line ends, at most one blank line in a row, none at the ends.

    Runs of spaces between tokens become one space where the layout allows it. Tokens, comments included, stay
    as they are and in their order; what starts a line stays in its column. Calling it twice changes nothing.
    """
    tokens = tokenize(text)
    pieces: list[str] = []
    for index, token in enumerate(tokens):
        if token.kind is not TokenKind.BLANK:
            pieces.append(token.text)
            continue
        last = index == len(tokens) - 1
        pieces.append(_gap(token.text, at_start=index == 0, at_end=last))
    tidy = "".join(pieces)
    return _collapse(tidy)


def _gap(blank: str, *, at_start: bool, at_end: bool) -> str:
    blank = blank.replace("\r\n", "\n")
    lines = blank.count("\n")
    if at_end:
        return ""
    if not lines:
        return blank
    indentation = blank[blank.rfind("\n") + 1 :]
    return indentation if at_start else "\n" * min(lines, _MAX_NEW_LINES) + indentation


def _collapse(text: str) -> str:
    """Runs of spaces inside lines become one space, line by line, where nothing below depends on them."""
    lines = text.split("\n")
    commands = [_begins_command(line) for line in lines]
    tokens = tokenize(text)
    starts = _starts(lines, tokens)
    fixed = _fixed_lines(tokens)
    columns = _columns_by_line(tokens)
    for number, line in enumerate(lines):
        if number in fixed or "  " not in line.lstrip(" "):
            continue
        old = columns.get(number, [])
        candidate = _single_spaces(line)
        new = [token.start for token in tokenize(candidate) if token.kind is not TokenKind.BLANK]
        if len(new) == len(old) and _same_relations(old, new, starts, commands, number):
            lines[number] = candidate
    return "\n".join(lines)


def _single_spaces(line: str) -> str:
    """What stands behind a comment that starts the line starts it too, for Lean, and is not moved."""
    parts: list[str] = []
    started = False
    for token in tokenize(line):
        blank = token.kind is TokenKind.BLANK
        parts.append(" " if blank and started and token.end < len(line) else token.text)
        started = started or not (blank or token.kind is TokenKind.COMMENT)
    return "".join(parts)


def _starts(lines: Sequence[str], tokens: Sequence[Token]) -> list[frozenset[int]]:
    """For each line the columns of its first character that is not a blank and of its first token that is no
    comment: a comment may end on the line, and Lean looks at what stands behind it."""
    first: dict[int, int] = {}
    line = line_start = 0
    for token in tokens:
        if token.kind is not TokenKind.BLANK and token.kind is not TokenKind.COMMENT:
            first.setdefault(line, token.start - line_start)
        breaks = token.text.count("\n")
        if breaks:
            line += breaks
            line_start = token.start + token.text.rfind("\n") + 1
    return [
        frozenset({_first_column(text), first.get(number, -1)} - {-1}) for number, text in enumerate(lines)
    ]


def _first_column(line: str) -> int:
    """Of its first character that is not a blank; -1: there is none."""
    stripped = line.lstrip(" \t\r")
    return len(line) - len(stripped) if stripped else -1


def _fixed_lines(tokens: Sequence[Token]) -> set[int]:
    """Lines that a token of several lines touches."""
    fixed: set[int] = set()
    line = 0
    for token in tokens:
        breaks = token.text.count("\n")
        if breaks and token.kind is not TokenKind.BLANK:
            fixed.update(range(line, line + breaks + 1))
        line += breaks
    return fixed


def _columns_by_line(tokens: Sequence[Token]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    line = 0
    line_start = 0
    for token in tokens:
        if token.kind is not TokenKind.BLANK:
            found.setdefault(line, []).append(token.start - line_start)
        breaks = token.text.count("\n")
        if breaks:
            line += breaks
            line_start = token.start + token.text.rfind("\n") + 1
    return found


def _begins_command(line: str) -> bool:
    """Whether whatever was open before ends here. No other line is sure to end it: one that starts with
    ``;``, ``|`` or a closing bracket goes on with it from any column."""
    word = _WORD.match(line)
    return line.startswith(("@[", "/--", "#")) or (word is not None and word[0] in _COMMANDS)


def _same_relations(
    old: Sequence[int],
    new: Sequence[int],
    starts: Sequence[frozenset[int]],
    commands: Sequence[bool],
    number: int,
) -> bool:
    """Whether every later line's start, up to the next command, is left of, right of or at each token as it
    was."""
    moved = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    if not moved:
        return True
    for columns, command in zip(starts[number + 1 :], commands[number + 1 :], strict=True):
        if command:
            return True
        if any(_sign(start - a) != _sign(start - b) for start in columns for a, b in moved):
            return False
    return True


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


def same_layout(old: str, new: str) -> bool:
    """Whether two texts of the same number of tokens and lines are laid out alike, to Lean's eyes.

    Each line must start with the same token in the same column, and each later line's start stand to every
    token as before. Meant for a text in which some tokens were replaced by others on the spot.
    """
    old_tokens, new_tokens = tokenize(old), tokenize(new)
    old_columns, new_columns = _columns_by_line(old_tokens), _columns_by_line(new_tokens)
    if old_columns.keys() != new_columns.keys():
        return False
    if _fixed_lines(old_tokens) != _fixed_lines(new_tokens):
        return False
    starts = _starts(old.split("\n"), old_tokens)
    if starts != _starts(new.split("\n"), new_tokens):
        return False
    commands = [_begins_command(line) for line in old.split("\n")]
    return all(
        len(columns) == len(new_columns[number])
        and _same_relations(columns, new_columns[number], starts, commands, number)
        for number, columns in old_columns.items()
    )


def split_proof(text: str, proof_start: int) -> tuple[str, str]:
    """Statement (with ``:=``, if it has one) and proof, so that they can be put together again.

    ``statement + " " + proof`` is laid out as ``text`` is, to Lean's eyes. A proof that begins on a line of
    its own, and would not be the same behind the statement, is moved as a block where it begins with
    ``by``, else keeps its line break: then it begins with one (see :func:`join_proof`).
    """
    statement = text[:proof_start].rstrip(_BLANKS)
    proof = text[proof_start:].rstrip(_BLANKS)
    gap = text[len(statement) : proof_start]
    if "\n" not in gap or "\n" not in proof:
        return statement, proof
    first_line = proof[: proof.index("\n")]
    if first_line.strip() == "by":
        return statement, proof
    column = len(gap) - gap.rfind("\n") - 1
    if first_line.startswith("by "):
        block = proof[2:].lstrip(" ")
        moved = _moved(block, column + len(proof) - len(block), 2)
        if moved is not None:
            return statement, f"by\n  {moved}"
    return statement, f"\n{' ' * column}{proof}"


def join_proof(statement: str, proof: str) -> str:
    """What :func:`split_proof` took apart."""
    return f"{statement}{proof}" if proof.startswith("\n") else f"{statement} {proof}"


def _moved(block: str, column: int, to: int) -> str | None:
    """A block whose first line stands in ``column``, moved to another; ``None``: it cannot be as a whole."""
    lines = block.split("\n")
    inside = _lines_inside_tokens(block)
    for number, line in enumerate(lines[1:], 1):
        start = _first_column(line)
        if start >= 0 and (number in inside or start < column or "\t" in line[:start]):
            return None
    return "\n".join([lines[0], *(" " * to + line[column:] if line.strip() else "" for line in lines[1:])])


def dedent(text: str, column: int) -> str:
    """``text``, whose first line stands in ``column``, moved to column 0 as a whole.

    Unchanged (and to be put in its column again) if a line starts further left, or inside a string.
    """
    moved = _moved(text, column, 0) if column else text
    return " " * column + text if moved is None else moved


def _lines_inside_tokens(text: str) -> set[int]:
    """Lines that start inside a string or comment."""
    inside: set[int] = set()
    line = 0
    for token in tokenize(text):
        breaks = token.text.count("\n")
        if breaks and token.kind is not TokenKind.BLANK:
            inside.update(range(line + 1, line + breaks + 1))
        line += breaks
    return inside
