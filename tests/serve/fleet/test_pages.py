"""A page asks whichever runner the load balancer chose: real processes, before and after one is killed."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from runner.model.conversation_event import PlaybackEnded
from runner.standin.script import CallerSays, greets, says
from runner.standin.server import StandIn
from tests.patience import PATIENCE_S
from tests.serve.browser.site import OFFER, SITE
from tests.serving import AGENT, Desk
from tests.store.postgresql.server import PostgresqlServer

TOKENS = "a secret of the backend's that is long enough"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with StandIn() as api:
        desk = Desk(api, tmp_path)
        takes_browsers(desk)
        yield desk


def takes_browsers(desk: Desk, **store: str) -> None:
    """Its agent answers calls from browsers too."""
    (desk.agents / "front-desk.yaml").write_text(
        AGENT.replace("routes:\n", "routes:\n  - transport: webrtc\n")
    )
    desk.environ["CALL_TOKENS"] = TOKENS
    desk.settings(f"server: {{browser: {{secret: {{env: CALL_TOKENS}}, origins: [{SITE}]}}}}", **store)


class Caller:
    """A page with one token, that may ask any runner."""

    def __init__(self, session: aiohttp.ClientSession, subject: str = "user-1") -> None:
        self._session = session
        claims = {"aud": "phone-agents", "sub": subject, "jti": "1", "agent": "front-desk"}
        token = jwt.encode({**claims, "exp": time.time() + 60}, TOKENS, algorithm="HS256")
        self._headers = {"Origin": SITE, "Authorization": f"Bearer {token}", "Connection": "close"}
        self.location = ""

    @property
    def id(self) -> str:
        """Of its call, in the store."""
        return self.location.rpartition("/")[2]

    async def call(self, url: str) -> None:
        headers = {**self._headers, "Content-Type": "application/sdp"}
        async with self._session.post(f"{url}/calls", data=OFFER, headers=headers) as response:
            assert response.status == 201, await response.text()
            self.location = response.headers["Location"]

    async def tell(self, url: str, what: str) -> int:
        async with self._session.post(f"{url}{self.location}/{what}", headers=self._headers) as response:
            return response.status

    async def hangs_up(self, url: str) -> None:
        """As the page does it: again while it is told that the call cannot be reached."""
        while (status := await self.tell(url, "hangup")) == 503:
            pass
        assert status == 204

    @asynccontextmanager
    async def follow(self, url: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        async with self._session.get(f"{url}{self.location}/events", headers=self._headers) as response:
            assert response.status == 200, await response.text()

            async def states() -> AsyncIterator[dict[str, Any]]:
                async for line in response.content:
                    if line.startswith(b"data: "):
                        yield json.loads(line.removeprefix(b"data: "))

            yield states()


async def until(states: AsyncIterator[dict[str, Any]], text: str) -> None:
    """Wait until the page shows this."""
    async with asyncio.timeout(PATIENCE_S):
        async for state in states:
            if text in json.dumps(state):
                return
    raise AssertionError(f"the stream ended before it showed {text}")


async def test_a_page_has_its_call_also_when_its_runner_was_killed_and_started_again(desk: Desk) -> None:
    async with aiohttp.ClientSession() as session:
        caller = Caller(session)
        async with desk.run() as process:
            url = await process.started()
            call = desk.api.expect_offer(greets())
            await caller.call(url)
            assert await caller.tell(url, "connected") == 204
            await desk.journalled(caller.id, PlaybackEnded)
            process.tell(signal.SIGKILL)
            await process.ended()
        async with desk.run() as process:
            url = await process.started()
            async with caller.follow(url) as states:
                await until(states, "Hello.")
                call.play(CallerSays(text="Are you there?"), says("Yes."))
                desk.api.wake(call)
                await until(states, "Yes.")
                assert await Caller(session, "user-2").tell(url, "hangup") == 404
                assert await caller.tell(url, "hangup") == 204
                await until(states, '"ended": "caller_hung_up"')
            await desk.api.until_over(call)
            assert await caller.tell(url, "hangup") == 404
            process.tell(signal.SIGTERM)
            await process.ended()
    assert list(desk.ends().values()) == ["caller_hung_up"]
    assert call.violations == []
    assert call.requests[-1].action == "hangup"


async def test_a_page_has_its_call_at_every_runner_also_across_a_takeover(
    desk: Desk, postgresql: PostgresqlServer
) -> None:
    takes_browsers(desk, store="{env: DATABASE_URL}")
    desk.environ["DATABASE_URL"] = desk.url = postgresql.new_database()
    async with desk.run() as first, desk.run() as second, aiohttp.ClientSession() as session:
        urls = [await first.started(), await second.started()]
        caller, call = Caller(session), desk.api.expect_offer(greets())
        await caller.call(urls[0])
        assert await Caller(session, "user-2").tell(urls[1], "hangup") == 404
        assert "response.create" not in call.received_types()
        assert await caller.tell(urls[1], "connected") == 204
        async with caller.follow(urls[1]) as states:
            await until(states, "Hello.")
            await desk.journalled(caller.id, PlaybackEnded)
            first.tell(signal.SIGKILL)
            # Nobody serves it now: whoever is asked waits for who will.
            hanging_up = asyncio.create_task(caller.hangs_up(urls[1]))
            await until(states, '"ended": "caller_hung_up"')
            await hanging_up
        await desk.api.until_over(call)
        second.tell(signal.SIGTERM)
        await second.ended()
    assert call.violations == []
    assert [request.action for request in call.requests][-1] == "hangup"
