"""The console's pure rooms, under Node.js's own test runner."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = Path(__file__).parent / "units"


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js here")
def test_the_units_of_the_console_pass() -> None:
    files = sorted(str(path) for path in UNITS.glob("*.test.js"))
    run = subprocess.run(["node", "--test", *files], capture_output=True, text=True, timeout=60, check=False)

    assert run.returncode == 0, run.stdout
    assert "# pass 0" not in run.stdout


def test_the_console_knows_each_end_of_a_call() -> None:
    listed = (ROOT / "runner" / "console" / "format" / "ends.js").read_text().partition("];")[0]
    ends = (ROOT / "docs" / "ends.md").read_text().partition("| `result` |")[0]

    known = re.findall(r'"(\w+)"', listed)
    assert ["ended", *known] == re.findall(r"^\| `(\w+)` \|", ends, re.MULTILINE)
