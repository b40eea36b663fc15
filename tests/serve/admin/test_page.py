"""The requests that docs/admin.md shows are answered as it says."""

import json
import re
import shlex
from pathlib import Path

import pytest

from runner.standin.script import greets
from tests.docs.pages import read
from tests.serve.admin.lab import started

LINES = re.findall(r"^curl .+$", read("docs/admin.md").text, re.MULTILINE)


def test_the_page_shows_requests() -> None:
    assert len(LINES) >= 8


async def test_requests_of_the_page_are_answered(tmp_path: Path, subtests: pytest.Subtests) -> None:
    async with started(tmp_path) as lab:
        call = await lab.ring(greets())
        await lab.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
        for line in LINES:
            with subtests.test(line):
                words = shlex.split(line.replace("CALL", call.id))
                path = words[-1].removeprefix("http://127.0.0.1:8081")
                body = json.loads(words[words.index("--json") + 1]) if "--json" in words else None
                reply = await lab.ask("GET" if body is None else "POST", path, body=body)
                assert reply.status == (200 if body is None else 202), reply.text
