"""The search of repositories, against a stand-in of the API on this machine."""

from __future__ import annotations

import json
import time
from datetime import date
from email.utils import formatdate
from typing import Any

import pytest

from prover_core.crawl.github import GithubSearch
from prover_core.errors import ConfigError, UserError

TOKEN = "ghp_not_a_real_token_7f3a"


class Waits:
    """Notes the pauses, and does not make them."""

    def __init__(self) -> None:
        self.all: list[tuple[float, str]] = []

    def __call__(self, seconds: float, why: str) -> None:
        self.all.append((seconds, why))


def search(api: Any, waits: Waits, *, token: str = "", max_wait_s: float = 600) -> GithubSearch:
    return GithubSearch(api.url, "https://example.org", token, waits, max_wait_s=max_wait_s)


def names(api: Any, waits: Waits | None = None, **more: Any) -> list[str]:
    found = search(api, waits or Waits(), **more).repositories("language:coq", None, None)
    return [target.name for target in found]


def test_all_pages_are_read(api: Any, item: Any) -> None:
    api.items = [item(f"o/r{i}") for i in range(250)]
    assert names(api) == [f"o/r{i}" for i in range(250)]
    assert [query["page"] for query, _ in api.seen] == [["1"], ["2"], ["3"]]


def test_what_the_api_knows_is_taken_over(api: Any, item: Any) -> None:
    api.items = [
        item("o/a", size=2048, license={"spdx_id": "MIT"}),
        item("o/b", license={"spdx_id": "NOASSERTION"}),
    ]
    one, two = search(api, Waits()).repositories("x", None, None)
    assert (one.url, one.licence, one.size_mb) == ("https://example.org/o/a", "MIT", 2.0)
    assert two.licence == ""


def test_dates_are_part_of_the_search(api: Any, item: Any) -> None:
    api.items = [item("o/old", "2023-12-31"), item("o/new", "2024-01-01"), item("o/newer", "2024-02-01")]
    found = search(api, Waits()).repositories("coq", date(2024, 1, 1), date(2024, 2, 1))
    assert [target.name for target in found] == ["o/new"]
    assert api.seen[0][0]["q"] == ["coq created:2024-01-01..2024-01-31"]


def test_more_than_github_shows_is_found_by_cutting_the_time(api: Any, item: Any) -> None:
    api.items = [item(f"o/r{i}", f"20{10 + i % 10}-0{1 + i % 9}-11") for i in range(1500)]
    found = names(api)
    assert sorted(found) == sorted(entry["full_name"] for entry in api.items)


@pytest.mark.parametrize("status", [403, 429])
def test_retry_after_is_obeyed(api: Any, item: Any, status: int) -> None:
    api.items = [item("o/r")]
    api.script = [(status, {"Retry-After": "7"}, b"{}"), (status, {"Retry-After": "3"}, b"{}")]
    waits = Waits()
    assert names(api, waits) == ["o/r"]
    assert waits.all == [(7.0, "rate limit of the API"), (3.0, "rate limit of the API")]


def test_retry_after_may_be_a_date(api: Any, item: Any) -> None:
    api.items = [item("o/r")]
    api.script = [(429, {"Retry-After": formatdate(time.time() + 30, usegmt=True)}, b"")]
    waits = Waits()
    assert names(api, waits) == ["o/r"]
    assert 25 <= waits.all[0][0] <= 31


def test_the_reset_of_the_limit_is_waited_for(api: Any, item: Any) -> None:
    api.items = [item("o/r")]
    reset = str(int(time.time()) + 20)
    api.script = [(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, b"{}")]
    waits = Waits()
    assert names(api, waits) == ["o/r"]
    assert 18 <= waits.all[0][0] <= 22


def test_a_limit_without_numbers_is_waited_for_longer_each_time(api: Any, item: Any) -> None:
    api.items = [item("o/r")]
    said = json.dumps({"message": "You have exceeded a secondary rate limit."}).encode()
    api.script = [(403, {}, said), (403, {}, said)]
    waits = Waits()
    assert names(api, waits) == ["o/r"]
    assert [seconds for seconds, _ in waits.all] == [60, 120]


def test_too_long_a_wait_is_not_made(api: Any) -> None:
    api.script = [(429, {"Retry-After": "5000"}, b"")]
    with pytest.raises(UserError, match=r"again in 5000 s, longer than --max-wait 600"):
        names(api)


def test_trouble_of_the_server_and_nonsense_are_tried_again(api: Any, item: Any) -> None:
    api.items = [item("o/r")]
    api.script = [
        (502, {}, b"<html>"),
        (200, {}, b'{"total_count": 1, "items": [{"full'),
        (200, {}, b'{"total_count": 1, "items": [{}]}'),
        (200, {}, b"[]"),
    ]
    waits = Waits()
    assert names(api, waits) == ["o/r"]
    assert [seconds for seconds, _ in waits.all] == [1, 2, 4, 8]


def test_trouble_without_end_is_an_error(api: Any) -> None:
    api.script = [(500, {}, b"")] * 6
    with pytest.raises(UserError, match=r"answered 500; tried 6 times"):
        names(api)
    assert len(api.seen) == 6


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "renew it"), (422, "Put --query right"), (403, "may search"), (302, "elsewhere")],
)
def test_refusals_are_not_tried_again(api: Any, status: int, words: str) -> None:
    body = json.dumps({"message": f"no, {TOKEN}"}).encode()
    api.script = [(status, {"Location": "http://localhost:9/x"}, body)]
    with pytest.raises(UserError, match=words) as caught:
        names(api, token=TOKEN)
    assert len(api.seen) == 1
    assert TOKEN not in str(caught.value)


def test_the_token_goes_into_the_header_and_nowhere_else(api: Any, item: Any) -> None:
    api.items = [item("o/r")]
    names(api, token=TOKEN)
    names(api)
    assert [authorization for _, authorization in api.seen] == [f"Bearer {TOKEN}", ""]
    assert TOKEN not in str([query for query, _ in api.seen])


@pytest.mark.parametrize("address", ["http://example.org", "ftp://example.org", "https://me:pw@example.org"])
def test_addresses_that_a_token_must_not_go_to(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        GithubSearch(address, "https://example.org", TOKEN, Waits())
    assert TOKEN not in str(caught.value)


def test_no_server_is_an_error_after_some_tries() -> None:
    waits = Waits()
    with pytest.raises(UserError, match="cannot be reached"):
        list(GithubSearch("http://127.0.0.1:9", "https://e.org", "", waits).repositories("x", None, None))
    assert len(waits.all) == 5
