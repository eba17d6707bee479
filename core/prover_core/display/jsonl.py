"""``--json``: every event of a run as one JSON object on one line."""

from __future__ import annotations

import dataclasses
import enum
import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from prover_core.contracts.events import Event
from prover_core.display.base import Display
from prover_core.store.records import utc_now, writable_text
from prover_core.types import Theorem

__all__ = ["JsonDisplay", "event_fields", "event_name"]

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class JsonDisplay(Display):
    """One line an event: ``event`` (``theorem_done``), ``at`` (ISO 8601, UTC), and the event's own fields.

    A theorem is given by ``id``, ``name`` and ``file``. Lines are flushed one by one.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def on_event(self, event: Event) -> None:
        self._write({"event": event_name(event), "at": utc_now(), **event_fields(event)})

    def message(self, text: str) -> None:
        self._write({"event": "message", "at": utc_now(), "text": text})

    def _write(self, fields: Mapping[str, Any]) -> None:
        line = json.dumps(fields, ensure_ascii=not _is_utf8(self._stream))
        with self._lock:
            self._stream.write(writable_text(line) + "\n")
            self._stream.flush()


def event_name(event: Event) -> str:
    """``theorem_done`` for ``TheoremDone``."""
    return _WORD.sub("_", type(event).__name__).lower()


def event_fields(event: Event) -> dict[str, Any]:
    """The event's fields in JSON's own types."""
    return {f.name: _plain(getattr(event, f.name)) for f in dataclasses.fields(event)}


def _plain(value: Any) -> Any:
    match value:
        case Theorem():
            return {"id": value.id, "name": value.name, "file": value.file}
        case enum.Enum():
            return value.value
        case Path():
            return str(value)
        case float():
            return round(value, 4)
        case tuple() | list():
            return [_plain(item) for item in value]
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        case _:
            return value


def _is_utf8(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "") == "utf8"
