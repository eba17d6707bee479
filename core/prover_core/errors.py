"""Every error that Polyprover raises on purpose.

The tree::

    ProverError
    +-- UserError                     the person can put it right; printed without a traceback, exit code 2
    |   +-- ConfigError               one or more mistakes in options, all of them reported at once
    |   +-- UnknownNameError          no component, theorem or option of that name; near names are listed
    |   +-- DataError                 a file that cannot be read or does not hold what it should
    |   +-- ToolMissingError          a prover, library or program that is not installed; says how to get it
    |   +-- TheoremUnavailableError   the theorem cannot be opened: its file does not compile up to it
    |   +-- RunStoreError             a run directory cannot be written, read or resumed
    +-- MachineryError                something broke that is neither the person's nor the proof's fault
    |   +-- EnvironmentCrashedError   the prover process died and could not be brought back
    |   +-- ProcessLostError          a prover process died or was killed; whoever uses it may start another
    |   +-- ChildTimeoutError         a child process did not answer by its deadline (it may still be alive)
    |   +-- ProtocolError             the prover answered something that the protocol does not allow
    |   +-- PolicyFailedError         the model raised, or answered in the wrong shape
    +-- ContractError                 a caller broke a documented rule (a programming error, with traceback)
        +-- UnknownStateError         a proof state of another session, or of none

A failure of the machinery is never a failed proof: nothing in this module stands for "the tactic was
rejected", which is an :class:`~prover_core.types.Rejected` outcome and no exception at all.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ChildTimeoutError",
    "ConfigError",
    "ContractError",
    "DataError",
    "EnvironmentCrashedError",
    "MachineryError",
    "PolicyFailedError",
    "ProcessLostError",
    "ProtocolError",
    "ProverError",
    "RunStoreError",
    "TheoremUnavailableError",
    "ToolMissingError",
    "UnknownNameError",
    "UnknownStateError",
    "UserError",
]


class ProverError(Exception):
    """Base of all errors raised by Polyprover and by its plugins. They pass between processes as they are."""

    def __reduce__(self) -> tuple[object, ...]:
        """By default ``__init__`` would be called again, with the message in the place of its arguments."""
        return _made_again, (type(self), self.args, self.__dict__)


class UserError(ProverError):
    """The message says what happened, what was being tried and what to do; no traceback is shown."""


class ConfigError(UserError):
    """One or more mistakes in the configuration; ``problems`` holds them all, in order."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class UnknownNameError(UserError):
    """A name that nothing answers to; the message lists the near ones."""


class DataError(UserError):
    """A data file or folder that cannot be used; the message names the file and, where known, the line."""


class ToolMissingError(UserError):
    """A program or library that is not there.

    The one place where a missing dependency is worded, so that every such message ends in the command
    that gets it.
    """

    def __init__(self, tool: str, *, needed_for: str, install: str, tried: Sequence[str] = ()) -> None:
        self.tool = tool
        self.needed_for = needed_for
        self.install = install
        self.tried = tuple(tried)
        looked = f" (looked for {', '.join(self.tried)})" if self.tried else ""
        super().__init__(
            f"{tool} is not installed{looked}; it is needed for {needed_for}.\nTo get it: {install}"
        )


class TheoremUnavailableError(UserError):
    """The theorem cannot be opened: its file is unreadable, or does not compile up to it."""


class RunStoreError(UserError):
    """A run directory cannot be written, read or resumed."""


class MachineryError(ProverError):
    """Something broke that says nothing about the proof."""


class ProcessLostError(MachineryError):
    """A prover process is gone: it died, or was killed because it did not answer or react in time.

    Attributes: ``timed_out`` (it was killed at a time limit) and ``stderr_tail``. Environments derive their
    own from it, and start another process; :class:`EnvironmentCrashedError` is what becomes of it if that
    does not help.
    """

    def __init__(self, detail: str, *, timed_out: bool = False, stderr_tail: str = "") -> None:
        self.timed_out = timed_out
        self.stderr_tail = stderr_tail
        super().__init__(detail)


class EnvironmentCrashedError(MachineryError):
    """A prover process died and could not be brought back.

    Attributes: ``returncode`` (negative: killed by that signal; ``None``: still unknown) and
    ``stderr_tail`` (the last lines that the process wrote to its standard error).
    """

    def __init__(self, detail: str, *, returncode: int | None = None, stderr_tail: str = "") -> None:
        self.detail = detail
        self.returncode = returncode
        self.stderr_tail = stderr_tail
        message = detail
        if returncode is not None:
            message += f" (return code {returncode})"
        if stderr_tail.strip():
            message += f"\nlast lines of its standard error:\n{stderr_tail.rstrip()}"
        super().__init__(message)


class ChildTimeoutError(MachineryError):
    """A child process did not answer by its deadline; it may still be alive and busy."""


class ProtocolError(MachineryError):
    """The prover answered something that its protocol does not allow."""


class PolicyFailedError(MachineryError):
    """A policy raised, or answered in the wrong shape."""


class ContractError(ProverError):
    """A caller broke a documented rule; a programming error."""


class UnknownStateError(ContractError):
    """A proof state that this session did not hand out."""


def _made_again(kind: type[ProverError], args: tuple[object, ...], fields: dict[str, object]) -> ProverError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error
