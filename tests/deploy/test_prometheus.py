"""The rules by Prometheus's own tools, and every query by a real Prometheus that scrapes a real runner."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from runner.standin.script import CallerHangsUp, CallerSays, calls, greets, says
from runner.standin.server import StandIn
from tests.deploy.proxies import program
from tests.deploy.queries import RULES, metrics_of, queries
from tests.docs.pages import ROOT
from tests.patience import PATIENCE_S
from tests.serving import AGENT, Desk

pytestmark = pytest.mark.deploy
DID_NOT_HAPPEN = ["PhoneAgentsCallsBreakOff", "PhoneAgentsToolFails", "Errors by code B"]
"""What asks for ends and failures that the call did not have."""
TOOL = """\
tools:
  - {name: hours, description: Tell the opening hours., static: {open: "09:00"}}
"""


@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", RULES.name),
        ("check", "config", "prometheus.yaml"),
        ("test", "rules", "phone-agents.test.yaml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing(command: tuple[str, ...]) -> None:
    promtool = program("promtool", "prometheus")
    result = subprocess.run(
        [promtool, *command], cwd=RULES.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


class Prometheus:
    """A Prometheus that scrapes one runner every second."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def query(self, query: str) -> list[Any]:
        async with self._session.get(f"{self._url}/api/v1/query", params={"query": query}) as response:
            answer = await response.json()
            assert answer["status"] == "success", answer
            found: list[Any] = answer["data"]["result"]
            return found

    async def scraped(self, times: int) -> None:
        """Until it has read the runner's metrics so often since the call."""
        query = 'count_over_time(phone_agents_calls_total{ended="caller_hung_up"}[1m])'
        async with asyncio.timeout(PATIENCE_S):
            while await self._count(query) < times:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)

    async def _count(self, query: str) -> int:
        try:
            found = await self.query(query)
        except aiohttp.ClientError:
            return 0
        return int(found[0]["value"][1]) if found else 0


@asynccontextmanager
async def prometheus(runner_url: str, folder: Path, port: int) -> AsyncIterator[Prometheus]:
    command = program("prometheus", "prometheus")
    configuration = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text())
    configuration["rule_files"] = [str(RULES)]
    configuration["scrape_configs"][0]["scrape_interval"] = "1s"
    configuration["scrape_configs"][0]["static_configs"][0]["targets"] = [runner_url.removeprefix("http://")]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    process = await asyncio.create_subprocess_exec(
        command,
        f"--config.file={folder}/prometheus.yaml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession() as session:
            yield Prometheus(f"http://127.0.0.1:{port}", session)
    finally:
        process.terminate()
        await process.wait()


async def test_every_query_is_answered_from_the_metrics_of_a_real_call(
    tmp_path: Path, held_port: int
) -> None:
    async with StandIn() as api:
        desk = Desk(api, tmp_path)
        (desk.agents / "front-desk.yaml").write_text(AGENT + TOOL)
        script = (greets(), CallerSays(text="When?"), calls("hours"), says("At nine."), CallerHangsUp())
        async with desk.run() as process:
            url = await process.started()
            async with prometheus(url, tmp_path, held_port) as found:
                await desk.ring(url, *script)
                await found.scraped(3)
                there = {series["metric"]["__name__"] for series in await found.query('{__name__=~".+"}')}
                silent = [
                    place
                    for place, query in queries()
                    if not await found.query(query.partition(" > ")[0].partition(" == ")[0])
                    and set(metrics_of(query)) <= there
                ]
    assert silent == DID_NOT_HAPPEN
