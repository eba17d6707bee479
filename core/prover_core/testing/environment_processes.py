"""The kit's tests of prover processes: killed, left behind, limited, missing."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from prover_core.errors import EnvironmentCrashedError, ToolMissingError
from prover_core.process import sandbox_available
from prover_core.testing.environment_base import EnvironmentIngredients, as_proof
from prover_core.types import (
    Advanced,
    Capability,
    Crashed,
    OutOfMemory,
    Solved,
    VerdictStatus,
)

__all__ = ["ProcessTests"]


class ProcessTests(EnvironmentIngredients):
    """Processes, limits, tools."""

    def test_toolchain_is_named(self) -> None:
        """``toolchain`` says which prover, which version, and where it is.

        Troubleshooting: it goes into every run's provenance: ask the program itself for its version.
        """
        with self.opened_environment() as environment:
            toolchain = environment.toolchain()
            assert toolchain.prover == environment.prover
            assert toolchain.version[:1].isdigit(), f"not a version: '{toolchain.version}'"
            for program, path in toolchain.paths.items():
                assert Path(path).is_absolute(), f"{program}: {path}"
                assert Path(path).exists(), f"{program}: {path}"
            assert environment.toolchain() == toolchain
            assert environment.theorem(self.provable[0]).prover == environment.prover

    def test_missing_prover_is_said_with_the_command(self) -> None:
        """Where the prover is not installed, opening raises ``ToolMissingError`` that says how to get it.

        Troubleshooting: give ``make_uninstalled()``, e.g. with options that name an empty folder.
        """
        self._before = frozenset(self.prover_pids())
        environment = self.make_uninstalled()
        if environment is None:
            self.not_applicable("no make_uninstalled() given")
        with environment:
            theorem = self.make_environment().theorem(self.provable[0], name="kit_example")
            for attempt in (environment.toolchain, lambda: environment.open(theorem, self.limits)):
                with pytest.raises(ToolMissingError) as caught:
                    attempt()
                assert caught.value.install.strip(), "the message ends in the command to get it"
            try:
                verdict = environment.verify(theorem, as_proof(self.provable[1]), self.limits)
            except ToolMissingError:  # says even more than the verdict could
                return
            assert verdict.status is VerdictStatus.MACHINERY_FAILED, verdict

    def test_nothing_survives_close(self) -> None:
        """No process is left when session and environment are closed; closing twice is fine.

        Troubleshooting: kill the whole process group, and reap it.
        """
        self._before = frozenset(self.prover_pids())
        environment = self.make_environment()
        theorem = environment.theorem(self.provable[0], name="kit_example")
        session = environment.open(theorem, self.limits)
        self.walk(session, self.provable[1][:1])
        if self.has_processes:
            assert self.own_pids(), "no process of the prover was found: see prover_pids()"
        session.close()
        session.close()
        environment.verify(theorem, as_proof(self.provable[1]), self.limits)
        environment.close()
        environment.close()
        assert not self.wait_until_gone(), "processes survived close()"

    def test_nothing_survives_an_exception(self) -> None:
        """The same when an exception passes through, also with a session that was not closed.

        Troubleshooting: ``ProofEnvironment.close`` also ends the sessions that are still open.
        """
        with pytest.raises(ZeroDivisionError), self.opened() as (environment, theorem, session):
            self.walk(session, self.provable[1][:1])
            environment.open(theorem, self.limits)
            _ = 1 // 0
        assert not self.wait_until_gone(), "processes survived an exception"

    def test_killed_prover_is_brought_back(self) -> None:
        """Killed between two steps, the prover is started again and brought back to the same state.

        Troubleshooting: on the child's death, start a new process, open the theorem, replay the script of
        the state, run the tactic; count it in ``SessionStats.restarts``.
        """
        self._needs_processes()
        statement, tactics = self.provable
        with self.opened(statement) as (_, _, session):
            states = [session.root, *self.walk(session, tactics)]
            for place in (len(tactics) - 1, 0):
                assert self.kill_all(), "no process of the prover was found: see prover_pids()"
                outcome = session.step(states[place], tactics[place], self.step_timeout_s)
                assert isinstance(outcome, Advanced | Solved), f"after kill -9: {outcome}"
                assert str(outcome.state.goals) == str(states[place + 1].goals)
                assert outcome.state.fingerprint == states[place + 1].fingerprint
            assert session.stats.restarts >= 2, "restarts are counted in SessionStats.restarts"
            assert self.kill_all()
            kinds = [type(o) for o in session.try_tactics(session.root, [tactics[0]] * 3, 10)]
            assert kinds == [Advanced] * 3, f"after kill -9: {kinds}"

    def test_killed_again_under_the_same_tactic_is_a_crash(self) -> None:
        """A prover that dies twice under one tactic gives ``Crashed``, never ``Rejected``.

        Troubleshooting: try the tactic once more after the first death; after the second, restore the
        session and answer ``Crashed``. The machinery's failure says nothing about the tactic.
        """
        self._needs_processes()
        if self.hanging_tactic is None:
            self.not_applicable("no 'hanging_tactic' given")
        statement, tactics = self.provable
        began = time.monotonic()
        with self.opened(statement) as (_, _, session):
            state = self.walk(session, tactics[:1])[-1]
            to_open = time.monotonic() - began  # it should be killed under the tactic, not before
            with self.killing(age_s=1.0 + 3 * to_open) as killed:
                try:
                    outcome = session.step(state, self.hanging_tactic, 30.0)
                except EnvironmentCrashedError:  # allowed: it could not be brought back under fire
                    assert killed()
                    return
            assert killed() >= 2, f"killed {killed()} times, and the outcome is {outcome}"
            assert isinstance(outcome, Crashed), outcome
            assert outcome.detail.strip()
            assert self.walk(session, tactics[1:], state)[-1].goals.solved, "the session goes on"

    def test_killed_check_is_no_verdict(self) -> None:
        """Killed in the middle of the check, the verdict is ``MACHINERY_FAILED``: nothing is known.

        Troubleshooting: a checker that was killed, or cannot be started, has not refused the proof.
        """
        self._needs_processes()
        with self.opened_environment() as environment:
            theorem = environment.theorem(self.provable[0], name="kit_example")
            assert environment.verify(theorem, as_proof(self.provable[1]), self.limits).proved
            with self.killing() as killed:
                verdict = environment.verify(theorem, as_proof(self.provable[1]), self.limits)
            assert killed(), "the check ran in no process of its own"
            assert verdict.status is VerdictStatus.MACHINERY_FAILED, verdict
            assert environment.verify(theorem, as_proof(self.provable[1]), self.limits).proved

    def test_killed_while_opening_is_an_error_of_the_machinery(self) -> None:
        """Killed while it opens a theorem, again and again, the prover is ``EnvironmentCrashedError``.

        Troubleshooting: not ``TheoremUnavailableError``, which blames the theorem's file.
        """
        self._needs_processes()
        with self.opened_environment() as environment:
            theorem = environment.theorem(self.provable[0], name="kit_example")
            with self.killing() as killed:
                try:
                    environment.open(theorem, self.limits).close()
                except EnvironmentCrashedError as error:
                    assert str(error).strip()
            assert killed(), "no process of the prover was found: see prover_pids()"
            with environment.open(theorem, self.limits) as session:
                self.walk(session, self.provable[1])

    def test_memory_limit(self) -> None:
        """With ``MEMORY_LIMIT``: the limit is on the process, and a tactic that hits it is no rejection.

        Troubleshooting: ``OutOfMemory`` where the prover reports it, and the session goes on.
        """
        with self.opened() as (environment, _, session):
            if Capability.MEMORY_LIMIT not in environment.capabilities:
                self.not_applicable("MEMORY_LIMIT is not declared")
            tactic = self.need(self.memory_tactic, "memory_tactic", Capability.MEMORY_LIMIT, True)
            limit = self.limits.memory_mb << 20
            allowed = [psutil.Process(pid).rlimit(resource.RLIMIT_AS)[0] for pid in self.own_pids()]
            assert limit in allowed, f"no process runs under {limit} bytes: {allowed}"
            outcome = session.step(session.root, tactic, 60.0)
            assert isinstance(outcome, OutOfMemory), f"'{tactic}' should exhaust memory, and gave {outcome}"
            assert self.walk(session, self.provable[1])[-1].goals.solved

    def test_sandbox(self) -> None:
        """With ``SANDBOX``: ``Limits(sandbox=True)`` takes the prover's network away, and it still works.

        Troubleshooting: start the process with ``prover_core.process.Sandbox``, the checker's too.
        """
        problem = sandbox_available()
        with self.opened_environment() as environment:
            if Capability.SANDBOX not in environment.capabilities:
                self.not_applicable("SANDBOX is not declared")
        if problem is not None:
            self.not_applicable(problem)
        limits = replace(self.limits, sandbox=True)
        with self.opened(limits=limits) as (environment, theorem, session):
            network = os.readlink("/proc/self/ns/net")
            inside = [os.readlink(f"/proc/{pid}/ns/net") != network for pid in self.own_pids()]
            assert any(inside), "no process of the prover is cut off from the network"
            assert self.walk(session, self.provable[1])[-1].goals.solved
            verdict = environment.verify(theorem, as_proof(self.provable[1]), limits)
            assert verdict.proved, verdict

    def _needs_processes(self) -> None:
        if not self.has_processes:
            self.not_applicable("this prover has no process")
