"""The ``knn`` policy with a real Coq: the database is extracted where it is missing, and serves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from toolchains import any_coq

from prover_coq.environment import CoqEnvironment
from prover_coq.options import CoqOptions
from prover_core.contracts import PolicyRequest, SearchObserver, SearchStatus, StepEvent
from prover_core.errors import ConfigError, DataError
from prover_core.search import BestFirstOptions, BestFirstSearch
from prover_core.types import Budget, Limits, ProofState, Suggestion, VerdictStatus
from prover_models.knn.library import load_index
from prover_models.knn.options import KnnOptions
from prover_models.knn.policy import KnnPolicy

_FILE = """\
Inductive tree := leaf | node (l r : tree).
Fixpoint flip (t : tree) := match t with leaf => leaf | node l r => node (flip r) (flip l) end.
Fixpoint copy (t : tree) := match t with leaf => leaf | node l r => node (copy l) (copy r) end.

Lemma copy_same : forall t, copy t = t.
Proof. induction t as [|a IHa b IHb]; simpl; [reflexivity | now rewrite IHa, IHb]. Qed.

Lemma flip_flip : forall u, flip (flip u) = u.
Proof. Admitted.

Lemma later : forall v, flip (flip (flip v)) = flip v.
Proof. intros v. apply this_comes_later. Abort.
"""


class _Quiet(SearchObserver):
    def on_step(self, event: StepEvent) -> None:
        pass

    def should_stop(self) -> bool:
        return False


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CoqEnvironment]:
    """A Coq, with a cache folder of our own."""
    coq = any_coq()
    monkeypatch.setenv("POLYPROVER_CACHE", str(tmp_path / "cache"))
    with CoqEnvironment(CoqOptions(bin=coq.bin)) as made:
        yield made


@pytest.fixture
def options(tmp_path: Path, environment: CoqEnvironment) -> KnnOptions:
    """A tiny part of the standard library, extracted on first use."""
    return KnnOptions(areas=("Bool/Zerob",), extract_workers=1, portfolio=0)


def test_first_use_extracts_and_indexes_and_the_second_does_not(
    environment: CoqEnvironment, options: KnnOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = KnnPolicy(options)
    policy.bind(environment)
    told = capsys.readouterr().err
    assert "extracting the standard library (Bool/Zerob)" in told
    assert "indexing" in told
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert before
    KnnPolicy(options).bind(environment)
    assert capsys.readouterr().err == ""
    assert {
        path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()
    } == before


def test_a_proof_is_learnt_from_earlier_in_the_file(
    environment: CoqEnvironment, options: KnnOptions, tmp_path: Path
) -> None:
    """The lemma before it is proved alike; names differ, and what stands later is never proposed."""
    path = tmp_path / "Trees.v"
    path.write_text(_FILE, encoding="utf-8")
    theorem = next(t for t in environment.theorems_in(path) if t.name == "flip_flip")
    policy = KnnPolicy(options)
    policy.bind(environment)
    with environment.open(theorem, Limits()) as session:

        def suggest(states: list[ProofState]) -> list[list[Suggestion]]:
            return policy.suggest([PolicyRequest(theorem, state) for state in states], 64)

        [tactics] = suggest([session.root])
        proposed = [suggestion.tactic for suggestion in tactics]
        assert any(tactic.startswith("induction u as [|a IHa b IHb]") for tactic in proposed)
        assert not any("this_comes_later" in tactic for tactic in proposed)
        result = BestFirstSearch(BestFirstOptions()).run(
            session, suggest, Budget(seconds=20, tries=400), _Quiet()
        )
    assert result.status is SearchStatus.FOUND, result
    assert result.proof is not None
    verdict = environment.verify(theorem, result.proof, Limits())
    assert verdict.status is VerdictStatus.PROVED, verdict.log


def test_without_data_and_without_leave_to_extract(environment: CoqEnvironment) -> None:
    with pytest.raises(ConfigError, match="prover extract coq --stdlib"):
        KnnPolicy(KnnOptions(extract=False)).bind(environment)


def test_a_damaged_index_is_built_again(
    environment: CoqEnvironment, options: KnnOptions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    KnnPolicy(options).bind(environment)
    [dataset] = (tmp_path / "cache" / "datasets").iterdir()
    [kept] = (tmp_path / "cache" / "knn").iterdir()
    whole = load_index(dataset)
    for name in ("index.npz", "tactics.json"):
        os.truncate(kept / name, 40)
        assert load_index(dataset).tactics == whole.tactics
        capsys.readouterr()
    assert load_index(dataset).rows == whole.rows
    assert capsys.readouterr().err == ""


def test_a_folder_that_is_no_dataset(environment: CoqEnvironment, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no dataset"):
        KnnPolicy(KnnOptions(data=tmp_path / "empty")).bind(environment)
