"""A run whose premises come from a retriever."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from prover_core.builtin.fake import FakeEnvironment, FakeOptions
from prover_core.cli.main import main
from prover_core.contracts import Policy, PolicyRequest
from prover_core.data.dataset import Dataset
from prover_core.records import DeclarationRecord, PositionRecord, ProofRecord
from prover_core.runner import RetrievedPremises, Runner, RunSettings
from prover_core.search import BestFirstOptions, BestFirstSearch
from prover_core.store import RunStore, collect_provenance
from prover_core.types import Budget, Suggestion, Theorem
from prover_models.retrieval.bm25 import Bm25Retriever

_STATEMENT = "alpha /\\ beta -> beta /\\ alpha"


class _Listening(Policy):
    """Notes what premises it was given, though it asked for none."""

    def __init__(self) -> None:
        self.heard: list[list[str]] = []

    def suggest(self, requests: Sequence[PolicyRequest], k: int) -> list[list[Suggestion]]:
        self.heard += [[premise.name for premise in request.premises] for request in requests]
        return [[] for _ in requests]


def _declaration(name: str, order: int) -> DeclarationRecord:
    return DeclarationRecord(
        name=name, module="M", file="M.f", statement=f"{name} alpha beta", order=order, position=_at(order)
    )


def _at(order: int) -> PositionRecord:
    return PositionRecord(start=100 * order, end=100 * order + 60, line=order + 1, column=1)


def _proof(statement: str) -> ProofRecord:
    """Of the theorem that the fake environment makes of ``_STATEMENT``, or of another of its id."""
    with FakeEnvironment(FakeOptions()) as environment:
        theorem = environment.theorem(_STATEMENT, name="t")
    return ProofRecord(
        id=theorem.id,
        prover="fake",
        file="M.f",
        module="M",
        name="t",
        statement=theorem.statement.replace(_STATEMENT, statement),
        position=_at(2),
    )


_DECLARATIONS = [_declaration(f"lemma{order}", order) for order in range(4)]


def _heard(tmp_path: Path, proof: ProofRecord) -> list[str]:
    policy = _Listening()
    with FakeEnvironment(FakeOptions()) as environment:
        theorem = environment.theorem(_STATEMENT, name="t")
        provenance = collect_provenance(theorems=[theorem])
        with RunStore.create(tmp_path / "run", {}, provenance, trajectories=False) as store:
            Runner(
                environment=environment,
                policy=policy,
                search=BestFirstSearch(BestFirstOptions()),
                theorems=[theorem],
                settings=RunSettings(budget=Budget(seconds=5)),
                store=store,
                premise_source=RetrievedPremises(Bm25Retriever(), _DECLARATIONS, [proof]),
            ).run()
    [heard] = policy.heard
    return heard


def test_any_policy_gets_what_the_retriever_finds_before_the_theorem(tmp_path: Path) -> None:
    assert sorted(_heard(tmp_path, _proof(_STATEMENT))) == ["lemma0", "lemma1"]


def test_the_prover_is_asked_where_the_dataset_holds_another_theorem(tmp_path: Path) -> None:
    assert _heard(tmp_path, _proof("alpha -> alpha")) == []


def test_the_flag_names_retriever_and_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Dataset.create(tmp_path / "data", prover="fake") as dataset:
        dataset.write_part("M.f", "0" * 64, "fake", [_proof(_STATEMENT)], _DECLARATIONS)
        dataset.finish()
    command = ["run", "--env", "fake", "--model", "scripted", "--data", "fake", "--limit", "1"]
    command += ["--out", str(tmp_path / "run")]
    assert main([*command, "--retriever", f"bm25:{tmp_path / 'data'}"]) == 0
    capsys.readouterr()
    for wrong, told in (("bm25", "RETRIEVER:DATASET"), ("bm26:x", "bm25"), ("bm25:/nowhere", "/nowhere")):
        assert main([*command, "--out", str(tmp_path / wrong[:4]), "--retriever", wrong]) == 2
        assert told in capsys.readouterr().err


def test_a_theorem_that_is_not_in_the_dataset(tmp_path: Path) -> None:
    source = RetrievedPremises(Bm25Retriever(), _DECLARATIONS, [])
    with FakeEnvironment(FakeOptions()) as environment:
        theorem: Theorem = environment.theorem(_STATEMENT, name="other")
        with environment.open(theorem, RunSettings().limits) as session:
            assert source.premises(theorem, session.root, 5) is None
