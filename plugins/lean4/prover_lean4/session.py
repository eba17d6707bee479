"""One theorem, open in one live Lean process; the same for every backend.

The tree of states is kept here: a state is its parent, a tactic, and the backend's handle. After a death of
the process the handles are gone; a state that is used again is brought back by running the tactics that lead
to it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from prover_core.contracts import ProofSession
from prover_core.errors import EnvironmentCrashedError, UnknownStateError
from prover_core.types import (
    Advanced,
    Crashed,
    Goals,
    Outcome,
    OutOfMemory,
    ProofState,
    Rejected,
    RejectionKind,
    SessionStats,
    Solved,
    Theorem,
    TimedOut,
)
from prover_lean4.backend import Backend, BackendLostError, Reply, ReplyKind
from prover_lean4.guard import check_tactic, normalise_tactic
from prover_lean4.server_text import is_parse_error
from prover_lean4.unknown import Vocabulary
from prover_lean4.worker import Worker

__all__ = ["LeanSession", "SessionSettings"]

_RESTORE_ATTEMPTS = 5


class _Node:
    """A state: what was run, and where. The root's tactic is empty."""

    __slots__ = ("depth", "generation", "handle", "owner", "parent", "tactic")

    def __init__(
        self, owner: LeanSession, parent: _Node | None, tactic: str, handle: object, generation: int
    ) -> None:
        self.owner = owner
        self.parent = parent
        self.tactic = tactic
        self.handle = handle
        self.generation = generation
        """Of the process that ``handle`` is of."""
        self.depth: int = 0 if parent is None else parent.depth + 1


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How a session treats its process."""

    open_timeout_s: float
    recycle_mb: int
    replays: bool
    """The backend runs the tactics that lead to a state again with every try."""
    native: bool = False
    """Proofs may trust Lean's compiler: its axiom is allowed."""
    words: Vocabulary = field(default_factory=Vocabulary)
    """What this Lean is known not to know."""


class LeanSession(ProofSession):
    """Made by :meth:`prover_lean4.environment.LeanEnvironment.open`."""

    def __init__(
        self,
        theorem: Theorem,
        worker: Worker,
        opening: Reply,
        settings: SessionSettings,
        release: Callable[[Worker], None],
    ) -> None:
        self.theorem = theorem
        self.stats = SessionStats()
        self._worker = worker
        self._settings = settings
        self._release: Callable[[Worker], None] | None = release
        self._generation = 0
        self._root = _Node(self, None, "", opening.handle, 0)
        self.root = ProofState(self._root, 0, Goals(focused=opening.goals))

    # --- the contract ----------------------------------------------------------------------------

    def step(self, state: ProofState, tactic: str, timeout_s: float) -> Outcome:
        return self.try_tactics(state, (tactic,), timeout_s)[0]

    def try_tactics(self, state: ProofState, tactics: Sequence[str], timeout_s: float) -> list[Outcome]:
        started = time.monotonic()
        node = self._node(state)
        outcomes: list[Outcome] = []
        todo: list[tuple[int, str]] = []
        for index, tactic in enumerate(tactics):
            prepared, refusal = self._prepare(tactic)
            if refusal is None:
                todo.append((index, prepared))
            outcomes.append(refusal or Rejected("", RejectionKind.FORBIDDEN))
        self._run_all(node, todo, timeout_s, outcomes)
        self.stats.tries += len(tactics)
        self.stats.seconds += time.monotonic() - started
        return outcomes

    def script(self, state: ProofState) -> tuple[str, ...]:
        return tuple(node.tactic for node in _path(self._node(state)))

    def close(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release(self._worker)

    @property
    def backend(self) -> Backend:
        """The live process; for measurements and tests."""
        return self._worker.backend

    # --- trying ----------------------------------------------------------------------------------

    def _prepare(self, tactic: str) -> tuple[str, Rejected | None]:
        """A tactic as it is sent, and why it is not to be sent."""
        prepared = _normalised(tactic)
        problem = check_tactic(tactic, native=self._settings.native)
        if problem is not None:
            return prepared, Rejected(problem, RejectionKind.FORBIDDEN)
        unknown = self._settings.words.refuses(prepared)
        return prepared, None if unknown is None else Rejected(unknown, RejectionKind.PARSE)

    def _run_all(
        self, node: _Node, todo: list[tuple[int, str]], limit_s: float, outcomes: list[Outcome]
    ) -> None:
        """Fill in the outcomes of ``todo``, through any number of deaths of the process."""
        deaths = 0
        while todo:
            replies, lost = self._explore(node, [tactic for _, tactic in todo], limit_s)
            for (index, tactic), reply in zip(todo, replies, strict=False):
                outcomes[index] = self._outcome(node, tactic, reply, limit_s)
            if replies:
                deaths = 0
            todo = todo[len(replies) :]
            if lost is None or not todo:
                break
            index, _ = todo[0]
            deaths += 1
            if lost.timed_out:
                outcomes[index] = TimedOut(limit_s, limit_s)
            elif deaths == 2:
                outcomes[index] = Crashed(str(lost), lost.stderr_tail)
            else:
                continue
            deaths = 0
            del todo[0]

    def _explore(
        self, node: _Node, tactics: Sequence[str], limit_s: float
    ) -> tuple[list[Reply], BackendLostError | None]:
        """Try tactics in ``node``; the replies that came, and the loss of the process if it came to that.

        :raises EnvironmentCrashedError: the process cannot be brought back.
        """
        handle = self._handle(node)
        if self._settings.replays and node.depth:
            self.stats.replays += len(tactics)
            self.stats.replayed_tactics += len(tactics) * node.depth
        try:
            return self._worker.backend.try_tactics(handle, tactics, limit_s), None
        except BackendLostError as error:
            return list(error.replies), error

    def _outcome(self, node: _Node, tactic: str, reply: Reply, limit_s: float) -> Outcome:
        kind = reply.kind
        if kind is ReplyKind.OK:
            if not reply.goals and reply.unsound:
                message = f"it leaves no goal, but is no proof: {reply.unsound}"
                return Rejected(message, RejectionKind.FORBIDDEN, reply.seconds)
            child = _Node(self, node, tactic, reply.handle, self._generation)
            state = ProofState(child, child.depth, Goals(focused=reply.goals))
            return Advanced(state, reply.seconds) if reply.goals else Solved(state, reply.seconds)
        if kind is ReplyKind.REJECTED:
            self._settings.words.note(tactic, reply.message)
            parse = RejectionKind.PARSE if is_parse_error(reply.message) else RejectionKind.TACTIC
            return Rejected(reply.message or "Lean gives no reason", parse, reply.seconds)
        if kind is ReplyKind.TIMED_OUT:
            self.stats.interrupts += 1
            return TimedOut(limit_s, reply.seconds)
        if self._worker.backend.rss_mb() > self._settings.recycle_mb:
            self._worker.backend.close()  # the next use starts a new one
        return OutOfMemory(reply.message, reply.seconds)

    # --- moving ----------------------------------------------------------------------------------

    def _handle(self, node: _Node) -> object:
        """The handle of a state in the process that runs now; it is started and brought there if need be.

        :raises EnvironmentCrashedError: it cannot be.
        """
        for _ in range(_RESTORE_ATTEMPTS):
            if not self._worker.backend.alive:
                self._restart()
            try:
                self._replay(node)
            except BackendLostError as error:
                last = error
                continue
            return node.handle
        raise EnvironmentCrashedError(str(last), stderr_tail=last.stderr_tail) from last

    def _replay(self, node: _Node) -> None:
        """:raises BackendLostError: the process died on the way."""
        lost = [step for step in _path(node) if step.generation != self._generation]
        if not lost:
            return
        self.stats.replays += 1
        for step in lost:
            parent = step.parent if step.parent is not None else self._root
            limit_s = self._settings.open_timeout_s
            reply = self._worker.backend.try_tactics(parent.handle, [step.tactic], limit_s)[0]
            if reply.kind is not ReplyKind.OK:
                message = (
                    f"Lean accepted `{step.tactic}` before and does not now: {reply.message or reply.kind}"
                )
                raise EnvironmentCrashedError(message)
            step.handle, step.generation = reply.handle, self._generation
            self.stats.replayed_tactics += 1

    def _restart(self) -> None:
        for attempt in range(_RESTORE_ATTEMPTS):
            self.stats.restarts += 1
            try:
                opening = self._worker.restart(time.monotonic() + self._settings.open_timeout_s)
            except BackendLostError as error:
                if attempt == _RESTORE_ATTEMPTS - 1:
                    raise EnvironmentCrashedError(str(error), stderr_tail=error.stderr_tail) from error
            else:
                self._generation += 1
                self._root.handle, self._root.generation = opening.handle, self._generation
                return

    def _node(self, state: ProofState) -> _Node:
        node = state.handle
        if type(node) is not _Node or node.owner is not self:
            message = f"{state!r} was not made by this session of {self.theorem.name}"
            raise UnknownStateError(message)
        if self._release is None:
            message = f"the session of {self.theorem.name} has been closed"
            raise UnknownStateError(message)
        return node


def _path(node: _Node) -> list[_Node]:
    """The states from the first tactic to this one."""
    found = []
    here = node
    while here.parent is not None:
        found.append(here)
        here = here.parent
    return found[::-1]


@functools.lru_cache(maxsize=65536)
def _normalised(tactic: str) -> str:
    """A tactic as it is sent."""
    return normalise_tactic(tactic)
