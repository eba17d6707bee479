"""What commands print: plain tables, JSON, indented text. Nothing heavy, so that listings are quick."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import typer

__all__ = ["command_app", "indent", "print_json", "print_table", "say", "warn"]


def command_app(help: str = "") -> typer.Typer:
    """A Typer application in the form that all our commands have: plain help, errors left to ``main``."""
    return typer.Typer(
        help=help,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["--help", "-h"]},
    )


def say(text: str = "") -> None:
    """A line on standard output."""
    typer.echo(text)


def warn(text: str) -> None:
    """A line on standard error."""
    typer.echo(text, err=True)


def print_json(data: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns under headings; the last column is wrapped to the width of the terminal."""
    for line in table_lines(headers, rows, shutil.get_terminal_size((100, 24)).columns):
        typer.echo(line)


def table_lines(headers: Sequence[str], rows: Iterable[Sequence[object]], width: int) -> list[str]:
    """The lines of a table, at most ``width`` characters each where the last column can be wrapped."""
    cells = [[*headers], *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headers) - 1)]
    start = sum(widths) + 2 * len(widths)
    lines = []
    for row in cells:
        first = "".join(f"{cell:<{w}}  " for cell, w in zip(row, widths, strict=False))
        wrapped = textwrap.wrap(row[-1], max(20, width - start), break_on_hyphens=False) or [""]
        lines.append((first + wrapped[0]).rstrip())
        lines += [" " * start + more for more in wrapped[1:]]
    return lines


def indent(text: str, by: int = 2) -> str:
    """Every line of ``text`` moved to the right."""
    return textwrap.indent(text, " " * by)
