"""Hook implementations only; nothing heavy is imported here."""

from __future__ import annotations
