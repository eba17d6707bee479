"""The packages beside this file are a stranger's: their own tests run where they are installed."""

from __future__ import annotations

collect_ignore_glob = ["polyprover-*"]
