"""Local git repositories with histories made for the purpose, and a stand-in of GitHub's API."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from prover_core.cli.main import main


class Repo:
    """A repository that a test writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str, date: str = "2020-01-01T00:00:00Z") -> str:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "c",
            "GIT_COMMITTER_EMAIL": "c@example.org",
            "GIT_AUTHOR_DATE": "2001-01-01T00:00:00Z",  # not the date that counts
            "GIT_COMMITTER_DATE": date,
        }
        command = ["git", "-c", "commit.gpgsign=false", *words]
        done = subprocess.run(command, cwd=self.path, env=environ, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, **files: str) -> None:
        self.write_files({name.replace("__", "/").replace("_v", ".v"): text for name, text in files.items()})

    def write_files(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def commit(self, date: str, files: dict[str, str] | None = None) -> str:
        self.write_files(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x", date=f"{date}T12:00:00Z")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def hub(tmp_path: Path) -> Callable[[str], Repo]:
    """``hub("owner/name")``: a new repository below ``tmp_path/hub``."""
    return lambda name: Repo(tmp_path / "hub" / name)


@pytest.fixture
def base(tmp_path: Path) -> str:
    return f"file://{tmp_path / 'hub'}"


@dataclass
class Answer:
    code: int
    out: str
    err: str


Crawl = Callable[..., Answer]


@pytest.fixture
def crawl(capsys: pytest.CaptureFixture[str], tmp_path: Path, base: str) -> Crawl:
    """``prover data crawl coq --out tmp_path/out --git-base ... WORDS``, in this process."""

    def call(*words: str) -> Answer:
        capsys.readouterr()
        code = main(["data", "crawl", "coq", "--out", str(tmp_path / "out"), "--git-base", base, *words])
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def read_lines() -> Callable[[Path], list[dict[str, Any]]]:
    return lines


Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Api:
    """Answers of GitHub's search: scripted ones first, then pages of ``items``."""

    url: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    script: list[Reply] = field(default_factory=list)
    seen: list[tuple[dict[str, list[str]], str]] = field(default_factory=list)
    """(query, ``Authorization`` header) of each request."""
    most: int = 1000

    def reply(self, path: str, authorization: str) -> Reply:
        query = parse_qs(urlsplit(path).query)
        self.seen.append((query, authorization))
        if self.script:
            return self.script.pop(0)
        first, _, last = query["q"][0].rpartition("created:")[2].partition("..")
        found = [item for item in self.items if first <= item["created_at"][:10] <= last]
        start = (int(query["page"][0]) - 1) * int(query["per_page"][0])
        page = found[: self.most][start : start + int(query["per_page"][0])]
        return 200, {}, json.dumps({"total_count": len(found), "items": page}).encode()


@pytest.fixture
def api() -> Iterator[Api]:
    found = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = found.reply(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def repository(name: str, created: str = "2020-05-05", **more: Any) -> dict[str, Any]:
    return {"full_name": name, "created_at": f"{created}T00:00:00Z", "size": 10, "license": None, **more}


@pytest.fixture
def item() -> Callable[..., dict[str, Any]]:
    return repository
