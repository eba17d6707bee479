"""One theorem's check on disk: a scratch folder, and Coq's batch programs run in it, fresh each time."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from prover_coq.judgement import CompileError, first_error
from prover_coq.project import logical_name, scratch_options
from prover_coq.toolchain import CoqToolchain
from prover_core.errors import MachineryError, ToolMissingError
from prover_core.process import CommandResult, Sandbox, run_command
from prover_core.process.run import MAX_OUTPUT_BYTES
from prover_core.types import Limits

__all__ = ["CompileRun", "Scratch"]

_OUT_OF_RESOURCES = re.compile(
    r"(?:Out of memory|Stack overflow)\b"
    r"|.*\b(?:No space left on device|Cannot allocate memory|Out_of_memory)",
    re.DOTALL,
)
_SYSTEM_ERROR = re.compile(r"(?:System error|I/O error|Unix error)\b")
_CHECKER_ARITY = {"-Q": 2, "-R": 2, "-I": 1}
_HASTE_S = 0.05
_TOO_MUCH = MAX_OUTPUT_BYTES // 4  # characters: where output may have been cut off


@dataclass(frozen=True, slots=True)
class CompileRun:
    """How one compilation went."""

    data: bytes
    """The file that was compiled."""
    stdout: str
    stderr: str
    returncode: int
    error: CompileError | None
    """``None``: it compiled."""

    @property
    def log(self) -> str:
        """What it said on standard error, without the scratch folder's path.

        Lines are counted in the file that was compiled: as in the theorem's own file up to the theorem.
        """
        return re.sub(r'"[^"\n]*/polyprover-check-[^"/\n]*/[a-z]+/', '"', self.stderr).strip()


class Scratch:
    """A folder of its own for one check; gone when the check is over. A context manager.

    ``src`` holds the file to be compiled and nothing else, because it is bound to the file's own place in
    Coq's load path; the questions, and the file that loads the result, lie beside it.
    """

    def __init__(
        self, toolchain: CoqToolchain, path: Path | None, options: Iterable[str], limits: Limits
    ) -> None:
        self._toolchain = toolchain
        self._limits = limits
        self._deadline = time.monotonic() + limits.verify_timeout_s
        self._folder = tempfile.TemporaryDirectory(prefix="polyprover-check-")
        root = Path(self._folder.name).resolve()
        self._root = root
        self._path = path
        self._given = tuple(options)
        self.questions = root / "questions"
        self.questions.mkdir()
        self._stem = "Candidate" if path is None else path.stem
        self._src, self._options = self._folder_for("src")
        self.logical = ".".join(logical_name(self._src / f"{self._stem}.v", self._options))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def _folder_for(self, name: str) -> tuple[Path, list[str]]:
        """A new folder that Coq takes for the theorem's own, and the options that make it so."""
        folder = self._root / name
        folder.mkdir()
        options = scratch_options(self._path, self._given, folder)
        if self._path is None:
            options += ["-Q", str(folder), ""]
        return folder, options

    def compile(self, data: bytes, questions: Mapping[str, bytes]) -> CompileRun:
        """Compile ``data`` as the theorem's own file.

        :raises MachineryError: time or memory ran out, or the compiler broke.
        :raises ToolMissingError: there is no compiler.
        """
        for old in self._src.iterdir():
            old.unlink()
        return self._coqc(self._src / f"{self._stem}.v", data, questions, self._options)

    def look_up(self, data: bytes, questions: Mapping[str, bytes]) -> CompileRun:
        """Compile ``data`` in the theorem's place without disturbing what is compiled there."""
        folder, options = self._folder_for(f"look_up_{time.monotonic_ns()}")
        return self._coqc(folder / f"{self._stem}.v", data, questions, options)

    def ask(self, text: str) -> CompileRun:
        """Compile a file of questions about the compiled file, in a fresh process. Raises like `compile`."""
        return self._coqc(
            self.questions / "polyprover_questions.v", text.encode(), {}, self._options, timed=False
        )

    def glob(self) -> str | None:
        """What the compiler noted about the declarations of the compiled file."""
        try:
            return (self._src / f"{self._stem}.glob").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None

    @property
    def compiled(self) -> Path | None:
        """The compiled file, if there is one."""
        file = self._src / f"{self._stem}.vo"
        return file if file.is_file() else None

    def recheck(self) -> CommandResult:
        """Run ``coqchk`` on the compiled file alone; what it requires is taken for checked.

        :raises ToolMissingError: there is no ``coqchk``.
        :raises MachineryError: it ran out of time, or was killed.
        """
        if self._toolchain.coqchk is None:
            tool = "coqchk"
            raise ToolMissingError(
                tool,
                needed_for="checking proofs with Coq's second type checker (--recheck kernel)",
                install="sudo apt install coq  (coqchk comes with it)",
                tried=(str(self._toolchain.coqc.parent),),
            )
        options = _load_path(self._options)
        command = [str(self._toolchain.coqchk), "-silent", "-o", *options, "-norec", self.logical]
        result = self._run(command, "coqchk")
        if result.timed_out or result.returncode < 0 or result.returncode >= 124:
            raise MachineryError(_broken("coqchk", result))
        return result

    def _coqc(
        self,
        file: Path,
        data: bytes,
        questions: Mapping[str, bytes],
        options: list[str],
        *,
        timed: bool = True,
    ) -> CompileRun:
        file.write_bytes(data)
        for name, content in questions.items():
            (self.questions / name).write_bytes(content)
        command = [
            str(self._toolchain.coqc),
            *options,
            *(["-time"] if timed else []),
            "-w",
            "-all",
            str(file),
        ]
        result = self._run(command, "coqc")
        if result.timed_out or result.returncode < 0 or result.returncode >= 124:
            raise MachineryError(_broken("coqc", result))
        if len(result.stdout) >= _TOO_MUCH:
            message = "the proof prints too much for the check's own answers to be found"
            raise MachineryError(message)
        error = first_error(result.stderr) if result.returncode else None
        if result.returncode and (error is None or _ran_out(error)):
            raise MachineryError(_broken("coqc", result))
        return CompileRun(data, result.stdout, result.stderr, result.returncode, error)

    def _run(self, command: list[str], name: str) -> CommandResult:
        left = self._deadline - time.monotonic()
        if left < _HASTE_S:
            message = f"the check did not finish within {self._limits.verify_timeout_s:g} s"
            raise MachineryError(message)
        sandbox = None
        if self._limits.sandbox:
            readable = [Path(word) for word in self._options if word.startswith("/")]
            readable += [self._toolchain.coqlib, self._toolchain.coqc.parent]
            sandbox = Sandbox(writable=(self._root,), readable_tmp=tuple(readable))
        return run_command(
            command,
            name=name,
            cwd=self._root,
            env=self._toolchain.process_env(),
            memory_mb=self._limits.memory_mb,
            timeout_s=left,
            sandbox=sandbox,
        )


def _load_path(options: list[str]) -> list[str]:
    """Of the compiler's options those that say where compiled files are: all that ``coqchk`` knows."""
    found: list[str] = []
    for position, word in enumerate(options):
        if word in _CHECKER_ARITY:
            found += options[position : position + 1 + _CHECKER_ARITY[word]]
    return found


def _ran_out(error: CompileError) -> bool:
    return bool(_OUT_OF_RESOURCES.match(error.message) or _SYSTEM_ERROR.match(error.message))


def _broken(name: str, result: CommandResult) -> str:
    if result.timed_out:
        return f"{name} did not finish in time; it was stopped after {result.seconds:.0f} s"
    how = f"was killed by signal {-result.returncode}" if result.returncode < 0 else ""
    how = how or f"failed with return code {result.returncode}"
    said = result.stderr.strip()[-2000:] or result.stdout.strip()[-500:]
    return f"{name} {how}" + (f"; it said:\n{said}" if said else " and said nothing")
