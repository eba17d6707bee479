"""One repository: fetched, looked at, dated, checked out; or the reason why not."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from prover_core.crawl.git import BlobReader, Git, GitError
from prover_core.crawl.history import History, iso_date, read_history, tree_files
from prover_core.crawl.journal import CrawlRecord
from prover_core.crawl.licences import guess_licence, is_licence_file, licence_allowed, licence_of_opam
from prover_core.crawl.targets import Target
from prover_core.crawl.theorems import StatementReader, dated_theorems
from prover_core.data.files import replacing

__all__ = ["Cloner", "Filters"]

_MIB = 1 << 20
_PARTIAL = "--filter=blob:limit=4m"
"""Larger files are not fetched for the whole history, only those that are checked out."""
_MAX_LICENCE_BYTES = 1 << 18
_REFUSALS = ("not our ref", "unadvertised object", "not found in upstream", "remote error: upload-pack")
_RETRY_S = (2.0, 10.0)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which repositories are wanted."""

    licences: frozenset[str] = frozenset()
    """SPDX names; empty: all."""
    unknown_licence: bool = False
    """With ``licences``: whether those are wanted whose licence cannot be told."""
    max_repo_mb: float = 0.0
    """0: no limit."""
    after: date | None = None
    before: date | None = None
    """A repository's first commit is to be on or after the one, and before the other."""

    def refuse(self, record: CrawlRecord) -> str:
        """Why a repository is not wanted; empty: it is, as far as is known."""
        if self.max_repo_mb and record.size_mb > self.max_repo_mb:
            return f"larger than {self.max_repo_mb:g} MiB"
        if not licence_allowed(record.licence, self.licences, unknown=self.unknown_licence):
            return f"licence {record.licence or 'unknown'}"
        day = record.began[:10]
        if day and (
            (self.after and day < self.after.isoformat()) or (self.before and day >= self.before.isoformat())
        ):
            return f"history began on {day}"
        if (self.after or self.before) and record.with_dates and record.shallow:
            return "the server gives no full history, so its beginning is not known"
        return ""


class Cloner:
    """Clones targets into ``DIR/repos`` and dates their theorems; for several threads."""

    def __init__(
        self,
        folder: Path,
        reader: StatementReader,
        filters: Filters,
        stop: threading.Event,
        *,
        with_dates: bool = True,
        timeout_s: float = 1800.0,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._repos = folder / "repos"
        self._dates = folder / "dates"
        self._reader = reader
        self._filters = filters
        self._stop = stop
        self._with_dates = with_dates
        self._timeout_s = timeout_s
        self._say = say
        for made in (self._repos, self._dates):
            made.mkdir(parents=True, exist_ok=True)
        for left in self._repos.glob(".*.part"):  # of a crawl that was killed; nobody else writes here
            shutil.rmtree(left, ignore_errors=True)

    def clone(self, target: Target) -> CrawlRecord:
        """Do it; failures and refusals are records too.

        :raises Stopped: the crawl is to stop; nothing of this repository is left.
        """
        started = time.monotonic()
        record = self._record(target)
        part = self._repos / f".{target.folder}.part"
        try:
            reason = self._filters.refuse(record) if record.licence else self._too_large(record)
            if reason:
                return record.model_copy(update={"status": "skipped", "reason": reason})
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            git = Git(
                part, self._stop, self._timeout_s, self._filters.max_repo_mb, protocols=target.protocols
            )
            record = self._work(target, git, record)
            if record.status == "done":
                place = self._repos / target.folder
                shutil.rmtree(place, ignore_errors=True)
                part.rename(place)
        except GitError as error:
            record = self._failed(record, error, part)
        except OSError as error:
            reason = f"{error.strerror or error}: {error.filename or part}"
            record = record.model_copy(update={"status": "failed", "reason": reason, "passing": True})
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return record.model_copy(update={"seconds": round(time.monotonic() - started, 3)})

    def remove(self, record: CrawlRecord) -> None:
        """Take a checkout that is not wanted any more, and its dates, away."""
        shutil.rmtree(self._repos / record.folder, ignore_errors=True)
        (self._dates / f"{record.folder}.jsonl").unlink(missing_ok=True)

    def complete(self, record: CrawlRecord) -> bool:
        """Whether what a record says is done is there."""
        dates = self._dates / f"{record.folder}.jsonl"
        return (self._repos / record.folder).is_dir() and dates.is_file()

    def _record(self, target: Target) -> CrawlRecord:
        return CrawlRecord(
            name=target.name,
            url=target.url,
            folder=target.folder,
            status="done",
            wanted=target.commit,
            licence=target.licence,
            size_mb=round(target.size_mb, 3),
            with_dates=self._with_dates,
        )

    def _too_large(self, record: CrawlRecord) -> str:
        return replace(self._filters, licences=frozenset()).refuse(record)

    def _failed(self, record: CrawlRecord, error: GitError, part: Path) -> CrawlRecord:
        limit = self._filters.max_repo_mb
        # git does not say that it was stopped for the size of a file; the file says it.
        if error.too_large or (limit and _largest_file(part) >= int(limit * _MIB)):
            size = max(record.size_mb, limit + 1)
            reason = f"larger than {limit:g} MiB" if limit else str(error)
            return record.model_copy(update={"status": "skipped", "reason": reason, "size_mb": size})
        return record.model_copy(update={"status": "failed", "reason": str(error), "passing": error.passing})

    # --- steps -----------------------------------------------------------------------------------

    def _work(self, target: Target, git: Git, record: CrawlRecord) -> CrawlRecord:
        git.run("init", "--quiet", "--template=", ".")
        git.run("remote", "add", "origin", target.url)
        commit = self._fetch(target, git)
        files = list(tree_files(git, commit, sizes=True))
        size = max(_size_of(git.folder / ".git"), sum(size for _, _, size in files)) / _MIB
        with BlobReader(git) as blobs:
            record = record.model_copy(
                update={
                    "commit": commit,
                    "size_mb": round(size, 3),
                    "licence": _licence(files, blobs) or target.licence,
                    "shallow": (git.folder / ".git" / "shallow").exists(),
                }
            )
            history = None
            if self._with_dates and not record.shallow and not self._filters.refuse(record):
                history = read_history(git, commit, self._reader.suffixes)
                facts = {"began": iso_date(history.began), "ended": iso_date(history.ended)}
                record = record.model_copy(update={**facts, "commits": history.commits})
            if reason := self._filters.refuse(record):
                return record.model_copy(update={"status": "skipped", "reason": reason})
            record = self._date(target, files, blobs, history, record)
        git.run("-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "--detach", commit)
        return record

    def _fetch(self, target: Target, git: Git) -> str:
        """The commit's id, once it and what is needed of its history are here."""
        depth = [] if self._with_dates else ["--depth=1"]
        options = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *depth]
        wanted = target.commit or "HEAD"
        got = "refs/crawl/wanted"
        try:
            self._patiently(target, git, [*options, _PARTIAL, "origin", f"+{wanted}:{got}"])
        except GitError as error:
            if not target.exact or not any(sign in str(error) for sign in _REFUSALS):
                raise
            # A server that gives away no single commits may give all branches, and it may be on one.
            self._patiently(
                target,
                git,
                ["fetch", "--quiet", "--no-write-fetch-head", "origin", "+refs/*:refs/remotes/o/*"],
            )
            got = target.commit
        return git.run("rev-parse", "--verify", "--quiet", f"{got}^{{commit}}").decode().strip()

    def _patiently(self, target: Target, git: Git, words: list[str]) -> None:
        for seconds in (*_RETRY_S, None):
            try:
                git.run(*words)
            except GitError as error:
                too_large = git.max_mb and _largest_file(git.folder) >= int(git.max_mb * _MIB)
                if not error.passing or too_large or seconds is None:
                    raise
                self._say(f"{target.name}: {error}; again in {seconds:g} s")
                self._stop.wait(seconds)
            else:
                return

    def _date(
        self,
        target: Target,
        files: Iterable[tuple[str, str, int]],
        blobs: BlobReader,
        history: History | None,
        record: CrawlRecord,
    ) -> CrawlRecord:
        sources = [(path, blob) for path, blob, _ in files if path.endswith(self._reader.suffixes)]
        unreadable: set[str] = set()
        theorems = 0
        with replacing(self._dates / f"{target.folder}.jsonl") as file:
            for theorem in dated_theorems(self._reader, blobs, sources, history, unreadable):
                theorems += 1
                file.write(json.dumps(theorem._asdict(), ensure_ascii=False).encode() + b"\n")
        counts = {"files": len(sources), "theorems": theorems, "unreadable": len(unreadable)}
        return record.model_copy(update=counts)


def _licence(files: Iterable[tuple[str, str, int]], blobs: BlobReader) -> str:
    """Of the texts at the top of a repository; else of an opam file there."""
    top = [(path, blob) for path, blob, _ in files if "/" not in path]
    found = [(blob, guess_licence) for path, blob in sorted(top) if is_licence_file(path)]
    found += [(blob, licence_of_opam) for path, blob in sorted(top) if path.endswith((".opam", "opam"))]
    for blob, guess in found:
        text = blobs.read(blob, _MAX_LICENCE_BYTES)
        if text is not None and (name := guess(text.decode("utf-8", "replace"))):
            return name
    return ""


def _largest_file(folder: Path) -> int:
    return max((path.lstat().st_size for path in folder.rglob("*") if path.is_file()), default=0)


def _size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
