"""Where Coq (or Rocq) is installed, which version it is, and with what settings its programs are run."""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from prover_core.errors import ToolMissingError
from prover_core.process import run_command

__all__ = ["CoqToolchain", "Need", "find_toolchain", "find_toolchains"]

Need = Literal["coqc", "idetop", "sertop"]

_VERSION_TIMEOUT_S = 30.0
_VERSION = re.compile(r"(?:The Coq Proof Assistant|The Rocq Prover), version (\S+)")
_OCAML = re.compile(r"OCaml (\d+)")
_IDETOP_NAMES = ("coqidetop.opt", "coqidetop")
_BIN_VARIABLE = "PROVER_COQ_BIN"

_INSTALL: Mapping[Need, str] = {
    "coqc": "sudo apt install coq  (or: opam install coq; or name its folder in $PROVER_COQ_BIN)",
    "idetop": "sudo apt install coq  (or: opam install coqide-server; or name its folder in $PROVER_COQ_BIN)",
    "sertop": "make setup  (or: opam install coq-serapi, which ends at Coq 8.20)",
}


@dataclass(frozen=True, slots=True)
class CoqToolchain:
    """One installation of Coq."""

    version: tuple[int, ...]
    """``(8, 20, 1)``."""
    version_text: str
    """As the program says it: ``8.20.1``, ``9.2``, ``8.21+alpha``."""
    coqc: Path
    coqchk: Path | None
    idetop: Path | None
    sertop: Path | None
    coqlib: Path
    """What ``coqc -where`` prints: the folder that holds ``theories`` (or ``user-contrib/Stdlib``)."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables to be added to the environment of its programs; see :meth:`process_env`."""

    @property
    def name(self) -> str:
        """``Coq 8.20.1`` or ``Rocq 9.2``."""
        return f"{'Rocq' if self.version >= (9,) else 'Coq'} {self.version_text}"

    def process_env(self) -> dict[str, str]:
        """The whole environment for its programs: ours, with :attr:`env` added."""
        merged = {**os.environ, **self.env}
        if "OCAMLRUNPARAM" in os.environ:  # a list of settings, of which the last counts
            merged["OCAMLRUNPARAM"] = f"{self.env.get('OCAMLRUNPARAM', '')},{os.environ['OCAMLRUNPARAM']}"
        return merged

    def program(self, need: Need) -> Path:
        """The program itself.

        :raises ToolMissingError: this installation lacks it.
        """
        found = {"coqc": self.coqc, "idetop": self.idetop, "sertop": self.sertop}[need]
        if found is None:
            raise _missing(need, (str(self.coqc.parent),))
        return found


def find_toolchain(
    bin_dir: Path | None = None, *, version: str | None = None, need: Need = "coqc"
) -> CoqToolchain:
    """The first installation that has ``need`` and, where given, a version that starts with ``version``.

    Looked for in ``bin_dir`` only, if given; else in ``$PROVER_COQ_BIN``, on ``PATH``, and in the cache
    folder that ``make setup`` fills.

    :raises ToolMissingError: there is none; the message says where it was looked for.
    """
    tried: list[str] = []
    for folder in [bin_dir] if bin_dir is not None else _folders():
        toolchain = _read_folder(folder)
        if toolchain is None:
            tried.append(f"{folder}/coqc")
        elif version is not None and not _version_matches(toolchain.version_text, version):
            tried.append(f"{folder} ({toolchain.name})")
        elif {"coqc": toolchain.coqc, "idetop": toolchain.idetop, "sertop": toolchain.sertop}[need] is None:
            tried.append(f"{folder}/{'coqidetop' if need == 'idetop' else need}")
        else:
            return toolchain
    raise _missing(need, tried, version)


def find_toolchains() -> list[CoqToolchain]:
    """Every installation that is found, in the order in which :func:`find_toolchain` looks."""
    found = (_read_folder(folder) for folder in _folders())
    return [toolchain for toolchain in found if toolchain is not None]


def _folders() -> Iterator[Path]:
    """Folders that may hold ``coqc``, each once."""
    named = os.environ.get(_BIN_VARIABLE)
    if named:
        yield Path(named).expanduser()
    on_path = shutil.which("coqc")
    if on_path is not None:
        yield Path(on_path).parent
    yield from sorted((_cache() / "toolchains").glob("*/bin"))


def _cache() -> Path:
    own = os.environ.get("POLYPROVER_CACHE")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "polyprover"


def _read_folder(folder: Path) -> CoqToolchain | None:
    coqc = folder / "coqc"
    try:
        stamp = coqc.stat().st_mtime_ns
    except OSError:
        return None
    return _read_installation(folder.absolute(), stamp)


@functools.cache
def _read_installation(folder: Path, stamp: int) -> CoqToolchain | None:
    """Asks the program; ``None`` where it does not answer as Coq does. ``stamp`` is part of the key."""
    del stamp
    coqc = folder / "coqc"
    about = run_command([str(coqc), "--version"], name="coqc --version", timeout_s=_VERSION_TIMEOUT_S)
    found = _VERSION.search(about.stdout)
    if not found:
        return None
    where = run_command([str(coqc), "-where"], name="coqc -where", timeout_s=_VERSION_TIMEOUT_S)
    ocaml = _OCAML.search(about.stdout)
    return CoqToolchain(
        version=tuple(int(part) for part in re.findall(r"\d+", found[1].split("+")[0].split("~")[0])),
        version_text=found[1],
        coqc=coqc,
        coqchk=_program(folder, ("coqchk", "rocqchk")),
        idetop=_program(folder, _IDETOP_NAMES),
        sertop=_program(folder, ("sertop",)),
        coqlib=Path(where.stdout.strip()),
        env={"OCAMLRUNPARAM": _ocaml_settings(int(ocaml[1]) if ocaml else 4)},
    )


def _ocaml_settings(ocaml: int) -> str:
    """A 32 MB minor heap and an 8 MB stack; without the former Coq takes 256 MB.

    OCaml 5 reserves address space for 128 domains and knows no stack limit unless it is told otherwise;
    both would make a memory limit useless. OCaml 4 gives no memory back, so it is told to waste less of it.
    """
    return "s=4M,l=1M,o=30" if ocaml < 5 else "d=1,s=4M,l=1M"


def _program(folder: Path, names: tuple[str, ...]) -> Path | None:
    for name in names:
        if os.access(folder / name, os.X_OK):
            return folder / name
    return None


def _version_matches(text: str, wanted: str) -> bool:
    return text == wanted or text.startswith((f"{wanted}.", f"{wanted}+", f"{wanted}~"))


def _missing(need: Need, tried: tuple[str, ...] | list[str], version: str | None = None) -> ToolMissingError:
    tool = {"coqc": "Coq", "idetop": "coqidetop", "sertop": "sertop"}[need]
    if version is not None:
        tool += f" of version {version}"
    return ToolMissingError(
        tool, needed_for="the coq environment", install=_INSTALL[need], tried=list(tried) or ["PATH"]
    )
