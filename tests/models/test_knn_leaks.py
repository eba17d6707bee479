"""The ``knn`` policy learns from what comes before a theorem, and from nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from knn_records import Library, goal, state

from prover_core.contracts import PolicyRequest
from prover_core.types import Goal, Goals, ProofState, Theorem
from prover_models.knn.access import Access
from prover_models.knn.features import goal_features
from prover_models.knn.index import Index, IndexBuilder, ProofPlace
from prover_models.knn.neighbours import Neighbourhood
from prover_models.knn.options import KnnOptions
from prover_models.knn.policy import KnnPolicy
from prover_models.knn.predict import predict

_GOAL = goal("n + m = m + n", n="nat", m="nat")


def _steps(tactic: str) -> list[tuple[object, str, list[str]]]:
    """The same two states in every proof, so that every step is a perfect neighbour of every theorem."""
    first = state("forall n m : nat, n + m = m + n")
    return [
        (first, f"intros n m; {tactic}.", []),
        (state("n + m = m + n", n="nat", m="nat"), f"{tactic}.", []),
    ]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Four files: A; B requires A; C requires B and A; D requires A. Tactics tell where they are from."""
    made = Library(tmp_path)
    for module, requires in (("L.A", ()), ("L.B", ("L.A",)), ("L.C", ("L.B", "L.A")), ("L.D", ("L.A",))):
        letter = module[-1].lower()
        proofs = [(f"{letter}{i}", _steps(f"from_{letter}{i}")) for i in range(3)]
        made.add(module, proofs, requires)  # type: ignore[arg-type]
    return made


@pytest.fixture
def index(library: Library) -> Index:
    return IndexBuilder().add_all(library.proofs, library.hashes).build()


_FILES_BEFORE = {"L/A.v": "", "L/B.v": "A", "L/C.v": "AB", "L/D.v": "A"}


def _precedes(place: ProofPlace, source: str, theorem: Theorem) -> bool:
    """Worked out from the files' texts, independently of the index's own notion."""
    assert theorem.span is not None
    own = theorem.id.partition(":")[0]
    if source == own:
        return place.end <= theorem.span.start
    return source.removeprefix("L/").removesuffix(".v") in _FILES_BEFORE[own]


def test_every_row_looked_at_precedes_the_theorem(library: Library, index: Index) -> None:
    access = Access(index)
    looked_at = 0
    for number, theorem in enumerate(library.theorems):
        reach = access.of(theorem)
        near = Neighbourhood(index, reach)
        rows = {n.row for n in near.nearest(goal_features(_GOAL), 1000)}
        rows |= {p.row for p in predict(index, near, _GOAL, neighbours=1000, k=1000)}
        places = {index.proofs[index.proof_of[row]] for row in rows}
        for place in places:
            assert _precedes(place, index.files[place.file].source, theorem), (place.id, theorem.id)
        before_in_file = number % 3
        expected = before_in_file + 3 * len(_FILES_BEFORE[theorem.id.partition(":")[0]])
        assert len(places) == expected, theorem.id  # all that may be used is used
        looked_at += len(rows)
    assert looked_at > 0


def test_frequencies_are_counted_over_allowed_rows_alone(library: Library, index: Index) -> None:
    """What comes later does not even weigh features: the same answers without it in the database."""
    access = Access(index)
    for number, theorem in enumerate(library.theorems):
        earlier = [
            p
            for p in library.proofs
            if _precedes_record(p.file, p.position.start if p.position else 0, theorem)
        ]
        if not earlier:
            continue
        alone = IndexBuilder().add_all(earlier, library.hashes).build()
        reach = access.of(theorem)
        requires = access.requires(theorem)
        lonely = Access(alone).of(theorem, requires)
        ours = predict(index, Neighbourhood(index, reach), _GOAL, neighbours=50, k=50)
        theirs = predict(alone, Neighbourhood(alone, lonely), _GOAL, neighbours=50, k=50)
        if number % 3:  # else its file is known to one of them alone, and they differ in locality
            assert {p.tactic: p.support for p in ours} == pytest.approx({p.tactic: p.support for p in theirs})


def _precedes_record(source: str, start: int, theorem: Theorem) -> bool:
    assert theorem.span is not None
    own = theorem.id.partition(":")[0]
    if source == own:
        return start < theorem.span.start
    return source.removeprefix("L/").removesuffix(".v") in _FILES_BEFORE[own]


def test_a_changed_file_gives_nothing_of_its_own(library: Library, index: Index) -> None:
    """Positions of another version of the file mean nothing, so its steps are left out."""
    theorem = library.theorems[5]
    path = Path(theorem.file or "")
    path.write_text("(* new *)\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    reach = Access(index).of(theorem)
    assert not _sources(index, reach.allowed.nonzero()[0].tolist()) & {"L/B.v"}


def test_a_copy_of_the_file_gives_nothing_either(library: Library, tmp_path: Path) -> None:
    """The same text under another name, loaded by the theorem's file, holds the theorem's own proof."""
    copied = [
        p.model_copy(update={"file": "L/Copy.v", "module": "L.Copy", "id": p.id.replace("L/B", "L/Copy")})
        for p in library.proofs
        if p.file == "L/B.v"
    ]
    changed = [
        p.model_copy(update={"requires": (*p.requires, "L.Copy")}) if p.file == "L/B.v" else p
        for p in library.proofs
    ]
    hashes = library.hashes | {"L/Copy.v": library.hashes["L/B.v"]}
    index = IndexBuilder().add_all([*changed, *copied], hashes).build()
    reach = Access(index).of(library.theorems[4])
    assert _sources(index, reach.allowed.nonzero()[0].tolist()) == {"L/A.v", "L/B.v"}


def test_text_alone_says_what_is_loaded(library: Library, index: Index) -> None:
    typed = Theorem(
        id="typed",
        name="typed",
        prover="coq",
        statement="Lemma typed : True.",
        preamble="From L Require Import B.\n",
    )
    reach = Access(index).of(typed)
    assert _sources(index, reach.allowed.nonzero()[0].tolist()) == {"L/A.v", "L/B.v"}
    nothing = dataclasses.replace(typed, preamble="")
    assert not Access(index).of(nothing).allowed.any()


def test_a_proof_that_encloses_the_statement_is_left_out(library: Library, index: Index) -> None:
    """A statement inside another proof: the outer proof starts before it and ends after it."""
    theorem = library.theorems[2]
    assert theorem.span is not None
    inside = dataclasses.replace(
        theorem, span=dataclasses.replace(theorem.span, start=theorem.span.start - 5)
    )
    allowed = Access(index).of(inside).allowed.nonzero()[0].tolist()
    assert {index.proofs[index.proof_of[row]].id for row in allowed} == {"L/A.v:a0"}


def test_the_policy_proposes_from_before_alone(library: Library, index: Index) -> None:
    policy = KnnPolicy(KnnOptions(own_file=False, portfolio=0), index=index)
    for theorem in library.theorems:
        own = theorem.name[0]
        later = {f"from_{own}{i}" for i in range(int(theorem.name[1]), 3)}
        [answer] = policy.suggest([_request(theorem, _GOAL)], 1000)
        words = {word.strip(";") for suggestion in answer for word in suggestion.tactic.split()}
        assert not words & later
        files = {word[5] for word in words if word.startswith("from_")}
        allowed = set(_FILES_BEFORE[theorem.id.partition(":")[0]].lower()) | {own}
        assert files <= allowed


def _sources(index: Index, rows: list[int]) -> set[str]:
    return {index.files[index.proofs[index.proof_of[row]].file].source for row in rows}


def _request(theorem: Theorem, goal: Goal) -> PolicyRequest:
    return PolicyRequest(theorem, ProofState(None, 0, Goals(focused=(goal,))))
