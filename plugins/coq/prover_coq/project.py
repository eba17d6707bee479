"""Where a Coq file belongs: its project's options, its logical name, and how to elaborate a copy of it.

A copy of a file's prefix, put in a scratch folder, elaborates as in its own library when it is given the
file's load path and when the scratch folder itself is bound to the file's logical prefix
(:func:`scratch_options`): the copy of ``Arith/PeanoNat.v`` is then ``Coq.Arith.PeanoNat`` to Coq. Files that
the prelude is made of are elaborated without it, or they would find themselves already loaded.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prover_coq.dune import dune_options
from prover_core.errors import DataError

__all__ = ["CoqProject", "compile_options", "find_project", "library_root", "logical_name", "scratch_options"]

PROJECT_FILES = ("_CoqProject", "_RocqProject")
_MOST_FOLDERS = 300


@dataclass(frozen=True, slots=True)
class CoqProject:
    """What a project file says; empty where there is none."""

    root: Path | None
    """Folder of the project file."""
    options: tuple[str, ...] = ()
    """For Coq's command line; paths absolute."""
    files: tuple[str, ...] = ()
    """Source files that it lists, as written."""
    source: Path | None = None
    """The file that this was read from."""
    note: str = ""
    """What could not be made use of, in words; empty: nothing."""


def find_project(path: Path) -> CoqProject:
    """The nearest ``_CoqProject`` or ``_RocqProject`` from ``path`` upwards, or a dune ``coq.theory``.

    :raises DataError: the project file cannot be read or breaks off inside an option.
    """
    start = path.absolute()
    for folder in (start, *start.parents) if start.is_dir() else start.parents:
        for name in PROJECT_FILES:
            if (folder / name).is_file():
                return _read_project(folder / name)
        if (folder / "dune-project").is_file():
            options = dune_options(folder, start)
            note = (
                ""
                if options
                else (
                    f"{folder / 'dune-project'} has no coq.theory stanza that covers {start}; "
                    "write a _CoqProject with its -Q/-R options"
                )
            )
            return CoqProject(folder, options, source=folder / "dune-project", note=note)
    return CoqProject(None)


_PROJECT_WORD = re.compile(r'\#[^\n]*|"(?P<quoted>[^"]*)"|(?P<word>[^\s"#][^\s]*)|(?P<open>")')
_PROJECT_ARITY = {
    "-R": 2,
    "-Q": 2,
    "-I": 1,
    "-arg": 1,
    "-docroot": 1,
    "-generate-meta-for-package": 1,
    "-install": 1,
    "-native-compiler": 1,
    "-f": 1,
    "-o": 1,
    "-extra": 3,
    "-extra-phony": 3,
}


def _read_project(file: Path) -> CoqProject:
    root = file.parent
    words = list(_project_words(file))
    options: list[str] = []
    files: list[str] = []
    position = 0
    while position < len(words):
        line, word = words[position]
        arity = _PROJECT_ARITY.get(word, 0)
        values = [value for _, value in words[position + 1 : position + 1 + arity]]
        if len(values) < arity:
            message = f"{file}, line {line}: {word} needs {arity} value(s); the file ends before them."
            raise DataError(message)
        position += 1 + arity
        if word in ("-R", "-Q"):
            options += [word, _absolute(root, values[0]), values[1]]
        elif word == "-I":
            options += [word, _absolute(root, values[0])]
        elif word == "-arg":
            options += _split_argument(values[0])
        elif word == "=" or (position < len(words) and words[position][1] == "="):
            continue  # a variable of the makefile
        elif word.endswith(".v"):
            files.append(word)
    return CoqProject(root, tuple(options), tuple(files), file)


def _project_words(file: Path) -> Iterator[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read the project file {file}: {error}"
        raise DataError(message) from error
    for match in _PROJECT_WORD.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match.lastgroup == "open":
            message = f"{file}, line {line}: a quote is opened and never closed."
            raise DataError(message)
        if match.lastgroup is not None:
            yield line, match.group(match.lastgroup)


def _split_argument(value: str) -> list[str]:
    """``-arg "-w all"`` stands for two words."""
    try:
        return shlex.split(value)
    except ValueError:
        return value.split()


def _absolute(root: Path, path: str) -> str:
    return str((root / path).resolve())


# -- options of Coq's command line ---------------------------------------------------------------------

_OPTION_ARITY = {
    "-Q": 2,
    "-R": 2,
    "-rfrom": 2,
    "-refrom": 2,
    "-rifrom": 2,
    "-require-from": 2,
    "-require-import-from": 2,
    "-require-export-from": 2,
    **dict.fromkeys(
        (
            "-I", "-w", "-W", "-set", "-unset", "-native-compiler", "-compat", "-init-file", "-top",
            "-topfile", "-l", "-lv", "-load-vernac-source", "-load-vernac-object", "-require", "-r", "-ri",
            "-re", "-require-import", "-require-export", "-exclude-dir", "-coqlib", "-color",
            "-bytecode-compiler", "-mangle-names", "-diffs", "-nI", "-native-output-dir",
        ),
        1,
    ),
}  # fmt: skip
_WITH_FOLDER = frozenset({"-Q", "-R", "-I"})


def _units(options: Sequence[str]) -> list[tuple[str, ...]]:
    """Options with their values, folders made absolute.

    :raises DataError: the last option lacks a value.
    """
    units: list[tuple[str, ...]] = []
    position = 0
    while position < len(options):
        arity = _OPTION_ARITY.get(options[position], 0)
        unit = tuple(options[position : position + 1 + arity])
        if len(unit) <= arity:
            message = f"Coq's option {unit[0]} needs {arity} value(s), and got {len(unit) - 1}."
            raise DataError(message)
        if unit[0] in _WITH_FOLDER:
            unit = (unit[0], str(Path(unit[1]).resolve()), *unit[2:])
        units.append(unit)
        position += 1 + arity
    return units


def compile_options(path: Path, options: Sequence[str] = ()) -> tuple[str, ...]:
    """What Coq needs on its command line to compile ``path`` where it stands; paths absolute.

    The project's options first, then ``options`` (the person's own); none twice, so that giving the result
    back as ``options`` changes nothing. Files of the installed library need no load path, and those under
    ``theories/Init`` get ``-noinit``. A file without a project finds the compiled files beside it, unless
    there are more than a few hundred folders below: Coq would read them all.

    :raises DataError: the project file or ``options`` cannot be understood.
    """
    path = path.resolve()
    found: list[tuple[str, ...]] = []
    library = library_root(path)
    if library is None:
        found += _units(find_project(path).options)
    elif logical_name(path, ())[1:-1] == ("Init",) and logical_name(path, ())[0] in ("Coq", "Corelib"):
        found.append(("-noinit",))
    found += [unit for unit in _units(options) if unit not in found]
    mapped = any(unit[0] in ("-Q", "-R") for unit in found)
    if library is None and not mapped and any(path.parent.glob("*.vo")) and _is_small(path.parent):
        found.append(("-Q", str(path.parent), ""))
    return tuple(word for unit in found for word in unit)


def _is_small(folder: Path) -> bool:
    """Whether Coq may be pointed at it: ``-Q`` reads every folder below, minutes for a home folder."""
    return sum(1 for _ in itertools.islice(os.walk(folder), _MOST_FOLDERS)) < _MOST_FOLDERS


def scratch_options(path: Path | None, options: Sequence[str], scratch_dir: Path) -> list[str]:
    """Options under which ``scratch_dir/<Stem>.v`` elaborates as ``path`` does in its own library.

    ``<Stem>`` is ``path``'s; pass ``-topfile scratch_dir/<Stem>.v`` to a toplevel. ``scratch_dir`` should
    hold nothing else: what is compiled there shadows the library's own files of the same name.
    ``path=None`` (a theorem without a file): ``options`` as they are.

    :raises DataError: the project file or ``options`` cannot be understood.
    """
    if path is None:
        return [word for unit in _units(options) for word in unit]
    found = compile_options(path, options)
    prefix = ".".join(logical_name(path, found)[:-1])
    return [*found, "-Q", str(scratch_dir.resolve()), prefix]


# -- logical names -------------------------------------------------------------------------------------


def library_root(path: Path) -> Path | None:
    """The installed Coq library (``coqc -where``) that ``path`` is part of; ``None``: of none."""
    for folder in path.resolve().parents:
        if folder.name in ("theories", "user-contrib"):
            prelude = folder.parent / "theories" / "Init" / "Prelude"
            if prelude.with_suffix(".vo").is_file() and _is_installed(folder.parent):
                return folder.parent
    return None


def _is_installed(root: Path) -> bool:
    """A source checkout of Coq has ``theories`` too, and a project file or makefile beside it."""
    return not any((root / name).exists() for name in (*PROJECT_FILES, "dune-project", "Makefile"))


def _library_prefix(root: Path, path: Path) -> tuple[str, ...]:
    folders = path.relative_to(root).parts[:-1]
    if folders[0] == "user-contrib":
        return folders[1:]
    # Since Rocq 9.0 `theories` holds only the core; the rest moved to user-contrib/Stdlib.
    core = "Coq" if (root / "theories" / "Arith").is_dir() else "Corelib"
    return (core, *folders[1:])


def logical_name(path: Path, options: Sequence[str]) -> tuple[str, ...]:
    """The file's full name to Coq: ``("Coq", "Arith", "PeanoNat")``; ``(stem,)`` outside any load path.

    The innermost folder of ``-Q`` and ``-R`` counts; of several for the same folder, the last.

    :raises DataError: ``options`` cannot be understood.
    """
    path = path.resolve()
    best: tuple[int, tuple[str, ...]] | None = None
    for unit in _units(options):
        if unit[0] not in ("-Q", "-R") or not path.is_relative_to(unit[1]):
            continue
        depth = len(Path(unit[1]).parts)
        if best is None or depth >= best[0]:
            prefix = tuple(part for part in unit[2].split(".") if part)
            best = (depth, (*prefix, *path.relative_to(unit[1]).parts[:-1]))
    if best is not None:
        return (*best[1], path.stem)
    root = library_root(path)
    if root is not None:
        return (*_library_prefix(root, path), path.stem)
    return (path.stem,)
