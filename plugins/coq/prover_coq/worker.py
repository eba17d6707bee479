"""One prover process that stands in a source text: how it is brought to a theorem, and back there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from prover_coq.engine import Engine, EngineLostError, Reply, ReplyKind
from prover_coq.lexer import split_sentences
from prover_core.errors import EnvironmentCrashedError, TheoremUnavailableError

__all__ = ["Worker"]

_TIDY_EVERY = 1024
"""Tries between two looks at the process's memory."""
_TIDY_ABOVE_MB = 185.0
_TIDY_LIMIT_S = 30.0


class Worker:
    """An engine, and the text that has been executed in it. For one thread at a time.

    The text before a theorem is brought in by one ``Load`` sentence, since going back costs time in
    proportion to the number of sentences in the document. Text that cannot be loaded (a proof is left open
    in it) is fed sentence by sentence.
    """

    def __init__(self, make_engine: Callable[[Path], Engine], folder: Path, key: object) -> None:
        """``folder`` is to be the worker's own: it is made here, and removed by :meth:`close`.

        :raises EnvironmentCrashedError: the folder cannot be made.
        """
        try:
            folder.mkdir()
        except OSError as error:
            raise _unwritable(folder, error) from error
        self.engine = make_engine(folder)
        self.key = key
        """Workers of equal keys were started in the same way."""
        self.theorems = 0
        """Opened so far."""
        self._folder = folder
        self._text = ""
        self._base: list[str] = []
        self._statement = ""
        self._tries = 0
        self._tidy_above_mb = _TIDY_ABOVE_MB

    @property
    def text(self) -> str:
        """The source text that stands before the theorem opened last."""
        return self._text

    @property
    def alive(self) -> bool:
        """The process runs."""
        return self.engine.alive

    def rss_mb(self) -> float:
        """Resident memory of the process and its children, in MiB."""
        return self.engine.rss_mb()

    @property
    def base_depth(self) -> int:
        """Depth of the engine's line just after the statement."""
        return len(self._base) + 1

    def open(self, prefix: str, statement: str, where: str, deadline: float) -> Reply:
        """Bring the process to a statement; the reply holds the first goals.

        ``prefix`` must start with :attr:`text`. ``where`` names the source in error messages.

        :raises TheoremUnavailableError: the text before it, or the statement, is not accepted.
        :raises EngineLostError: the process died, or had to be killed at the deadline.
        """
        if self.engine.depth < 0:
            self.engine.start(deadline)
        self.engine.rewind(len(self._base))
        self._load(prefix, where, deadline)
        self._statement = statement
        self.theorems += 1
        return self._state(prefix, where, deadline)

    def restart(self, deadline: float) -> None:
        """A new process, brought to the same theorem.

        :raises EngineLostError: it died again.
        :raises EnvironmentCrashedError: what was accepted before is refused now.
        """
        self.engine.start(deadline)
        for sentence in (*self._base, self._statement):
            reply = self._run(sentence, deadline)
            if reply.kind is not ReplyKind.OK:
                message = (
                    f"{self.engine.settings.name} could not be brought back to the theorem: {reply.message}"
                )
                raise EnvironmentCrashedError(message)

    def tidy(self, tries: int) -> None:
        """Have the prover collect its garbage, if it holds much; called after every so many tries.

        Left alone, its heap doubles before it does so by itself. Settings under which it would do so earlier
        make opening a file slower by a third.
        """
        self._tries += tries
        if self._tries < _TIDY_EVERY:
            return
        self._tries = 0
        if self.engine.rss_mb() <= self._tidy_above_mb:
            return
        try:
            self.engine.query(["Optimize Heap."], _TIDY_LIMIT_S)
        except EngineLostError:
            return  # whoever uses it next finds out, and starts it again
        left = self.engine.rss_mb()
        if left < 1.1 * _TIDY_ABOVE_MB:
            self._tidy_above_mb = max(_TIDY_ABOVE_MB, left + 8)
        else:  # the theorem's own context is large, and going through it takes long
            self._tidy_above_mb = 1.25 * left

    def close(self) -> None:
        """End the process. Calling it twice is fine."""
        self.engine.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, sentence: str, deadline: float) -> Reply:
        return self.engine.extend([sentence], max(0.1, deadline - time.monotonic()))[0]

    def _load(self, prefix: str, where: str, deadline: float) -> None:
        """Execute what ``prefix`` has more than the text executed so far."""
        gap = prefix[len(self._text) :]
        if gap.strip():
            path = self._folder / f"part_{len(self._base)}.v"
            try:
                path.write_text(gap, encoding="utf-8", newline="")
            except OSError as error:
                raise _unwritable(path, error) from error
            sentence = f'Load "{path.with_suffix("")}".'
            reply = self._run(sentence, deadline)
            if reply.kind is ReplyKind.OK:
                self._base.append(sentence)
            else:
                self._refuse_late(reply, where)
                self._feed(prefix, len(self._text), where, deadline)
        self._text = prefix

    def _feed(self, prefix: str, start: int, where: str, deadline: float) -> None:
        """Execute the text after ``start`` sentence by sentence."""
        sentences = [s for s in split_sentences(prefix, start) if s.complete]
        texts = [s.text for s in sentences]
        replies = self.engine.extend(texts, max(0.1, deadline - time.monotonic()), goals=False)
        for sentence, reply in zip(sentences, replies, strict=False):
            if reply.kind is not ReplyKind.OK:
                self._refuse_late(reply, where)
                line = prefix.count("\n", 0, sentence.start) + 1
                message = (
                    f"{where}, line {line}: {self.engine.settings.name} does not accept "
                    f"`{_short(sentence.text)}`: {reply.message}\n"
                    "The text before a theorem must compile; try coqc on it, with the project's options."
                )
                raise TheoremUnavailableError(message)
        self._base += texts

    def _state(self, prefix: str, where: str, deadline: float) -> Reply:
        """Execute the statement."""
        reply = self._run(self._statement, deadline)
        if reply.kind is ReplyKind.OK and self.engine.has_goals(reply.answer) is not None:
            return reply
        line = prefix.count("\n") + 1
        if reply.kind is ReplyKind.OK:
            why = "it opens no proof"
        else:
            self._refuse_late(reply, where)
            why = reply.message
        message = (
            f"{where}, line {line}: {self.engine.settings.name} does not accept the statement "
            f"`{_short(self._statement)}`: {why}"
        )
        raise TheoremUnavailableError(message)

    def _refuse_late(self, reply: Reply, where: str) -> None:
        """Running out of time says nothing about the text."""
        if reply.kind in (ReplyKind.TIMED_OUT, ReplyKind.MEMORY):
            limit = "time (open_timeout_s)" if reply.kind is ReplyKind.TIMED_OUT else "memory (memory_mb)"
            message = f"{self.engine.settings.name} ran out of {limit} on the way to the theorem in {where}"
            raise EnvironmentCrashedError(message)


def _unwritable(path: Path, error: OSError) -> EnvironmentCrashedError:
    return EnvironmentCrashedError(f"cannot write {path}: {error.strerror}. Free some space, or set TMPDIR.")


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 120 else f"{flat[:117]}..."
