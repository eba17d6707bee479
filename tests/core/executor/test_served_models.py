"""A policy that is served by another process: its tokens and counters, and its failures, are the run's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from models.chat.asking import QUICK
from models.chat.serving import ChatServer, serving, status

from prover_core.executor.remote_models import ModelServer
from prover_core.store import AttemptRecord, RunStore


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving() as served:
        yield served


def run(lab: Any) -> list[AttemptRecord]:
    with ModelServer(lab.cluster.spec, clients=3) as models:
        lab.cluster.models = models
        lab.run()
    with RunStore.open(lab.folder / "run") as store:
        return list(store.records())


@pytest.fixture
def chat(server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings of a chat model that asks the server."""
    monkeypatch.setenv("POLYPROVER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    options = {"base_url": server.url, **QUICK}
    return {"model": "chat", **{f"policy__{name}": value for name, value in options.items()}}


def test_what_it_counts_is_in_the_records_and_in_the_log(
    make_lab: Any, server: ChatServer, chat: dict[str, Any]
) -> None:
    lab = make_lab(**chat, limit=6, budget="40t")
    records = run(lab)
    asked = sum(record.counters["chat.requests"] for record in records)
    assert asked == len(server.bodies) > 0
    log = (json.loads(line) for line in (lab.folder / "run" / "log.jsonl").read_text().splitlines())
    [told] = [line for line in log if line["event"] == "policy"]
    assert told["used"]["chat.requests"] == asked
    assert told["tokens"] == told["used"]["chat.prompt_tokens"] + told["used"]["chat.completion_tokens"] > 0


def test_a_budget_of_tokens_is_kept(make_lab: Any, server: ChatServer, chat: dict[str, Any]) -> None:
    server.say = lambda body, i: f"```\nhave x{len(server.bodies)}{i} : a\n```"
    records = run(make_lab(**chat, limit=2, budget="1k", policy__samples=1))
    assert all("tokens (1000) are used up" in record.detail for record in records)


def test_what_a_failed_call_has_used_counts_too(
    make_lab: Any, server: ChatServer, chat: dict[str, Any]
) -> None:
    server.misdeeds.extend([status(400)] * 1000)
    [record] = run(make_lab(**chat, limit=1, budget="40t", workers=1))
    assert record.status == "crashed" and record.error_class == "PolicyFailedError"
    assert "400" in record.error and record.counters["chat.requests"] == len(server.bodies) > 0
