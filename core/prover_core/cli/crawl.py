"""``prover data crawl``: public repositories cloned, with the dates of their theorems."""

from __future__ import annotations

import json as json_module
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import FrameType, TracebackType
from typing import Annotated, Any, Self

import typer

from prover_core.cli import exits
from prover_core.cli.component_options import make_with_options, read_sets
from prover_core.cli.output import print_json, print_table, say, warn
from prover_core.cli.progress import make_progress
from prover_core.crawl.clone import Cloner, Filters
from prover_core.crawl.crawler import Crawler, CrawlReport
from prover_core.crawl.git import Stopped
from prover_core.crawl.github import GithubSearch, token_from_environment
from prover_core.crawl.journal import CrawlRecord
from prover_core.crawl.targets import Target, read_manifest, unique_targets
from prover_core.crawl.theorems import StatementReader
from prover_core.data.files import write_whole
from prover_core.errors import ConfigError
from prover_core.plugins.manager import installed_plugins

__all__ = ["crawl"]

_SHOWN = 10


def crawl(
    name: Annotated[str, typer.Argument(metavar="PROVER", help="Whose files are read: coq.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the crawl; an old one is gone on with.")
    ],
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Repositories: JSON {owner/name: commit}, or one a line."),
    ] = None,
    query: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Search GitHub; token: GITHUB_TOKEN or GH_TOKEN.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only repositories begun on this day or later.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only repositories begun before this day.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these, e.g. MIT,Apache-2.0. [default: all]")
    ] = None,
    unknown_licence: Annotated[
        bool, typer.Option(help="With --licence: keep those whose licence cannot be told.")
    ] = False,
    max_repo_mb: Annotated[
        float, typer.Option(min=0, help="Leave larger repositories out, MiB; 0: none.")
    ] = 500.0,
    limit: Annotated[int, typer.Option(min=0, help="Most repositories; 0: all.")] = 0,
    dates: Annotated[bool, typer.Option(help="Find dates; without, only the commit is fetched.")] = True,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Repositories at the same time.")] = 4,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="Longest time for one git command.")
    ] = 1800.0,
    max_wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Longest wait that the API may ask for.")
    ] = 3600.0,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try those again that failed for good.")
    ] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Search again, though it was done.")] = False,
    git_base: Annotated[
        str, typer.Option(metavar="URL", help="Where owner/name is cloned from.")
    ] = "https://github.com",
    api_base: Annotated[
        str, typer.Option(metavar="URL", help="GitHub's API, or one like it.")
    ] = "https://api.github.com",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Clone public repositories, and find out when each of their theorems first appeared.

    Nothing of what is cloned is run. Leaves DIR/repos/OWNER__NAME, DIR/crawl.jsonl (what became of each),
    DIR/dates (each theorem's date) and DIR/duplicates.jsonl (copies across repositories). A repository that
    is done is not done again.

    \b
    Examples:
      prover data crawl coq --manifest commits.json --out crawl --licence MIT,Apache-2.0
      prover data crawl coq --query "language:coq stars:>2" --after 2024-01-01 --out crawl
      prover data crawl coq --manifest list.txt --out crawl --no-dates --workers 8
    """
    filters = _filters(manifest, query, (after, before), dates, licence, unknown_licence, max_repo_mb)
    component = installed_plugins().environments.get(name)
    environment = make_with_options(component, f"environment {name!r}", read_sets([]))
    with closing(environment), Crawler(out) as crawler, _Stop(crawler.stop) as stop:
        talk = warn if not quiet else _nothing
        if manifest is not None:
            targets = read_manifest(manifest, git_base)
        else:
            search = GithubSearch(
                api_base, git_base, token_from_environment(), _waiter(stop.event, talk), max_wait_s=max_wait
            )
            targets = _search(search, query or "", filters, crawler.folder / "search.json", refresh)
        targets = targets[: limit or None]
        if not dates:  # what was searched for goes by the API's dates alone
            filters = replace(filters, after=None, before=None)
        reader = StatementReader(environment)
        cloner = Cloner(
            crawler.folder, reader, filters, stop.event, with_dates=dates, timeout_s=timeout, say=talk
        )
        with make_progress(quiet=quiet or json) as progress:
            report = crawler.crawl(
                targets,
                cloner,
                filters.refuse,
                with_dates=dates,
                workers=workers,
                retry_failed=retry_failed,
                progress=lambda done, record: progress.update(done, len(targets), _line(record)),
            )
    if json:
        print_json(report.as_data())
    else:
        _say(report, name)
    if stop.received is not None:
        warn("stopped; the same command goes on with what is left")
        raise typer.Exit(128 + stop.received)
    if not report.done:
        raise typer.Exit(exits.NO)


def _filters(
    manifest: Path | None,
    query: str | None,
    window: tuple[str | None, str | None],
    dates: bool,
    licence: str | None,
    unknown_licence: bool,
    max_repo_mb: float,
) -> Filters:
    problems = []
    if (manifest is None) == (query is None):
        problems.append("say which repositories: either --manifest FILE or --query TEXT")
    days: list[date | None] = []
    for flag, text in zip(("--after", "--before"), window, strict=True):
        try:
            days.append(date.fromisoformat(text) if text is not None else None)
        except ValueError:
            problems.append(f"{flag} {text!r} is no date; give it as 2024-01-31")
            days.append(None)
    if any(days) and not dates and query is None:
        problems.append("--after and --before need the history, which --no-dates leaves out")
    if problems:
        raise ConfigError(problems)
    names = frozenset(part.strip() for part in (licence or "").split(",") if part.strip())
    return Filters(names, unknown_licence, max_repo_mb, *days)


def _search(search: GithubSearch, query: str, filters: Filters, kept: Path, refresh: bool) -> list[Target]:
    """The repositories found, kept so that a crawl that is gone on with has the same."""
    asked = {"query": query, "after": str(filters.after), "before": str(filters.before)}
    fields = ("name", "url", "folder", "licence", "size_mb", "created_at")
    if not refresh and kept.is_file():
        try:
            old = json_module.loads(kept.read_bytes())
            if old["asked"] == asked:
                return [Target(**found) for found in old["found"]]
        except (ValueError, KeyError, TypeError):
            pass  # it is made anew
    try:
        targets = unique_targets(search.repositories(query, filters.after, filters.before))
    except Stopped:
        raise KeyboardInterrupt from None
    found = [{field: getattr(target, field) for field in fields} for target in targets]
    write_whole(kept, json_module.dumps({"asked": asked, "found": found}).encode())
    return targets


def _waiter(stop: threading.Event, talk: Callable[[str], None]) -> Callable[[float, str], None]:
    def wait(seconds: float, why: str) -> None:
        talk(f"waiting {seconds:.0f} s: {why}")
        if stop.wait(seconds):
            raise Stopped

    return wait


def _nothing(_text: str) -> None:
    pass


class _Stop:
    """While it is entered, the first Ctrl-C or SIGTERM asks for an end; the second does not ask."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event
        self.received: signal.Signals | None = None
        self._old: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.event.set()
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)


def _line(record: CrawlRecord) -> str:
    what = f"{record.theorems} theorems" if record.status == "done" else f"{record.status}: {record.reason}"
    return f"{record.name}  {what}"


def _say(report: CrawlReport, prover: str) -> None:
    before = f" ({report.done_before} done before)" if report.done_before else ""
    say(f"{report.done} of {report.targets} repositories{before}")
    say(f"{report.theorems} theorems in {report.files} files")
    rows = [("skipped", str(count), reason) for reason, count in report.skipped.items()]
    rows += [("failed", "1", f"{name}: {reason}") for name, reason in list(report.failed.items())[:_SHOWN]]
    if (more := len(report.failed) - _SHOWN) > 0:
        rows.append(("failed", str(more), "others, see crawl.jsonl"))
    rows += [("licence", str(count), name) for name, count in report.licences.items()]
    rows += [
        ("copies", str(count), f"groups of the same {level}") for level, count in report.duplicates.items()
    ]
    if report.left:
        rows.append(("left", str(report.left), "not looked at"))
    print_table(("WHAT", "COUNT", "WHICH"), rows)
    say(f"\ncrawl: {report.out}")
    if report.done:
        say(f"next:\n  prover extract {prover} {report.out}/repos/NAME --out data/NAME")
