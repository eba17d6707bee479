"""The environment on every supported prover: opening, walking through files, reuse, premises, the end."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from prover_coq.environment import CoqEnvironment
from prover_core.errors import ContractError, EnvironmentCrashedError, TheoremUnavailableError
from prover_core.types import Advanced, Limits, Rejected, Solved, Theorem

FILE = """\
(* A file with a bit of everything. *)
Definition double (n : nat) := n + n.

Module Inner.
  Section Sec.
    Variable A : Type.
    Definition id (a : A) := a.
    Lemma id_id (a : A) : id (id a) = a.
    Proof. reflexivity. Qed.
    Lemma id_again : forall a : A, id a = a.
    Proof. reflexivity. Qed.
  End Sec.
  Lemma outside : double 1 = 2.
  Proof. reflexivity. Qed.
End Inner.

Lemma last (n : nat) : Inner.id nat n = n.
Proof. apply Inner.id_again. Qed.
"""


@pytest.fixture
def theorems(environment: CoqEnvironment, tmp_path: Path) -> list[Theorem]:
    path = tmp_path / "Mixed.v"
    path.write_text(FILE)
    return list(environment.theorems_in(path))


def pid_after(environment: CoqEnvironment, theorem: Theorem, limits: Limits) -> int | None:
    with environment.open(theorem, limits) as session:
        return session.engine.pid


def test_walking_through_a_file_with_one_process(
    environment: CoqEnvironment, theorems: list[Theorem], limits: Limits
) -> None:
    pids = set()
    for theorem in theorems:
        with environment.open(theorem, limits) as session:
            pids.add(session.engine.pid)
            proof = "apply Inner.id_again." if theorem.name == "last" else "reflexivity."
            outcome = session.step(session.root, proof, 10.0)
            assert isinstance(outcome, Solved), (theorem.name, outcome)
            session.try_tactics(session.root, ["idtac.", "foo."], 10.0)
            own = session.step(session.root, f"apply {theorem.name.rpartition('.')[2]}.", 10.0)
            assert isinstance(own, Rejected)  # it does not know itself
    assert len(pids) == 1
    back = {pid_after(environment, theorems[0], limits), pid_after(environment, theorems[1], limits)}
    assert not back & pids  # an earlier theorem needs a process that has not gone by it
    assert len(back) == 1


def test_the_context_is_the_files_own(
    environment: CoqEnvironment, theorems: list[Theorem], limits: Limits
) -> None:
    by_name = {theorem.name: theorem for theorem in theorems}
    with environment.open(by_name["Inner.id_again"], limits) as session:
        assert str(session.root.goals.focused[0]) == "A : Type\n⊢ forall a : A, id a = a"
        assert isinstance(session.step(session.root, "exact id_id.", 10.0), Advanced | Solved | Rejected)
    with environment.open(by_name["last"], limits) as session:
        assert "Inner.id" in str(session.root.goals)


def test_a_file_of_the_standard_library_has_its_own_name(environment: CoqEnvironment, limits: Limits) -> None:
    library = Path(environment.toolchain().paths["coqlib"])
    found = [library / "theories/Bool/Bool.v", library / "user-contrib/Stdlib/Bool/Bool.v"]
    path = next(path for path in found if path.exists())
    theorem = next(t for t in environment.theorems_in(path) if t.name == "negb_involutive")
    with environment.open(theorem, limits) as session:
        (located,) = session.engine.query(["Locate negb_orb."], 10.0)
        assert session.engine.read_messages(located.answer)[0].split()[1].endswith("Bool.Bool.negb_orb")
        assert isinstance(session.step(session.root, "intros []; reflexivity.", 10.0), Solved)


def test_a_file_that_does_not_compile_is_named_with_the_line(
    environment: CoqEnvironment, limits: Limits, tmp_path: Path
) -> None:
    path = tmp_path / "Broken.v"
    path.write_text("Definition a := 0.\n\nDefinition b : nat := true.\nLemma c : True.\nProof. auto. Qed.\n")
    (theorem,) = environment.theorems_in(path)
    with pytest.raises(TheoremUnavailableError) as caught:
        environment.open(theorem, limits)
    message = str(caught.value)
    assert f"{path}, line 3" in message
    assert "Definition b : nat := true." in message
    assert 'The term "true" has type "bool"' in message
    path.write_text("Lemma a : no_such_thing.\nProof. auto. Qed.\n")
    (theorem,) = environment.theorems_in(path)
    with pytest.raises(TheoremUnavailableError, match=r"line 1: .*statement(.|\n)*no_such_thing"):
        environment.open(theorem, limits)


def test_a_file_that_has_changed_is_not_opened_at_the_wrong_place(
    environment: CoqEnvironment, theorems: list[Theorem], limits: Limits
) -> None:
    path = Path(theorems[0].file or "")
    path.write_text("(* new *)\n" + FILE)
    with pytest.raises(TheoremUnavailableError, match="has changed"):
        environment.open(theorems[0], limits)


def test_text_that_cannot_be_loaded_at_once_is_fed(
    environment: CoqEnvironment, limits: Limits, tmp_path: Path
) -> None:
    """``Load`` refuses a text that leaves a proof open, as one with nested proofs does."""
    path = tmp_path / "Nested.v"
    path.write_text(
        "Set Nested Proofs Allowed.\nDefinition two := 2.\nLemma outer : two = 2 /\\ True.\nProof.\nsplit.\n"
        "Lemma inner : two = 2.\nProof. reflexivity. Qed.\n- exact inner.\n- exact I.\nQed.\n"
    )
    text = path.read_text()
    start = text.index("Lemma inner")
    outer = environment.theorems_in(path)[0]
    statement = "Lemma inner : two = 2."
    inner = replace(
        outer,
        id="inner",
        name="inner",
        statement=statement,
        span=type(outer.span or 0)(start, start + len(statement)),  # type: ignore[call-arg]
    )
    with environment.open(inner, limits) as session:
        assert isinstance(session.step(session.root, "reflexivity.", 10.0), Solved | Rejected)
        assert isinstance(session.step(session.root, "idtac.", 10.0), Advanced)


def test_processes_are_replaced_in_time(
    make_environment: Callable[..., CoqEnvironment], limits: Limits, tmp_path: Path
) -> None:
    path = tmp_path / "Mixed.v"
    path.write_text(FILE)
    few = make_environment(recycle_theorems=2)
    theorems = few.theorems_in(path)
    assert len({pid_after(few, theorem, limits) for theorem in theorems}) == 2
    small = make_environment(recycle_mb=1)
    assert len({pid_after(small, theorem, limits) for theorem in theorems[:2]}) == 2


def test_few_processes_are_kept(make_environment: Callable[..., CoqEnvironment], limits: Limits) -> None:
    environment = make_environment(idle_processes=1)
    theorem = environment.theorem("Lemma test : True.")
    before = set(psutil.Process().children())
    sessions = [environment.open(theorem, limits) for _ in range(3)]
    pids = [session.engine.pid for session in sessions]
    assert len(set(pids)) == 3
    for session in sessions:
        session.close()
    left = {child.pid for child in psutil.Process().children() if child not in before}
    assert pids[2] in left
    assert not {pids[0], pids[1]} & left
    environment.close()
    assert not psutil.pid_exists(pids[2] or 0)
    with pytest.raises(ContractError, match="closed"):
        environment.open(theorem, limits)


def test_threads_share_an_environment(
    environment: CoqEnvironment, theorems: list[Theorem], limits: Limits
) -> None:
    problems: list[BaseException] = []

    def work(offset: int) -> None:
        try:
            for theorem in theorems[offset:] + theorems[:offset]:
                with environment.open(theorem, limits) as session:
                    kinds = [type(o) for o in session.try_tactics(session.root, ["idtac.", "foo."], 10.0)]
                    assert kinds == [Advanced, Rejected]
        except BaseException as error:  # noqa: BLE001 - reported below, in the main thread
            problems.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems


def test_opening_takes_no_longer_than_allowed(environment: CoqEnvironment, limits: Limits) -> None:
    slow = "Goal True. do 1000000000 idtac. exact I. Qed.\n"
    theorem = environment.theorem("Lemma test : True.", preamble=slow)
    with pytest.raises(EnvironmentCrashedError, match="open_timeout_s"):
        environment.open(theorem, replace(limits, open_timeout_s=1.0))


def test_premises_come_from_before(
    environment: CoqEnvironment, theorems: list[Theorem], limits: Limits
) -> None:
    names = [theorem.name.rpartition(".")[2] for theorem in theorems]
    for place, theorem in enumerate(theorems):
        with environment.open(theorem, limits) as session:
            found = {p.name.rpartition(".")[2] for p in session.premises(session.root, 10_000)}
            assert not found & set(names[place:])
            assert session.premises(session.root, 0) == ()
            hypotheses = {name for h in session.root.goals.focused[0].hypotheses for name in h.names}
            assert not found & hypotheses
    with environment.open(theorems[-1], limits) as session:
        best = session.premises(session.root, 3)
        assert "Inner.id_again" in [premise.name for premise in best]
        assert "a" in best[0].statement


def test_no_room_for_temporary_files(
    make_environment: Callable[..., CoqEnvironment],
    limits: Limits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = make_environment()
    theorem = environment.theorem("Lemma test : True.")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(EnvironmentCrashedError, match="TMPDIR"):
        environment.open(theorem, limits)
    monkeypatch.setattr(tempfile, "tempdir", None)
    with environment.open(theorem, limits) as session:
        assert isinstance(session.step(session.root, "exact I.", 10.0), Solved)
