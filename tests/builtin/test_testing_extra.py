"""The contract kit without pytest: a message that says what to install."""

from __future__ import annotations

import subprocess
import sys


def test_missing_pytest_is_said_with_the_command() -> None:
    code = "import sys; sys.modules['pytest'] = None; import prover_core.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ToolMissingError" in done.stderr
    assert "pip install 'polyprover[test]'" in done.stderr
