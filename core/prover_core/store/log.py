"""``log.jsonl``: what happened besides the results, one event a line, tracebacks included."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from prover_core.errors import RunStoreError
from prover_core.store.files import AppendFile, cut_torn_tail
from prover_core.store.records import utc_now

__all__ = ["LOG_FILE", "RunLog", "read_events"]

LOG_FILE: Final = "log.jsonl"


class RunLog:
    """Appends events. A line that cannot be written is counted and dropped: the results matter more."""

    def __init__(self, path: Path) -> None:
        cut_torn_tail(path)
        self._file = AppendFile(path, fsync=False)
        self._lock = threading.Lock()
        self.lost = 0
        """Lines that could not be written."""

    def write(self, event: str, **fields: object) -> None:
        """One event, with the time. Thread-safe; never raises for the disk."""
        line = json.dumps({"at": utc_now(), "event": event, **fields}, default=str, ensure_ascii=False)
        with self._lock:
            try:
                self._file.append(line.encode(errors="backslashreplace") + b"\n")
            except RunStoreError:
                self.lost += 1

    def close(self) -> None:
        """Close it. Calling it twice is fine."""
        with self._lock:
            self._file.close()


def read_events(path: Path, event: str) -> Iterator[Mapping[str, Any]]:
    """The events of one kind, oldest first; what cannot be read is passed over: it is only the log."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        if event.encode() not in line:
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and found.get("event") == event:
            yield found
