"""Every refusal that a page may get is on the page about browsers, and some test has got it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODES = sorted(
    code
    for folder in ("runner/serve/browser", "runner/call/browser")
    for file in (ROOT / folder).glob("*.py")
    for code in re.findall(r'RefusedError\(\s*(?:\d+,\s*)?"(\w+)"', file.read_text())
)
TESTS = "".join(
    file.read_text()
    for folder in ("serve", "call")
    for file in (ROOT / "tests" / folder / "browser").glob("*.py")
)


def test_there_are_refusals() -> None:
    assert {"origin_missing", "token_signature", "no_call", "failed"} <= set(CODES)


@pytest.mark.parametrize("code", sorted(set(CODES)))
def test_a_refusal_is_documented_and_tested(code: str) -> None:
    assert f"`{code}`" in (ROOT / "docs" / "browser.md").read_text()
    assert f'"{code}"' in TESTS
