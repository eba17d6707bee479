"""Provenance: what a run was made from, and none of anybody's secrets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prover_core.store import Provenance, collect_provenance, data_hash
from prover_core.store.provenance import redact
from prover_core.types import Theorem, Toolchain


def theorem(id: str, statement: str = "s") -> Theorem:
    return Theorem(id=id, name=id, prover="fake", statement=statement)


def test_it_names_machine_toolchain_and_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVER_WORKERS", "4")
    monkeypatch.setenv("PROVER_API_KEY", "hunter2")
    monkeypatch.setenv("SOMETHING_ELSE", "private")
    tools = Toolchain("coq", "8.16.1", "idetop", {"coqc": "/usr/bin/coqc"}, {"mathcomp": "2.0"})
    made = collect_provenance(
        toolchain=tools,
        theorems=[theorem("a"), theorem("b")],
        plugins={"polyprover": "0.1"},
        model="tactics",
        seed=7,
        argv=["prover", "run", "--set", "policy.api_key=hunter2"],
    )
    text = made.model_dump_json()
    assert "hunter2" not in text and "private" not in text
    again = Provenance.model_validate_json(text)
    assert again == made and again.differences(made) == []
    assert again.toolchain is not None and again.toolchain.libraries == {"mathcomp": "2.0"}
    assert again.environment == {"PROVER_API_KEY": "(hidden)", "PROVER_WORKERS": "4"}
    assert (again.theorems, again.seed, again.model) == (2, 7, "tactics")
    assert again.cpus >= 1 and again.memory_mb > 100 and again.python and again.platform
    assert json.loads(text)["schema_version"] == 1


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        (["--set", "policy.api_key=x"], ("--set", "policy.api_key=(hidden)")),
        (["--token", "x", "--limit", "3"], ("--token", "(hidden)", "--limit", "3")),
        (["--password=x"], ("--password=(hidden)",)),
        (["--set", "policy.max_tokens=512"], ("--set", "policy.max_tokens=512")),
        (["--api-key", "--limit"], ("--api-key", "--limit")),
    ],
)
def test_secrets_are_hidden_and_nothing_else(given_: list[str], shown: tuple[str, ...]) -> None:
    assert redact(given_) == shown


def test_the_hash_is_over_ids_and_statements_in_order() -> None:
    a, b = theorem("a"), theorem("b")
    assert data_hash([a, b]) == data_hash(iter([a, b]))
    others = [
        [b, a],
        [a],
        [],
        [a, theorem("b", "t")],
        [theorem("ab", "")],
        [theorem("a", "sb"), theorem("", "s")],
    ]
    assert len({data_hash(x) for x in [[a, b], *others]}) == len(others) + 1


@given(
    st.lists(st.text(alphabet=st.characters()), max_size=4),
    st.lists(st.text(alphabet=st.characters()), max_size=4),
)
def test_the_hash_tells_lists_apart(left: list[str], right: list[str]) -> None:
    assert (data_hash(map(theorem, left)) == data_hash(map(theorem, right))) == (left == right)


def test_differences_are_worded() -> None:
    old = Provenance(data_hash="a" * 200, plugins={"x": "1"})
    new = Provenance(data_hash="b" * 200, plugins={"x": "2"})
    plugins, data = old.differences(new)
    assert plugins == "plugins: was {'x': '1'}, now {'x': '2'}"
    assert data.startswith("data_hash: was aaa") and len(data) < 300
