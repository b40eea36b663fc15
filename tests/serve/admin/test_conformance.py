"""schemathesis holds the replies of a real runner to the document: whatever it is asked."""

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from runner.standin.script import CallerHangsUp, greets
from tests.processes import WITHOUT_FAKETIME
from tests.serve.admin.lab import LEAD, AdminLab, started

pytestmark = [
    pytest.mark.api,
    pytest.mark.skipif(find_spec("schemathesis") is None, reason='wants the extra "api"'),
]
CHECKS = ",".join(
    (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "unsupported_method",
        "allow_header_conformance",
        "ignored_auth",
    )
)
PATIENCE_S = 1200.0
"""It works for a minute where nobody else does."""


async def check(lab: AdminLab, folder: Path, call_id: str, *options: str) -> None:
    """Have schemathesis ask everything there is to ask about this call."""
    config = folder / "schemathesis.toml"
    config.write_text(f'[parameters]\n"path.id" = "{call_id}"\n')
    command = (
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
        *("--config-file", str(config), "run", f"{lab.url}/admin/openapi.json", "--url", lab.url),
        *(
            "--header",
            f"Authorization: Bearer {LEAD}",
            "--checks",
            CHECKS,
            "--seed",
            "1",
            "--no-color",
            "--max-examples",
            "25",
        ),
        *("--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--request-timeout", "30"),
        # A stream does not end.
        *("--exclude-operation-id", "followEvents", *options),
    )
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=WITHOUT_FAKETIME,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    if process.returncode:
        pytest.fail(out.decode())


@pytest.fixture(autouse=True)
def _any_number_of_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tries wrong tokens too, more of them than anybody may."""
    monkeypatch.setattr("runner.serve.admin.access.MOST_FAILURES", 1_000_000)


async def test_replies_about_a_live_call_are_as_the_document_says(tmp_path: Path) -> None:
    async with started(tmp_path) as lab:
        call = await lab.ring(greets())
        await lab.api.until(lambda: "output_audio_buffer.stopped" in call.sent_types())
        # It would end the call that the others are about.
        await check(lab, tmp_path, call.id, "--exclude-operation-id", "hangup")


async def test_replies_about_a_call_that_is_over_are_as_the_document_says(tmp_path: Path) -> None:
    async with started(tmp_path) as lab:
        call = await lab.ring(greets(), CallerHangsUp())
        await lab.api.until_over(call)
        async with asyncio.timeout(PATIENCE_S):
            while (await lab.ask("GET", f"/admin/records/{call.id}")).status != 200:  # noqa: ASYNC110 - HTTP tells nobody
                await asyncio.sleep(0.02)
        await check(lab, tmp_path, call.id)
