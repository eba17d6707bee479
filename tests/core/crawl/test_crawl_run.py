"""``prover data crawl`` from end to end, over local repositories."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prover_core.crawl.dates import load_dates

ONE = "Lemma one : 1 + 1 = 2.\nProof. reflexivity. Qed.\n"
LONG = """\
Theorem swap (a b : Prop) : a /\\ b -> b /\\ a.
Proof.
  intros H. destruct H.
  split. auto. auto.
Qed.
"""
LONG_RENAMED = (
    LONG.replace("swap", "other")
    .replace("a b :", "p q :")
    .replace("a /\\ b -> b /\\ a", "p /\\ q -> q /\\ p")
)
MIT = "MIT License\n\nPermission is hereby granted"
GPL = "GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007\n"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[..., str]:
    def write(*entries: str) -> str:
        path = tmp_path / "manifest.txt"
        path.write_text("\n".join(entries))
        return str(path)

    return write


@pytest.fixture
def records(out: Path, read_lines: Any) -> Callable[[], dict[str, dict[str, Any]]]:
    return lambda: {record["name"]: record for record in read_lines(out / "crawl.jsonl")}


def test_repositories_are_cloned_at_their_commits_with_dates(
    hub: Any, crawl: Any, out: Path, tmp_path: Path, records: Any, read_lines: Any
) -> None:
    repo = hub("o/a")
    repo.commit("2019-01-01", {"a.v": ONE, "LICENSE": MIT})
    wanted = repo.commit("2020-01-01", {"a.v": ONE + LONG})
    repo.commit("2021-01-01", {"later.v": ONE})
    hub("o/b").commit("2022-02-02", {"b.v": LONG_RENAMED})
    path = tmp_path / "commits.json"
    path.write_text(json.dumps({"o/a": wanted, "o/b": ""}))
    answer = crawl("--manifest", str(path))
    assert answer.code == 0, answer.err
    assert "2 of 2 repositories" in answer.out and "3 theorems in 2 files" in answer.out
    assert {p.name for p in (out / "repos" / "o__a").iterdir()} == {".git", "a.v", "LICENSE"}
    record = records()["o/a"]
    assert record["commit"] == wanted
    assert (record["status"], record["licence"], record["commits"]) == ("done", "MIT", 2)
    assert (record["began"], record["ended"]) == ("2019-01-01T12:00:00Z", "2020-01-01T12:00:00Z")
    lookup = load_dates(out / "repos" / "o__a" / "a.v")
    assert lookup is not None
    assert lookup("a.v", "swap") == "2020-01-01T12:00:00Z"
    groups = read_lines(out / "duplicates.jsonl")
    assert [(g["level"], g["count"], g["repositories"]) for g in groups] == [
        ("proof", 2, ["o__a", "o__b"]),
        ("shape", 2, ["o__a", "o__b"]),
    ]
    assert groups[1]["members"][0]["theorem"] == "swap"  # the oldest first


def test_without_dates_only_the_commit_is_fetched(
    hub: Any, crawl: Any, manifest: Any, out: Path, records: Any
) -> None:
    repo = hub("o/a")
    old = repo.commit("2019-01-01", {"a.v": ONE})
    repo.commit("2020-01-01", {"a.v": ONE + LONG})
    assert crawl("--manifest", manifest(f"o/a@{old}"), "--no-dates").code == 0
    record = records()["o/a"]
    assert (record["theorems"], record["shallow"], record["began"]) == (1, True, "")
    lookup = load_dates(out / "repos" / "o__a")
    assert lookup is not None and lookup("a.v", "one") == ""
    repo.commit("2021-01-01", {"a.v": ONE})
    assert crawl("--manifest", manifest(f"o/a@{old}")).code == 0  # dates are wanted now
    assert records()["o/a"]["began"] == "2019-01-01T12:00:00Z"


def test_a_crawl_is_gone_on_with(hub: Any, crawl: Any, manifest: Any, out: Path) -> None:
    hub("o/a").commit("2019-01-01", {"a.v": ONE})
    hub("o/b").commit("2019-01-01", {"a.v": ONE})
    crawl("--manifest", manifest("o/a"))
    mark = out / "repos" / "o__a" / "mark"
    mark.touch()
    answer = crawl("--manifest", manifest("o/a", "o/b"), "--json")
    assert mark.exists()
    report = json.loads(answer.out)
    assert (report["done"], report["done_before"]) == (2, 1)
    assert mark.exists()
    (out / "dates" / "o__a.jsonl").unlink()  # then it is not done any more
    assert json.loads(crawl("--manifest", manifest("o/a", "o/b"), "--json").out)["done_before"] == 1
    assert not mark.exists()


def test_failures_have_reasons_and_stop_nothing(
    hub: Any, crawl: Any, manifest: Any, tmp_path: Path, records: Any, out: Path
) -> None:
    hub("o/a").commit("2019-01-01", {"a.v": ONE})
    hub("o/empty")
    broken = hub("o/broken")
    broken.commit("2019-01-01", {"a.v": ONE})
    for file in (broken.path / ".git" / "objects").rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            file.write_bytes(b"broken")
    words = ("--manifest", manifest("o/none", "o/empty", "o/broken", f"o/a@{'0' * 39}1", "./nowhere"))
    answer = crawl(*words)
    assert answer.code == 1
    assert "0 of 5 repositories" in answer.out
    found = records()
    assert {record["status"] for record in found.values()} == {"failed"}
    assert "git fetch` failed" in found["o/none"]["reason"]
    assert not list((out / "repos").iterdir())
    answer = crawl("--manifest", manifest("o/none", "o/a"))
    assert answer.code == 0
    assert records()["o/a"]["status"] == "done"
    hub("o/none").commit("2019-01-01", {"a.v": ONE})
    crawl("--manifest", manifest("o/none"))
    assert records()["o/none"]["status"] == "failed"  # failed for good
    crawl("--manifest", manifest("o/none"), "--retry-failed")
    assert records()["o/none"]["status"] == "done"


def test_licences_that_are_not_wanted_are_left_out(
    hub: Any, crawl: Any, manifest: Any, out: Path, records: Any
) -> None:
    hub("o/mit").commit("2019-01-01", {"a.v": ONE, "LICENSE.md": MIT})
    hub("o/gpl").commit("2019-01-01", {"a.v": ONE, "COPYING": GPL})
    hub("o/none").commit("2019-01-01", {"a.v": ONE})
    hub("o/opam").commit("2019-01-01", {"a.v": ONE, "x.opam": 'license: "GPL-3.0-or-later"\n'})
    words = ("--manifest", manifest("o/mit", "o/gpl", "o/none", "o/opam"))

    def done(*more: str) -> set[str]:
        crawl(*words, *more)
        there = {path.name for path in (out / "repos").iterdir()}
        assert there == {r["folder"] for r in records().values() if r["status"] == "done"}
        return there

    assert done("--licence", "MIT,Apache-2.0") == {"o__mit"}
    assert records()["o/gpl"]["reason"] == "licence GPL-3.0"
    assert done("--licence", "GPL-3.0") == {"o__gpl", "o__opam"}
    assert done("--licence", "MIT", "--unknown-licence") == {"o__mit", "o__none"}
    assert done() == {"o__mit", "o__gpl", "o__none", "o__opam"}


def test_large_repositories_are_left_out(hub: Any, crawl: Any, manifest: Any, records: Any) -> None:
    big = hub("o/big")
    (big.path / "x.bin").write_bytes(os.urandom(3 << 20))
    big.commit("2019-01-01", {"a.v": ONE})
    # Small to fetch, large to check out.
    hub("o/bomb").commit("2019-01-01", {"a.v": ONE, "zeros": "0" * (3 << 20)})
    hub("o/small").commit("2019-01-01", {"a.v": ONE})
    words = ("--manifest", manifest("o/big", "o/bomb", "o/small"))
    crawl(*words, "--max-repo-mb", "2")
    found = records()
    assert {name: record["status"] for name, record in found.items()} == {
        "o/big": "skipped",
        "o/bomb": "skipped",
        "o/small": "done",
    }
    assert found["o/big"]["reason"] == "larger than 2 MiB"
    crawl(*words, "--max-repo-mb", "100")
    assert {record["status"] for record in records().values()} == {"done"}


def test_repositories_by_the_date_of_their_beginning(
    hub: Any, crawl: Any, manifest: Any, records: Any
) -> None:
    old = hub("o/old")
    old.commit("2019-01-01", {"a.v": ONE})
    old.commit("2024-06-01", {"b.v": ONE})
    hub("o/new").commit("2024-06-01", {"a.v": ONE})
    words = ("--manifest", manifest("o/old", "o/new"))
    crawl(*words, "--after", "2024-01-01")
    assert {n: r["status"] for n, r in records().items()} == {"o/old": "skipped", "o/new": "done"}
    assert records()["o/old"]["reason"] == "history began on 2019-01-01"
    crawl(*words, "--before", "2024-01-01")
    assert {n: r["status"] for n, r in records().items()} == {"o/old": "done", "o/new": "skipped"}


def test_nothing_of_a_repository_is_run_or_followed(
    hub: Any, crawl: Any, manifest: Any, out: Path, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    repo = hub("o/a")
    (repo.path / "link.v").symlink_to("/etc/passwd")
    (repo.path / ".gitattributes").write_text("*.v filter=evil\n")
    repo.commit("2019-01-01", {"a.v": ONE, ".gitmodules": f'[submodule "s"]\n path = s\n url = {tmp_path}\n'})
    for place in (repo.path / ".git" / "hooks", tmp_path / "template" / "hooks"):
        place.mkdir(parents=True, exist_ok=True)
        for hook in ("post-checkout", "post-merge", "reference-transaction", "fsmonitor-watchman"):
            (place / hook).write_text(f"#!/bin/sh\ntouch {trap}\n")
            (place / hook).chmod(0o755)
    config = tmp_path / "gitconfig"
    config.write_text(
        f"[init]\n templateDir = {tmp_path / 'template'}\n"
        f'[filter "evil"]\n smudge = touch {trap}\n[core]\n hooksPath = {tmp_path / "template" / "hooks"}\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(config))
        patch.setenv("GIT_TEMPLATE_DIR", str(tmp_path / "template"))
        assert crawl("--manifest", manifest("o/a")).code == 0
    assert not trap.exists()
    assert not (out / "repos" / "o__a" / "link.v").is_symlink()
    assert not (out / "repos" / "o__a" / ".git" / "hooks").exists()


def test_search_clone_and_the_token_that_is_never_seen(
    hub: Any, crawl: Any, api: Any, item: Any, out: Path, monkeypatch: pytest.MonkeyPatch, records: Any
) -> None:
    token = "ghp_secret_5ad1"
    monkeypatch.setenv("GITHUB_TOKEN", token)
    for name in ("a", "b", "c"):
        hub(f"o/{name}").commit("2024-05-05", {"a.v": ONE, "LICENSE": MIT})
    api.items = [item("o/a"), item("o/b", size=9_000_000), item("o/c", license={"spdx_id": "GPL-3.0"})]
    api.script = [(429, {"Retry-After": "0"}, b"{}")]
    words = ("--query", "language:coq", "--api-base", api.url, "--licence", "MIT")
    answer = crawl(*words)
    assert answer.code == 0, answer.err
    assert "waiting 0 s: rate limit of the API" in answer.err
    assert {n: (r["status"], r["reason"]) for n, r in records().items()} == {
        "o/a": ("done", ""),
        "o/b": ("skipped", "larger than 500 MiB"),
        "o/c": ("skipped", "licence GPL-3.0"),
    }
    assert {authorization for _, authorization in api.seen} == {f"Bearer {token}"}
    asked = len(api.seen)
    assert crawl(*words).code == 0
    assert len(api.seen) == asked  # what was found is kept
    crawl(*words, "--refresh")
    assert len(api.seen) == asked + 1
    assert token not in answer.out + answer.err
    for path in out.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes(), path


def test_a_search_by_date_without_histories_goes_by_the_dates_of_the_api(
    hub: Any, crawl: Any, api: Any, item: Any, records: Any
) -> None:
    hub("o/a").commit("2019-05-05", {"a.v": ONE})
    api.items = [item("o/a", "2024-02-02"), item("o/b", "2023-02-02")]
    words = ("--query", "x", "--api-base", api.url, "--after", "2024-01-01")
    assert crawl(*words, "--no-dates").code == 0
    assert set(records()) == {"o/a"}
    assert crawl(*words).code == 1  # the history says more than the API
    assert records()["o/a"]["reason"] == "history began on 2019-05-05"


def test_large_old_files_are_not_fetched_for_the_history(
    hub: Any, crawl: Any, manifest: Any, out: Path, records: Any
) -> None:
    repo = hub("o/a")
    repo.git("config", "uploadpack.allowFilter", "true")
    (repo.path / "old.bin").write_bytes(os.urandom(5 << 20))
    (repo.path / "now.bin").write_bytes(os.urandom(6 << 20))
    repo.commit("2019-01-01", {"a.v": ONE})
    (repo.path / "old.bin").unlink()
    repo.commit("2020-01-01", {"b.v": LONG})
    assert crawl("--manifest", manifest("o/a")).code == 0
    assert (records()["o/a"]["status"], records()["o/a"]["theorems"]) == ("done", 2)
    checkout = out / "repos" / "o__a"
    assert (checkout / "now.bin").stat().st_size == 6 << 20
    packed = sum(path.stat().st_size for path in (checkout / ".git").rglob("*.pack"))
    assert 6 << 20 < packed < 7 << 20


def test_mistakes_are_all_told_at_once(crawl: Any, manifest: Any) -> None:
    answer = crawl("--after", "yesterday")
    assert answer.code == 2
    assert "either --manifest FILE or --query TEXT" in answer.err
    assert "'yesterday' is no date" in answer.err
    answer = crawl("--manifest", manifest("o/a"), "--no-dates", "--after", "2024-01-01")
    assert "--no-dates leaves out" in answer.err


SLOW_GIT = """\
#!/bin/sh
case " $* " in *" fetch "*) [ -e {gate} ] || {{ touch {reached}; sleep 60; }};; esac
exec {git} "$@"
"""


def slow_crawl(tmp_path: Path, base: str, manifest: str, out: Path) -> tuple[subprocess.Popen[str], Path]:
    """A crawl in a process of its own whose fetches hang until ``gate`` is there; it has begun one."""
    found = subprocess.run(["which", "git"], check=True, capture_output=True, text=True).stdout.strip()
    gate, reached, folder = tmp_path / "gate", tmp_path / "reached", tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(SLOW_GIT.format(gate=gate, reached=reached, git=found))
    (folder / "git").chmod(0o755)
    words = ["data", "crawl", "coq", "--manifest", manifest, "--out", str(out), "--git-base", base]
    child = subprocess.Popen(
        [str(Path(sys.executable).with_name("prover")), *words],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while not reached.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert reached.exists()
    return child, gate


def test_a_killed_crawl_leaves_no_process_and_is_gone_on_with(
    hub: Any, crawl: Any, base: str, manifest: Any, tmp_path: Path, out: Path
) -> None:
    hub("o/a").commit("2019-01-01", {"a.v": ONE})
    hub("o/b").commit("2019-01-01", {"a.v": ONE})
    crawl("--manifest", manifest("o/b"))
    child, _ = slow_crawl(tmp_path, base, manifest("o/b", "o/a"), out)
    assert crawl("--manifest", manifest("o/a")).err.count("is being written by another process") == 1
    child.kill()
    child.communicate(timeout=30)
    assert (out / "repos" / ".o__a.part").exists()
    answer = crawl("--manifest", manifest("o/b", "o/a"), "--json")
    report = json.loads(answer.out)
    assert (report["done"], report["done_before"]) == (2, 1)
    assert {path.name for path in (out / "repos").iterdir()} == {"o__a", "o__b"}
    end = time.monotonic() + 20
    while (left := processes_with(str(tmp_path / "bin"))) and time.monotonic() < end:
        time.sleep(0.1)
    assert not left


def processes_with(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words:
            found.append(words)
    return found


def test_a_crawl_that_is_asked_to_stop_stops(
    hub: Any, base: str, manifest: Any, tmp_path: Path, out: Path, crawl: Any
) -> None:
    hub("o/a").commit("2019-01-01", {"a.v": ONE})
    child, _ = slow_crawl(tmp_path, base, manifest("o/a"), out)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "the same command goes on with what is left" in err
    assert not list((out / "repos").iterdir())
    assert crawl("--manifest", manifest("o/a")).code == 0
