"""The console's pure rooms, under Node.js's own test runner."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parent / "units"


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js here")
def test_the_units_of_the_console_pass() -> None:
    files = sorted(str(path) for path in UNITS.glob("*.test.js"))
    run = subprocess.run(["node", "--test", *files], capture_output=True, text=True, timeout=60, check=False)

    assert run.returncode == 0, run.stdout
    assert "# pass 0" not in run.stdout
