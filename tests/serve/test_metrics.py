"""`/metrics` of a real process after a real call, as Prometheus reads it."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from runner.standin.script import CallerHangsUp, CallerSays, calls, greets, says
from runner.standin.server import StandIn
from tests.docs.metrics_table import metrics
from tests.patience import PATIENCE_S
from tests.serving import AGENT, Desk

TOOL = """\
tools:
  - {name: hours, description: Tell the opening hours., static: {open: "09:00"}}
"""
COUNTED = {
    'phone_agents_calls_total{agent="front-desk",ended="caller_hung_up"}': 1,
    "phone_agents_accept_seconds_count": 1,
    "phone_agents_attach_seconds_count": 1,
    'phone_agents_first_audio_seconds_count{agent="front-desk"}': 1,
    'phone_agents_response_seconds_count{agent="front-desk"}': 1,
    'phone_agents_call_seconds_count{agent="front-desk"}': 1,
    'phone_agents_tool_calls_total{agent="front-desk",status="ok",tool="hours"}': 1,
    'phone_agents_tool_seconds_count{agent="front-desk",tool="hours"}': 1,
    'phone_agents_responses_total{agent="front-desk",outcome="completed"}': 3,
    'phone_agents_api_requests_total{order="answer",result="200"}': 1,
    'phone_agents_webhooks_total{result="accepted"}': 1,
    "phone_agents_live_calls": 0,
    "phone_agents_ready": 1,
}
SPENT = {
    'phone_agents_tokens_total{agent="front-desk",kind="text_in"}',
    'phone_agents_cost_usd_total{agent="front-desk"}',
    "process_resident_memory_bytes",
}


@pytest.fixture
async def scraped(tmp_path: Path) -> AsyncIterator[str]:
    """What a process tells once a call with a tool is over."""
    async with StandIn() as api:
        desk = Desk(api, tmp_path)
        (desk.agents / "front-desk.yaml").write_text(AGENT + TOOL)
        script = (greets(), CallerSays(text="When?"), calls("hours"), says("At nine."), CallerHangsUp())
        async with desk.run() as process, aiohttp.ClientSession() as session:
            url = await process.started()
            assert (await desk.ring(url, *script))[1] == 200
            yield await _after_a_call(session, f"{url}/metrics")


async def _after_a_call(session: aiohttp.ClientSession, url: str) -> str:
    """What is told once the call is counted, and no longer live."""
    over = ("\nphone_agents_calls_total{", "\nphone_agents_live_calls 0.0\n")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with session.get(url) as response:
                text = await response.text()
                assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            if all(sample in text for sample in over):
                return text
            await asyncio.sleep(0.02)


async def test_a_call_is_counted_in_names_that_the_page_tells_and_promtool_likes(scraped: str) -> None:
    samples = {
        series: float(number)
        for series, _, number in (line.rpartition(" ") for line in scraped.splitlines() if line[0] != "#")
    }
    assert {series: samples.get(series) for series in COUNTED} == COUNTED
    assert {series for series in SPENT if samples.get(series, 0) > 0} == SPENT
    named = set(re.findall(r"^# TYPE (phone_agents_\w+)", scraped, re.MULTILINE))
    assert named == set(metrics())
    assert "rtc_" not in scraped
    assert "+1" not in scraped.replace('le="+Inf"', "")
    await _promtool_is_content(scraped)


async def _promtool_is_content(text: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert not os.environ.get("CI"), ".ci/run installs Debian's package prometheus"
        return
    process = await asyncio.create_subprocess_exec(
        promtool,
        "check",
        "metrics",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate(text.encode())
    assert (process.returncode, told.decode()) == (0, "")
