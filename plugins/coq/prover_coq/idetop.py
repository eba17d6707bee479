"""The ``idetop`` backend: ``coqidetop``, which comes with every Coq and Rocq."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from prover_coq import protocol_xml as xml
from prover_coq.engine import Engine
from prover_core.types import Goals

__all__ = ["IDETOP_FLAGS", "IdetopEngine"]

IDETOP_FLAGS = (
    "-main-channel",
    "stdfds",
    "-async-proofs",
    "off",
    "-async-proofs-command-error-resilience",
    "off",
    "-async-proofs-tactic-error-resilience",
    "off",
)
"""One process, no worker of its own, and no guessing of a state after a failure."""


class IdetopEngine(Engine):
    """A document in ``coqidetop``. The prover numbers the states, one after the other."""

    TERMINATOR: ClassVar[bytes] = xml.TERMINATOR
    RUN_ANSWERS: ClassVar[int] = 1
    OWN_NUMBERS: ClassVar[bool] = False

    def _handshake(self) -> tuple[bytes, int]:
        return xml.INIT_CALL, 1

    def _read_handshake(self, answers: Sequence[bytes]) -> int:
        return xml.init_id(answers[0])

    def _encode_add(self, sentence: str, tip: int, new: int) -> bytes:
        del new
        return xml.add_call(sentence, tip)

    def _encode_run(self, tip: int) -> bytes:
        del tip
        return xml.GOAL_CALL

    def _encode_exec(self, tip: int) -> bytes:
        del tip
        return xml.STATUS_CALL

    def _encode_back(self, keep: int, drop: Sequence[int]) -> bytes:
        del drop
        return xml.edit_at_call(keep)

    def _encode_query(self, sentence: str, state: int) -> bytes:
        return xml.query_call(sentence, state)

    def _noop(self) -> bytes:
        return xml.STATUS_CALL

    def _read_added(self, answer: bytes) -> int | None:
        return xml.added_id(answer)

    def _is_syntax_error(self, answer: bytes) -> bool:
        return xml.is_syntax_error(answer)

    def _is_good(self, answer: bytes) -> bool:
        return xml.is_good(answer)

    def _failure(self, answer: bytes) -> str:
        return xml.failure(answer)

    def _read_run(self, answers: Sequence[bytes]) -> bytes | None:
        return answers[0] if xml.is_good(answers[0]) else None

    def read_goals(self, answer: bytes) -> Goals:
        return xml.goals(answer)

    def has_goals(self, answer: bytes) -> bool | None:
        return xml.has_goals(answer)

    def read_messages(self, answer: bytes) -> list[str]:
        return xml.messages(answer)
