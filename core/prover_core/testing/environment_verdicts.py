"""The kit's tests of the independent check: what counts as proved, and what never does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from prover_core.testing.environment_base import EnvironmentIngredients, as_proof
from prover_core.types import Capability, Proof, VerdictStatus

__all__ = ["VerdictTests"]

_UNDECIDED = {VerdictStatus.MACHINERY_FAILED, VerdictStatus.UNCHECKED}


class VerdictTests(EnvironmentIngredients):
    """Verifying."""

    def test_right_proof_is_proved(self) -> None:
        """A right proof, as the session ran it and as a person writes it, is ``PROVED``.

        Troubleshooting: the verdict's log says what the checker said. ``statement_unchanged`` must be
        ``True`` and ``checker`` must name program and version.
        """
        statement, tactics = self.provable
        with self.opened(statement) as (environment, theorem, session):
            proofs = [Proof(tuple(tactics)), Proof(session.script(self.walk(session, tactics)[-1]))]
            for proof in proofs:
                verdict = environment.verify(theorem, proof, self.limits)
                assert verdict.status is VerdictStatus.PROVED, verdict
                assert verdict.proved
                assert verdict.statement_unchanged is True
                assert any(character.isdigit() for character in verdict.checker), verdict.checker
                assert verdict.seconds > 0
                assert verdict.forbidden == ()

    def test_wrong_proofs_are_not_proved(self) -> None:
        """A proof of something else, and a proof that stops early, are refused, and with reason.

        Troubleshooting: such a verdict is ``REJECTED`` or ``INCOMPLETE`` with a log, never
        ``MACHINERY_FAILED``: the check worked.
        """
        statement, tactics = self.provable
        wrong: list[tuple[str, Sequence[str]]] = [
            (self.unprovable, tactics),
            (statement, tactics[:-1]),
            (statement, []),
            (statement, [*tactics[:-1], self.rejected_tactic]),
            (statement, [*tactics[:-1], self.parse_error_tactic]),
        ]
        with self.opened_environment() as environment:
            for stated, proof in wrong:
                verdict = self.verdict(environment, stated, proof)
                assert not verdict.proved, f"{proof} does not prove {stated}"
                assert verdict.status not in _UNDECIDED, f"{proof}: {verdict}"
                assert verdict.log.strip(), f"{proof}: the log says why"

    def test_cheats_are_not_proved(self) -> None:
        """Nothing in ``cheats`` counts as proved, nor as a failure of the machinery.

        Troubleshooting: the cheat's name is in the failure. Check the whole file in a fresh process, list
        the axioms it rests on, refuse commands and options that weaken the checker.
        """
        assert self.cheats, "give at least one cheat"
        accepted: list[str] = []
        with self.opened_environment() as environment:
            for name, proof in self.cheats:
                verdict = self.verdict(environment, self.unprovable, proof)
                if verdict.proved:
                    accepted.append(name)
                assert verdict.status not in _UNDECIDED, f"{name}: {verdict}"
        assert not accepted, f"accepted as proofs of '{self.unprovable}': {', '.join(accepted)}"

    def test_changed_statement_is_not_proved(self) -> None:
        """A "proof" that states something else and proves that is refused.

        Troubleshooting: compare what was proved with the statement that was asked for, in the prover's
        own terms, not only the file's text.
        """
        with self.opened_environment() as environment:
            verdict = self.verdict(environment, self.unprovable, self.changed_statement)
            assert not verdict.proved, verdict
            assert verdict.status not in _UNDECIDED, verdict

    def test_solved_is_not_a_verdict(self) -> None:
        """Tactics that give up are not proofs for the check either.

        Troubleshooting: ``INCOMPLETE`` or ``CHEATED`` is right for them, ``PROVED`` never.
        """
        if not self.giving_up_tactics:
            self.not_applicable("no 'giving_up_tactics' given")
        with self.opened_environment() as environment:
            for tactic in self.giving_up_tactics:
                verdict = self.verdict(environment, self.unprovable, [tactic])
                assert not verdict.proved, f"'{tactic}': {verdict}"
                assert verdict.status not in _UNDECIDED, f"'{tactic}': {verdict}"

    def test_a_check_without_time_is_no_verdict(self) -> None:
        """A check that runs out of time is ``MACHINERY_FAILED``: nothing is known about the proof.

        Troubleshooting: the time-out of the checker must not end up as ``REJECTED``.
        """
        if self.hanging_tactic is None:
            self.not_applicable("no 'hanging_tactic' given")
        limits = replace(self.limits, verify_timeout_s=1.0)
        statement, tactics = self.provable
        with self.opened_environment() as environment:
            theorem = environment.theorem(statement, name="kit_example")
            verdict = environment.verify(theorem, as_proof([self.hanging_tactic, *tactics]), limits)
            assert verdict.status is VerdictStatus.MACHINERY_FAILED, verdict
            assert not verdict.proved

    def test_whole_proofs(self) -> None:
        """With ``WHOLE_PROOF``: a proof given as one text is judged like one given as tactics.

        Troubleshooting: ``Proof.text`` is what a whole-proof model writes: the tactics, one a line.
        """
        statement, tactics = self.provable
        with self.opened(statement) as (environment, theorem, session):
            if Capability.WHOLE_PROOF not in environment.capabilities:
                self.not_applicable("WHOLE_PROOF is not declared")
            text = "\n".join(session.script(self.walk(session, tactics)[-1]))
            verdict = environment.verify(theorem, Proof((), text=text), self.limits)
            assert verdict.proved, verdict
            short = text.rpartition("\n")[0]
            assert not environment.verify(theorem, Proof((), text=short), self.limits).proved

    def test_axioms_are_listed(self) -> None:
        """With ``AXIOMS``: a verdict lists what the proof rests on, and nothing for a plain proof.

        Troubleshooting: ask the prover what the *theorem* depends on, not what its file mentions.
        """
        with self.opened_environment() as environment:
            declared = Capability.AXIOMS in environment.capabilities
            if not declared:
                self.not_applicable("AXIOMS is not declared")
            example = self.need(self.axiomatic, "axiomatic", Capability.AXIOMS, declared)
            statement, tactics, axioms = example
            verdict = self.verdict(environment, statement, tactics, preamble=self.axiomatic_preamble)
            assert verdict.proved, verdict
            assert {axiom.rpartition(".")[2] for axiom in verdict.axioms} == axioms
            assert self.verdict(environment, *self.provable).axioms == ()

    def test_kernel_recheck(self) -> None:
        """With ``KERNEL_RECHECK``: asked for, a second kernel agrees; not asked for, it says nothing.

        Troubleshooting: ``kernel_rechecked`` is ``None`` unless ``kernel_recheck=True`` was asked and done.
        """
        with self.opened_environment() as environment:
            assert self.verdict(environment, *self.provable).kernel_rechecked is None
            verdict = self.verdict(environment, *self.provable, kernel_recheck=True)
            declared = Capability.KERNEL_RECHECK in environment.capabilities
            assert verdict.kernel_rechecked is (True if declared else None), verdict
            wrong = self.verdict(environment, self.unprovable, self.provable[1], kernel_recheck=True)
            assert not wrong.proved

    def test_rendered_proof_is_what_was_proved(self) -> None:
        """``render`` gives text with the statement and every tactic in it, in order.

        Troubleshooting: it is what ``prover prove`` prints for the person to paste.
        """
        statement, tactics = self.provable
        with self.opened_environment() as environment:
            theorem = environment.theorem(statement, name="kit_example")
            text = environment.render(theorem, Proof(tuple(tactics)))
            position = text.find(theorem.statement.strip().removesuffix(self.terminator))
            assert position >= 0, f"the statement is not in: {text}"
            for tactic in tactics:
                bare = tactic.strip().removesuffix(self.terminator)
                position = text.find(bare, position + 1)
                assert position >= 0, f"'{tactic}' is missing, or out of order, in: {text}"

    def test_unopened_theorem_is_no_failed_proof(self) -> None:
        """A theorem that cannot be opened is not disproved: the verdict is ``MACHINERY_FAILED``.

        Troubleshooting: ``verify`` never raises for it, and the proof is not to blame. If the preamble is
        given with the theorem, ``REJECTED`` would say that the proof is wrong.
        """
        with self.opened_environment() as environment:
            broken = self.with_preamble(environment, self.bad_preamble)
            verdict = environment.verify(broken, Proof(tuple(self.provable[1])), self.limits)
            if verdict.status is not VerdictStatus.MACHINERY_FAILED:
                pytest.fail(f"the preamble is broken, not the proof: {verdict}")
