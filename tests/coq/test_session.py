"""Sessions on every supported prover: the tree of states, time, memory, death, and what counts as solved."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prover_coq.environment import CoqEnvironment
from prover_coq.session import CoqSession
from prover_core.errors import UnknownStateError
from prover_core.types import (
    Advanced,
    Crashed,
    Limits,
    OutOfMemory,
    Proof,
    ProofState,
    Rejected,
    RejectionKind,
    Solved,
    TimedOut,
)

STATEMENT = "Lemma test (n m : nat) (H : n = m) : n = m /\\ m = n."
Opened = Callable[..., CoqSession]


@pytest.fixture
def opened(environment: CoqEnvironment, limits: Limits) -> Opened:
    """Opens a statement; the environment's end closes it."""

    def open_statement(statement: str = STATEMENT, preamble: str = "") -> CoqSession:
        return environment.open(environment.theorem(statement, preamble=preamble), limits)

    return open_statement


def advance(session: CoqSession, *tactics: str, state: ProofState | None = None) -> ProofState:
    state = state or session.root
    for tactic in tactics:
        outcome = session.step(state, tactic, 10.0)
        assert isinstance(outcome, Advanced | Solved), (tactic, outcome)
        state = outcome.state
    return state


def test_replays_are_counted_and_no_more_than_needed(opened: Opened) -> None:
    session = opened()
    left = advance(session, "split.", "exact H.")
    assert (session.stats.replays, session.stats.replayed_tactics) == (0, 0)  # straight on: nothing to replay
    right = advance(session, "symmetry in H.", "split.", "symmetry.")
    assert session.stats.replays == 0  # from the root, which every line holds
    assert isinstance(session.step(left, "exact (eq_sym H).", 10.0), Solved)
    assert session.stats.replayed_tactics == 2  # to `left`; Qed runs where the last tactic has led
    before = session.stats.replayed_tactics
    session.try_tactics(right, ["idtac.", "foo.", "exact H."], 10.0)
    session.try_tactics(right, ["idtac.", "foo."], 10.0)
    assert session.stats.replayed_tactics == before + 3
    assert session.script(right) == ("symmetry in H.", "split.", "symmetry.")


def test_random_walk_over_the_tree(opened: Opened) -> None:
    """Whatever the order, the same way gives the same state."""
    session, rng = opened(), random.Random(7)
    tactics = ["split.", "symmetry in H.", "idtac.", "exact H.", "destruct n.", "foo.", "exact (eq_sym H)."]
    states = [session.root]
    seen: dict[tuple[str, ...], str] = {}
    for _ in range(150):
        state = rng.choice(states)
        batch = rng.sample(tactics, rng.randint(1, 5))
        for outcome in session.try_tactics(state, batch, 10.0):
            if isinstance(outcome, Advanced):
                script = session.script(outcome.state)
                assert seen.setdefault(script, outcome.state.fingerprint) == outcome.state.fingerprint
                if outcome.state.depth < 6:
                    states.append(outcome.state)
    assert len(seen) > 50


def test_states_outlive_their_session(opened: Opened) -> None:
    session = opened()
    outcomes = session.try_tactics(session.root, ["split.", "idtac."], 10.0)
    session.close()
    states = [o.state for o in outcomes if isinstance(o, Advanced)]
    assert [len(s.goals.focused) for s in states] == [2, 1]
    assert states[0].fingerprint != states[1].fingerprint
    with pytest.raises(UnknownStateError, match="closed"):
        session.step(states[0], "idtac.", 1.0)


def test_a_solved_state_needs_the_kernel(opened: Opened) -> None:
    session = opened("Lemma test : forall n : nat, n = 0.")
    outcome = session.step(session.root, "fix F 1; exact F.", 10.0)
    assert isinstance(outcome, Rejected)
    assert outcome.message.startswith("Qed: ")
    assert outcome.kind is RejectionKind.TACTIC
    (other, same) = session.try_tactics(session.root, ["intros n.", "fix F 1; exact F."], 10.0)
    assert isinstance(other, Advanced)
    assert isinstance(same, Rejected)


def test_open_braces_and_bullets(opened: Opened) -> None:
    session = opened()
    inside = advance(session, "split.", "{", "exact H.")
    assert isinstance(session.step(inside, "exact H.", 10.0), Rejected)
    second = advance(session, "}", "{", state=inside)
    outcome = session.step(second, "exact (eq_sym H).", 10.0)
    assert isinstance(outcome, Advanced)  # the brace is still to be closed
    assert isinstance(session.step(outcome.state, "}", 10.0), Solved)
    bullets = advance(session, "split.", "-", "exact H.", "-")
    assert isinstance(session.step(bullets, "exact (eq_sym H).", 10.0), Solved)
    assert len(advance(session, "split.", "-").goals.unfocused) == 1


def test_existential_variables_count(opened: Opened) -> None:
    session = opened("Lemma test : exists n : nat, n = n.")
    state = advance(session, "eexists.")
    assert len(state.goals.shelved) == 1
    outcome = session.step(state, "exact eq_refl.", 10.0)
    assert isinstance(outcome, Advanced)
    assert not outcome.state.goals.solved
    assert isinstance(session.step(outcome.state, "Unshelve.", 10.0), Advanced)
    again = advance(session, "Unshelve.", state=outcome.state)
    assert isinstance(session.step(again, "exact 0.", 10.0), Solved)


def test_time_limits_of_a_fraction_of_a_second(opened: Opened) -> None:
    session = opened()
    for limit in (0.05, 0.3):
        started = time.monotonic()
        outcome = session.step(session.root, "do 1000000000 idtac.", limit)
        assert isinstance(outcome, TimedOut)
        assert outcome.after_s == limit
        assert time.monotonic() - started < limit + 1.0
    assert session.stats.interrupts == 2
    assert session.stats.restarts == 0


def test_the_virtual_machine_ignores_interrupts(opened: Opened) -> None:
    """It is killed if need be; the session goes on either way."""
    session = opened()
    state = advance(session, "split.")
    slow = "let x := eval vm_compute in (Nat.pow 2 30) in idtac."
    started = time.monotonic()
    outcomes = session.try_tactics(state, ["exact H.", slow, "exact H."], 0.5)
    assert time.monotonic() - started < 10
    assert isinstance(outcomes[0], Advanced)
    assert isinstance(outcomes[1], TimedOut | OutOfMemory)
    assert isinstance(outcomes[2], Advanced)
    advance(session, "exact H.", state=state)


def test_memory_bomb(opened: Opened) -> None:
    session = opened()
    state = advance(session, "split.")
    bomb = "let x := eval cbv in (Nat.pow 2 26) in idtac."
    outcomes = session.try_tactics(state, ["exact H.", bomb, "exact H."], 60.0)
    assert isinstance(outcomes[0], Advanced)
    assert isinstance(outcomes[1], OutOfMemory)
    assert isinstance(outcomes[2], Advanced)


def test_killed_at_random_moments(opened: Opened) -> None:
    session, rng = opened(), random.Random(3)
    state = advance(session, "split.")
    over = threading.Event()
    killed = []

    def hunt() -> None:
        while not over.wait(rng.uniform(0.3, 0.8)):
            pid = session.engine.pid
            if pid is not None:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                killed.append(pid)

    hunter = threading.Thread(target=hunt)
    hunter.start()
    crashes = 0
    try:
        while len(killed) < 5:
            batch = ["exact H.", "foo.", "idtac.", "exact I."] * 8
            for index, outcome in enumerate(session.try_tactics(state, batch, 10.0)):
                if isinstance(outcome, Crashed):
                    crashes += 1
                    continue
                assert type(outcome) is (Advanced, Rejected, Advanced, Rejected)[index % 4], (index, outcome)
    finally:
        over.set()
        hunter.join()
    assert session.stats.restarts >= len(set(killed)) - 1
    assert crashes <= 2
    assert isinstance(session.step(state, "exact H.", 10.0), Advanced)


def test_long_and_strange_tactics(opened: Opened) -> None:
    session = opened("Lemma test (α β' : nat) (H : α = β') : β' = α.")
    long = f"first [ {'fail | ' * 15_000} idtac ]."
    outcomes = session.try_tactics(
        session.root,
        [
            long,
            "rewrite H. ",
            "  symmetry",
            "idtac (* a . comment *).",
            'idtac "é ∀ & <value> </value> \\".',
            "idtac\n\n  .",
            "\x00",
            "\ud800",
            "",
        ],
        20.0,
    )
    assert [type(o) for o in outcomes[:6]] == [Advanced] * 6, outcomes[:6]
    for outcome in outcomes[6:]:
        assert isinstance(outcome, Rejected)
        assert outcome.kind is RejectionKind.FORBIDDEN
    assert str(session.root.goals.focused[0].hypotheses[0]) == "α, β' : nat"


def test_error_messages_are_the_provers_own(opened: Opened) -> None:
    session = opened()
    failed, unparsed, custom = session.try_tactics(
        session.root, ["exact I.", "split ).", 'fail "a < b & c".'], 10.0
    )
    assert isinstance(failed, Rejected)
    assert 'The term "I" has type "True"' in failed.message
    assert isinstance(unparsed, Rejected)
    assert unparsed.kind is RejectionKind.PARSE
    assert isinstance(custom, Rejected)
    assert custom.message == "Tactic failure: a < b & c."
    for outcome in (failed, unparsed, custom):
        assert "Timeout" not in outcome.message
        assert "nbsp" not in outcome.message


@pytest.mark.parametrize(
    ("preamble", "statement", "tactics"),
    [
        ("", "Definition test : nat.", ["exact 0."]),
        ("", "Goal True.", ["exact I."]),
        ("Class C := { c : nat }.\n", "Instance test : C.", ["constructor; exact 0."]),
        ("", "Fixpoint test (n : nat) : nat.", ["destruct n as [|k]; [exact 0 | exact (test k)]."]),
        ("Require Import Coq.Program.Tactics.\n", "Program Lemma test : True.", ["exact I."]),
        (
            "Require Import Coq.Program.Tactics.\n"
            "Program Definition small (n : nat) : {m : nat | m <= n} := pred n.\n",
            "Next Obligation.",
            ["destruct n; [apply le_n | apply le_S; apply le_n]."],
        ),
        ("Module M.\nSection S.\nVariable A : Type.\n", "Lemma test : A = A.", ["reflexivity."]),
        ("Module M.\nModule N.\n", "Theorem test : 0 = 0.", ["reflexivity."]),
        ("#[local] Set Universe Polymorphism.\n", "#[global] Lemma test : True.", ["exact I."]),
    ],
    ids=lambda value: value.split(" ")[0] if isinstance(value, str) and value else "",
)
def test_every_kind_of_statement(
    opened: Opened, environment: CoqEnvironment, preamble: str, statement: str, tactics: list[str]
) -> None:
    if environment.toolchain().version.startswith("9"):
        preamble = preamble.replace("Require Import Coq.", "From Corelib Require Import ")
    session = opened(statement, preamble)
    state = advance(session, *tactics)
    assert state.depth == len(tactics)


def test_proofs_that_end_in_defined(environment: CoqEnvironment, limits: Limits, tmp_path: Path) -> None:
    source = tmp_path / "Transparent.v"
    source.write_text(
        "Definition two : nat.\nProof. exact 2. Defined.\nLemma ok : two = 2.\nProof. auto. Qed."
    )
    two, _ = environment.theorems_in(source)
    with environment.open(two, limits) as session:
        assert isinstance(session.step(session.root, "exact 2.", 10.0), Solved)
        assert environment.render(two, proof(session, "exact 2.")).endswith("exact 2.\nDefined.\n")


def proof(session: CoqSession, *tactics: str) -> Proof:
    return Proof(session.script(advance(session, *tactics)))
