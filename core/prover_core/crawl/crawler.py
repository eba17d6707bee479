"""A crawl: many repositories, several at a time, gone on with after any kind of end."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prover_core.crawl.clone import Cloner
from prover_core.crawl.duplicates import find_duplicates
from prover_core.crawl.git import Stopped
from prover_core.crawl.journal import CrawlRecord, Journal
from prover_core.crawl.targets import Target
from prover_core.data.files import FolderLock, disk_error

__all__ = ["CrawlReport", "Crawler"]


@dataclass(frozen=True, slots=True)
class CrawlReport:
    """What became of the targets of a crawl."""

    out: Path
    targets: int
    done: int
    done_before: int
    skipped: dict[str, int] = field(default_factory=dict)
    """Reason -> repositories."""
    failed: dict[str, str] = field(default_factory=dict)
    """Repository -> reason."""
    left: int = 0
    """Not looked at: the crawl was stopped."""
    files: int = 0
    theorems: int = 0
    licences: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    """Level -> groups of copies across all repositories of the folder."""

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return {name: getattr(self, name) for name in self.__slots__} | {"out": str(self.out)}


class Crawler:
    """The right to write to a crawl's folder, and the work done there."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, or take the one that is there.

        :raises DataError: it cannot be written, or another crawl is at work in it.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(folder, error) from error
        self.folder = folder.resolve()
        self.stop = threading.Event()
        self._lock = FolderLock(self.folder / ".lock")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()

    def crawl(
        self,
        targets: Sequence[Target],
        cloner: Cloner,
        filters_refuse: Callable[[CrawlRecord], str],
        *,
        with_dates: bool = True,
        workers: int = 4,
        retry_failed: bool = False,
        progress: Callable[[int, CrawlRecord], None] = lambda _done, _record: None,
    ) -> CrawlReport:
        """Clone what is not done yet; end early, with what is done, once ``stop`` is set.

        What failed for a reason that may pass is tried again; what failed for good, with ``retry_failed``.
        """
        journal = Journal(self.folder)
        records: dict[str, CrawlRecord] = {}
        todo: list[Target] = []
        for target in targets:
            old = self._old(target, journal, cloner, filters_refuse, with_dates, retry_failed)
            if old is None:
                todo.append(target)
            else:
                records[target.folder] = old
        before = sum(record.status == "done" for record in records.values())
        for record in self._each(todo, cloner, workers):
            journal.put(record)
            records[record.folder] = record
            progress(len(records), record)
        journal.write_list()
        return self._report(targets, records, before)

    def _old(
        self,
        target: Target,
        journal: Journal,
        cloner: Cloner,
        refuse: Callable[[CrawlRecord], str],
        with_dates: bool,
        retry_failed: bool,
    ) -> CrawlRecord | None:
        """The record of what was done before, where it still holds."""
        old = journal.get(target.folder)
        if old is None or old.url != target.url or old.wanted != target.commit:
            return None
        if old.status == "failed":
            return None if old.passing or retry_failed else old
        reason = refuse(old)
        if old.status == "skipped":
            return old if reason else None
        if reason:
            cloner.remove(old)
            old = old.model_copy(update={"status": "skipped", "reason": reason})
            journal.put(old)
            return old
        return old if cloner.complete(old) and (old.with_dates or not with_dates) else None

    def _each(self, todo: Iterable[Target], cloner: Cloner, workers: int) -> Iterable[CrawlRecord]:
        """Records as they come; no more are begun than are waited for, so that a stop is quick."""
        waiting: set[Future[CrawlRecord]] = set()
        queue = iter(todo)
        with ThreadPoolExecutor(workers, thread_name_prefix="crawl") as pool:
            try:
                while True:
                    while len(waiting) < workers and not self.stop.is_set():
                        target = next(queue, None)
                        if target is None:
                            break
                        waiting.add(pool.submit(cloner.clone, target))
                    if not waiting:
                        return
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        try:
                            yield future.result()
                        except Stopped:
                            continue
            finally:
                if waiting:  # an error, or an impatient person: let the threads find out
                    self.stop.set()

    def _report(self, targets: Sequence[Target], records: dict[str, CrawlRecord], before: int) -> CrawlReport:
        found = list(records.values())
        done = [record for record in found if record.status == "done"]
        duplicates = find_duplicates(
            [self.folder / "dates" / f"{record.folder}.jsonl" for record in done],
            self.folder / "duplicates.jsonl",
        )
        return CrawlReport(
            out=self.folder,
            targets=len(targets),
            done=len(done),
            done_before=before,
            skipped=dict(
                Counter(record.reason for record in found if record.status == "skipped").most_common()
            ),
            failed={record.name: record.reason for record in found if record.status == "failed"},
            left=len(targets) - len(found),
            files=sum(record.files for record in done),
            theorems=sum(record.theorems for record in done),
            licences=dict(Counter(record.licence or "unknown" for record in done).most_common()),
            duplicates=duplicates,
        )
