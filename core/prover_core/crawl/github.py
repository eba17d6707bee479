"""Repositories by GitHub's search API: paged, patient within limits, and silent about the token."""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from prover_core.crawl.targets import Target, parse_entry
from prover_core.errors import ConfigError, UserError

__all__ = ["GithubSearch", "token_from_environment"]

_PAGE = 100
_MOST = 1000
"""GitHub shows no more of one search, however much it found."""
_TRIES = 6
_TIMEOUT_S = 30.0
_MAX_ANSWER = 32 << 20
_EPOCH = date(2008, 1, 1)
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
Wait = Callable[[float, str], None]


def token_from_environment() -> str:
    """``GITHUB_TOKEN`` or ``GH_TOKEN``; empty: neither is set."""
    return (os.environ.get("GITHUB_TOKEN") or os.environ.get("GH_TOKEN") or "").strip()


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirects within a host: elsewhere, the token would be given to a stranger."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """Names of headers have no case."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")


class GithubSearch:
    """Searches repositories."""

    def __init__(
        self, api_base: str, git_base: str, token: str, wait: Wait, *, max_wait_s: float = 3600.0
    ) -> None:
        """``wait(seconds, why)`` is called before each pause; it is what sleeps, and may raise to stop.

        :raises ConfigError: the address is no https address (http: of this machine only).
        """
        parts = urlsplit(api_base)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
            raise ConfigError([f"--api-base {api_base!r}: give an https:// address, a token may go there"])
        if parts.username is not None:
            raise ConfigError(["--api-base holds credentials; put the token into GITHUB_TOKEN instead"])
        self._base = api_base.rstrip("/")
        self._git_base = git_base
        self._token = token
        self._wait = wait
        self._max_wait = max_wait_s
        self._opener = urllib.request.build_opener(_SameHost)

    def repositories(self, query: str, after: date | None, before: date | None) -> Iterator[Target]:
        """Repositories that ``query`` finds, created in ``after <= day < before``.

        A search that finds more than GitHub shows is cut in two by date of creation, again and again.

        :raises UserError: the API refuses, cannot be reached, or asks for too long a wait.
        """
        first = after or _EPOCH
        last = (before or datetime.now(UTC).date() + timedelta(days=1)) - timedelta(days=1)
        windows = [(first, last)]
        while windows:
            start, end = windows.pop()
            if start > end:
                continue
            words = f"{query} created:{start}..{end}"
            page = self._page(words, 1)
            total = page["total_count"]
            if total > _MOST and start < end:
                middle = start + (end - start) // 2
                windows += [(middle + timedelta(days=1), end), (start, middle)]
                continue
            yield from self._pages(words, page, min(total, _MOST))

    def _pages(self, words: str, page: dict[str, Any], total: int) -> Iterator[Target]:
        seen, number = 0, 1
        while True:
            for item in page["items"]:
                yield self._target(item)
            seen += len(page["items"])
            if seen >= total or not page["items"]:
                return
            number += 1
            page = self._page(words, number)

    def _target(self, item: Mapping[str, Any]) -> Target:
        target = parse_entry(str(item["full_name"]), git_base=self._git_base)
        licence = item.get("license")
        spdx = licence.get("spdx_id") if isinstance(licence, dict) else ""
        size = item.get("size")
        return Target(
            name=target.name,
            url=target.url,
            folder=target.folder,
            licence=spdx if isinstance(spdx, str) and spdx not in ("NOASSERTION", "NONE") else "",
            size_mb=size / 1024 if isinstance(size, int) else 0.0,
            created_at=str(item.get("created_at") or ""),
        )

    def _page(self, words: str, number: int) -> dict[str, Any]:
        order = {"q": words, "sort": "updated", "order": "asc", "per_page": _PAGE, "page": number}
        return self._get(f"{self._base}/search/repositories?{urlencode(order)}")

    def _get(self, url: str) -> dict[str, Any]:
        problem = ""
        for attempt in range(_TRIES):
            if attempt and problem:
                self._pause(2.0 ** (attempt - 1), problem)
            try:
                answer = self._open(url)
            except (OSError, http.client.HTTPException) as error:
                problem = f"{self._base} cannot be reached: {getattr(error, 'reason', error)}"
                continue
            if answer.status == 200:
                page, problem = _page_of(answer.body)
                if page is not None:
                    return page
            elif answer.status >= 500:
                problem = f"{self._base} answered {answer.status}"
            elif (seconds := self._asked_to_wait(answer, attempt)) is not None:
                self._pause(seconds, "rate limit of the API")
                problem = ""
            else:
                raise UserError(self._refusal(answer))
        msg = f"{problem or f'{self._base} keeps asking to wait'}; tried {_TRIES} times. Try again later."
        raise UserError(msg)

    def _open(self, url: str) -> _Answer:
        headers = {
            "Accept": "application/vnd.github+json",
            "User-Agent": "polyprover",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        request = urllib.request.Request(url, headers=headers)
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                return _Answer(response.status, dict(response.headers.items()), response.read(_MAX_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                return _Answer(error.code, dict(error.headers.items()), error.read(1 << 16))

    def _asked_to_wait(self, answer: _Answer, attempt: int) -> float | None:
        """Seconds, if the answer is that there were too many requests."""
        if answer.status not in (403, 429):
            return None
        if (after := _seconds(answer.header("Retry-After"))) is not None:
            return after
        reset = answer.header("X-RateLimit-Reset")
        if answer.header("X-RateLimit-Remaining") == "0" and reset.isdigit():
            return max(0.0, int(reset) - time.time()) + 1.0
        if answer.status == 429 or b"rate limit" in answer.body.lower():
            return 60.0 * 2.0**attempt
        return None

    def _pause(self, seconds: float, why: str) -> None:
        if seconds > self._max_wait:
            msg = (
                f"{why}: to be tried again in {seconds:.0f} s, longer than --max-wait {self._max_wait:g}. "
                "Run the same command then: it goes on with what is left."
            )
            if not self._token:
                msg += " With a token in GITHUB_TOKEN, limits are higher."
            raise UserError(msg)
        self._wait(seconds, why)

    def _refusal(self, answer: _Answer) -> str:
        said = _message(answer.body)
        if answer.status == 401:
            advice = "The token in GITHUB_TOKEN is not accepted; renew it, or unset the variable"
        elif answer.status == 422:
            advice = "Put --query right: it goes by GitHub's rules for searching repositories"
        elif 300 <= answer.status < 400:
            advice = "It sends elsewhere, and the token stays with one host; give the other as --api-base"
        else:
            advice = "Check --api-base and --query, and that the token may search"
        text = (
            f"{self._base} refused the search with {answer.status}{f' ({said})' if said else ''}. {advice}."
        )
        return text.replace(self._token, "***") if self._token else text


def _page_of(body: bytes) -> tuple[dict[str, Any] | None, str]:
    try:
        value = json.loads(body)
    except ValueError:
        return None, "the API's answer is no JSON"
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("total_count"), int)
        or not isinstance(value.get("items"), list)
        or not all(
            isinstance(item, dict) and isinstance(item.get("full_name"), str) for item in value["items"]
        )
    ):
        return None, "the API's answer is not that of a search"
    return value, ""


def _seconds(value: str) -> float | None:
    """Of a ``Retry-After``: a number, or a date."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, when.timestamp() - time.time())


def _message(body: bytes) -> str:
    try:
        value = json.loads(body)
    except ValueError:
        return ""
    said = value.get("message") if isinstance(value, dict) else ""
    return " ".join(said.split())[:200] if isinstance(said, str) else ""
