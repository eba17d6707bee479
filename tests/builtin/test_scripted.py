"""The scripted policy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prover_core.builtin.fake import FakeEnvironment
from prover_core.builtin.scripted import ScriptedOptions, ScriptedPolicy
from prover_core.contracts import PolicyRequest
from prover_core.errors import DataError, PolicyFailedError
from prover_core.types import Limits


@pytest.fixture
def requests() -> Iterator[list[PolicyRequest]]:
    environment = FakeEnvironment()
    theorem = environment.theorem("a -> a", name="identity")
    with environment.open(theorem, Limits()) as session:
        root = PolicyRequest(theorem, session.root)
        yield [root, PolicyRequest(theorem, session.root, script=("intros.",))]


def tactics(policy: ScriptedPolicy, requests: list[PolicyRequest], k: int = 9) -> list[list[str]]:
    return [[suggestion.tactic for suggestion in answer] for answer in policy.suggest(requests, k)]


def test_plays_a_script_step_by_step(requests: list[PolicyRequest]) -> None:
    policy = ScriptedPolicy(ScriptedOptions(scripts={"identity": ("intros", "trivial")}))
    assert tactics(policy, requests) == [["intros"], ["trivial"]]


def test_proposes_the_same_everywhere_each_once(requests: list[PolicyRequest]) -> None:
    policy = ScriptedPolicy(ScriptedOptions(tactics=("split", "left", "split")))
    assert tactics(policy, requests, 1) == [["split"], ["split"]]
    assert tactics(policy, requests) == [["split", "left"]] * 2


def test_falls_back_on_the_provers_portfolio(requests: list[PolicyRequest]) -> None:
    policy = ScriptedPolicy()
    assert tactics(policy, requests) == [[], []], "not bound, so it knows no prover"
    policy.bind(FakeEnvironment())
    assert "intros" in tactics(policy, requests)[0]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("list.yaml", "- intros\n- trivial\n", [["intros", "trivial"]] * 2),
        ("list.json", '["intros"]', [["intros"]] * 2),
        ("map.yaml", "identity: [intros, trivial]\nother: []\n", [["intros"], ["trivial"]]),
    ],
)
def test_reads_a_file(
    name: str, text: str, expected: list[list[str]], tmp_path: Path, requests: list[PolicyRequest]
) -> None:
    (tmp_path / name).write_text(text)
    assert tactics(ScriptedPolicy(ScriptedOptions(file=tmp_path / name)), requests) == expected


@pytest.mark.parametrize("text", ["just text", "[1, 2]", "identity: intros", "{broken"])
def test_says_what_is_wrong_with_a_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "script.yaml").write_text(text)
    with pytest.raises(DataError, match=r"script\.yaml"):
        ScriptedPolicy(ScriptedOptions(file=tmp_path / "script.yaml"))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.yaml"):
        ScriptedPolicy(ScriptedOptions(file=tmp_path / "none.yaml"))


def test_fails_and_dawdles_on_demand(requests: list[PolicyRequest]) -> None:
    policy = ScriptedPolicy(ScriptedOptions(fail_after=1, delay_ms=50))
    began = time.monotonic()
    policy.suggest(requests, 1)
    assert time.monotonic() - began >= 0.05
    with pytest.raises(PolicyFailedError):
        policy.suggest(requests, 1)
