"""What an engine answers, and how it fails."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from prover_core.errors import MachineryError, ProcessLostError

__all__ = ["ASTRAY", "EngineLostError", "ReplayError", "Reply", "ReplyKind", "failed_reply"]

ASTRAY = re.compile("Stm.add called for a different state|NoSuchState|Unknown state|Vcs_aux.Expired")
"""What a prover says that has another idea of its document than we have."""
_MEMORY = ("Out of memory.", "Stack overflow.")
_INTERRUPT = "User interrupt."
"""What SIGINT makes the prover say."""


class ReplyKind(enum.Enum):
    """What became of one sentence."""

    OK = "ok"
    PARSE = "parse"
    FAILED = "failed"
    MEMORY = "memory"
    TIMED_OUT = "timed out"


@dataclass(slots=True)
class Reply:
    """The prover's answer to one sentence."""

    kind: ReplyKind
    answer: bytes = b""
    """For ``OK``: what :meth:`Engine.read_goals` reads."""
    message: str = ""
    """For everything but ``OK``: the error."""
    seconds: float = 0.0


def failed_reply(message: str) -> Reply:
    """The reply to a sentence that failed with ``message``."""
    if message.startswith(_MEMORY):
        return Reply(ReplyKind.MEMORY, message=message)
    if message == _INTERRUPT:
        return Reply(ReplyKind.TIMED_OUT, message=message)
    return Reply(ReplyKind.FAILED, message=message)


class EngineLostError(ProcessLostError):
    """The process is gone: it died, or had to be killed because it did not react to an interrupt."""

    def __init__(self, detail: str, replies: list[Reply], *, timed_out: bool, stderr_tail: str = "") -> None:
        self.replies = replies
        """Those of the sentences before the one under which it was lost."""
        super().__init__(detail, timed_out=timed_out, stderr_tail=stderr_tail)


class ReplayError(MachineryError):
    """Sentences that had been accepted before were refused when run again."""
