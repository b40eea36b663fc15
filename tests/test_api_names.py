"""Event names, paths, addresses and close codes of the voice API stand behind its port or in the stand-in."""

import re
from pathlib import Path

import pytest

RUNNER = Path(__file__).parents[1] / "runner"
KNOWS_THE_API = ("api/realtime", "standin", "demo")
NAMES = re.compile(
    r"response\.(?:create|created|done|cancel)\b|session\.update\b|conversation\.item\b"
    r"|(?:in|out)put_audio_buffer\b|realtime\.call\.incoming|[\"/]realtime[?/]|\"/responses"
    r"|proj_|api\.openai\.com|decision_already_made|call_id_not_found|\b(?:3000|4000)\b(?=.*close)"
)

FILES = [
    path
    for path in sorted(RUNNER.rglob("*.py"))
    if not path.relative_to(RUNNER).as_posix().startswith(KNOWS_THE_API)
]


def found(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if NAMES.search(line)]


def test_nothing_else_knows_a_name_of_the_api() -> None:
    assert len(FILES) > 100
    assert {
        path.name: found(path.read_text("utf-8")) for path in FILES if found(path.read_text("utf-8"))
    } == {}


@pytest.mark.parametrize(
    "line",
    [
        'event = {"type": "response.create"}',
        'case "session.update":',
        'url = f"{base}/realtime/calls/{call_id}/accept"',
        'post("/responses")',
        'user.startswith("proj_")',
        "if code in {3000, 4000}:  # close codes",
    ],
)
def test_a_name_of_the_api_is_found(line: str) -> None:
    assert found(line) == [line]
