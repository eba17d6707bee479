"""Exit codes of ``prover``: one meaning each, for every command."""

from __future__ import annotations

from typing import Final

__all__ = ["EXIT_CODES", "INTERRUPTED", "MACHINERY", "NO", "OK", "TERMINATED", "USAGE"]

OK: Final = 0
NO: Final = 1
USAGE: Final = 2
MACHINERY: Final = 3
INTERRUPTED: Final = 130
TERMINATED: Final = 143

EXIT_CODES: Final = {
    OK: "done (for `prove` and `verify`: proved; a run that ends is done, whatever was proved)",
    NO: "the answer is no: not proved, not verified, nothing usable, problems under --strict",
    USAGE: "a mistake that you can put right: option, name, file, missing program",
    MACHINERY: "something broke that says nothing about any proof",
    INTERRUPTED: "stopped by Ctrl-C; a run can be resumed",
    TERMINATED: "stopped by SIGTERM; a run can be resumed",
}
