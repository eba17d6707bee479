"""A client of coqidetop or sertop that does nothing but pump bytes: what the harness is measured against.

It starts the prover with the same options and settings, writes the same calls, waits for as many answers,
and looks at none of them. It keeps no state, no time limit and no tree, and cannot recover from anything.
"""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from prover_coq import protocol_sexp as sexp
from prover_coq import protocol_xml as xml
from prover_coq.idetop import IDETOP_FLAGS
from prover_coq.serapi import SERTOP_FLAGS
from prover_coq.toolchain import CoqToolchain

_PIPE_BYTES = 1 << 20


class BareClient:
    """Start, pump, kill."""

    def __init__(self, toolchain: CoqToolchain, backend: str, cwd: Path) -> None:
        self.xml = backend == "idetop"
        program = toolchain.program("idetop" if self.xml else "sertop")
        self._process = subprocess.Popen(
            [str(program), *(IDETOP_FLAGS if self.xml else SERTOP_FLAGS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=toolchain.process_env(),
            cwd=cwd,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        for descriptor in (self._in, self._out):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            os.set_blocking(descriptor, False)
        self._end = xml.TERMINATOR if self.xml else sexp.TERMINATOR
        self._rest = b""
        self.tip = 1
        self._next = 2
        self.pump(xml.INIT_CALL if self.xml else sexp.NOOP, 1)

    def pump(self, data: bytes, answers: int) -> list[bytes]:
        """Write ``data`` and read until ``answers`` answers are complete."""
        found: list[bytes] = []
        view = memoryview(data)
        while len(found) < answers:
            readable, writable, _ = select.select([self._out], [self._in] if view else [], [])
            if writable:
                view = view[os.write(self._in, view) :]
            if readable:
                parts = (self._rest + os.read(self._out, _PIPE_BYTES)).split(self._end)
                self._rest = parts.pop()
                found += parts
        return found

    def run(self, sentences: Sequence[str], *, goals: bool = True) -> int:
        """One after the other, in one write; the calls made."""
        parts, answers = [], 0
        for sentence in sentences:
            new = self._number()
            parts.append(self._add(sentence, self.tip, new))
            answers += 1
            if goals:
                parts.append(self._goals(new))
                answers += 1 if self.xml else 3
            self.tip = new
        if not goals:
            parts.append(xml.STATUS_CALL if self.xml else sexp.exec_command(self.tip))
            answers += 1
        self.pump(b"".join(parts), answers)
        return answers

    def tries(self, sentences: Sequence[str]) -> None:
        """Siblings at the tip, in one write. The prover's own numbers go on only for what it can parse."""
        parts = []
        for sentence in sentences:
            new = self._number() if not self.xml else 0
            parts.append(self._add(sentence, self.tip, new))
            parts.append(self._goals(new))
            parts.append(xml.edit_at_call(self.tip) if self.xml else sexp.cancel_command((new,)))
        answers = self.pump(b"".join(parts), len(sentences) * (3 if self.xml else 5))
        if self.xml:
            self._next += sum(xml.added_id(answer) is not None for answer in answers[::3])

    def back(self, keep: int, drop: int) -> bytes:
        """The call that goes back to ``keep``, of which ``drop`` is the next state."""
        self.tip = keep
        return xml.edit_at_call(keep) if self.xml else sexp.cancel_command((drop,))

    def path(self, sentences: Sequence[str]) -> tuple[bytes, list[int]]:
        """The calls that put sentences after the tip, and the numbers of their states."""
        parts, numbers = [], []
        for sentence in sentences:
            new = self._number()
            parts.append(self._add(sentence, self.tip, new))
            numbers.append(new)
            self.tip = new
        return b"".join(parts), numbers

    def goals(self) -> tuple[bytes, int]:
        """The calls that execute the tip and ask for its goals, and how many answers they get."""
        return self._goals(self.tip), 1 if self.xml else 3

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _add(self, sentence: str, tip: int, new: int) -> bytes:
        return xml.add_call(sentence, tip) if self.xml else sexp.add_command(sentence, tip, new)

    def _goals(self, state: int) -> bytes:
        if self.xml:
            return xml.GOAL_CALL
        return sexp.exec_command(state) + sexp.goals_query(state) + sexp.existentials_query(state)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
