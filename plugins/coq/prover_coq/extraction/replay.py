"""Running extracted proofs again: what a record says must be what the prover does.

Each proof is run in its place in the file it came from, the text before it loaded, its sentences as the
record has them, the end of the proof included; and the goals must be those recorded.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from prover_coq.document import read_source
from prover_coq.engine import Engine, Reply, ReplyKind
from prover_coq.extraction.states import StateReader
from prover_coq.guard import check_tactic
from prover_coq.lexer import strip_comments
from prover_coq.worker import Worker
from prover_core.contracts.extraction import ReplayResult
from prover_core.errors import DataError, MachineryError, TheoremUnavailableError
from prover_core.records import ProofRecord

__all__ = ["Replayer"]

_OPEN_S = 300.0
_SENTENCE_S = 120.0


class _Refused(Exception):
    """This record cannot be accepted, and why."""

    @property
    def detail(self) -> str:
        return str(self)


class Replayer:
    """Replays records; those of one file in one process, in the order of the file."""

    def __init__(
        self,
        files: Callable[[ProofRecord], Path],
        make_engine: Callable[[Path], Callable[[Path], Engine]],
        read_slowly: bool,
        max_chars: int,
    ) -> None:
        """``files``: where a record's file is on this machine; ``make_engine``: engines for such a file."""
        self._files = files
        self._make_engine = make_engine
        self._read_slowly = read_slowly
        self._max_chars = max_chars

    def replay(self, records: Sequence[ProofRecord]) -> list[ReplayResult]:
        """One result for each record, in their order."""
        results: dict[int, ReplayResult] = {}
        by_file: dict[str, list[int]] = {}
        for number, record in enumerate(records):
            by_file.setdefault(record.file, []).append(number)
        for numbers in by_file.values():
            numbers.sort(key=lambda n: p.start if (p := records[n].position) is not None else 0)
            results.update(self._file({n: records[n] for n in numbers}))
        return [results[number] for number in range(len(records))]

    def _file(self, records: Mapping[int, ProofRecord]) -> Iterator[tuple[int, ReplayResult]]:
        """The records of one file, in its order."""
        first = next(iter(records.values()))
        try:
            path = self._files(first)
            text = read_source(path)
        except DataError as error:
            for number, record in records.items():
                yield number, ReplayResult(record.id, None, str(error))
            return
        with tempfile.TemporaryDirectory(prefix="polyprover-replay-") as folder:
            make, number_of_workers = self._make_engine(path), 0
            worker: Worker | None = None
            try:
                for number, record in records.items():
                    if worker is None:
                        worker = Worker(make, Path(folder).resolve() / f"w{number_of_workers}", path)
                        number_of_workers += 1
                    result = self._one(worker, record, text)
                    yield number, result
                    if result.accepted is None:  # who knows where its process stands now
                        worker.close()
                        worker = None
            finally:
                if worker is not None:
                    worker.close()

    def _one(self, worker: Worker, record: ProofRecord, text: str) -> ReplayResult:
        if record.extra.get("nested_proofs") or record.extra.get("after_failure"):
            why = "it cannot be run by itself: other proofs are nested in it, or one before it fails"
            return ReplayResult(record.id, None, why)
        try:
            sentences = _script(record, text)
        except _Refused as refused:
            return ReplayResult(record.id, False, refused.detail)
        position = record.position
        start = 0 if position is None else position.start
        try:
            opening = worker.open(text[:start], record.statement, record.file, time.monotonic() + _OPEN_S)
            replies = worker.engine.extend(sentences, _SENTENCE_S)
        except (TheoremUnavailableError, MachineryError) as error:
            return ReplayResult(record.id, None, str(error))
        return self._judge(worker.engine, record, sentences, [opening, *replies])

    def _judge(
        self, engine: Engine, record: ProofRecord, sentences: Sequence[str], replies: Sequence[Reply]
    ) -> ReplayResult:
        last = replies[-1]
        if last.kind is not ReplyKind.OK or len(replies) < len(sentences) + 1:
            return ReplayResult(record.id, False, f"`{sentences[len(replies) - 2]}`: {last.message}")
        reader = StateReader(engine.read_goals if self._read_slowly else None, max_chars=self._max_chars)
        for number, step in enumerate(record.steps):
            answer = replies[number].answer
            if step.before is None or engine.has_goals(answer) is None:
                continue
            if reader.states[reader.read(answer)] != record.states[step.before]:
                why = f"the goals before step {number} (`{step.tactic}`) are not those recorded"
                return ReplayResult(record.id, False, why)
        return ReplayResult(record.id, True, "")


def _script(record: ProofRecord, text: str) -> list[str]:
    """The sentences after the statement.

    :raises _Refused: the record does not fit the file, or holds something that only a file may say.
    """
    position = record.position
    if position is None or text[position.start : position.end] != record.statement:
        message = "the file does not have the statement where the record says"
        raise _Refused(message)
    if not record.terminator:
        message = "the record has no proof that ends"
        raise _Refused(message)
    found: list[str] = []
    for step in record.steps:
        at = step.position
        in_file = at is not None and strip_comments(text[at.start : at.end]).strip() == step.tactic
        problem = None if in_file else check_tactic(step.tactic)
        if problem is not None:
            message = f"`{step.tactic}` is neither a tactic nor what the file says there: {problem}"
            raise _Refused(message)
        found.append(step.tactic)
    if record.terminator != "Proof term":
        found.append(f"{record.terminator}.")
    return found
