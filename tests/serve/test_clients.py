"""The clients of a runner, as it opens them."""

import asyncio
from contextlib import AsyncExitStack

from runner.model.action import HangUp
from runner.model.event import CallGone
from runner.model.settings import Provider, Settings
from runner.serve.clients import Clients
from runner.serve.metrics import Metrics
from runner.serve.secrets import find_secrets
from runner.serve.timeouts import Timeouts
from tests.clock import NOW

ENVIRONMENT = {"OPENAI_API_KEY": "sk-test", "OPENAI_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


async def test_a_body_where_the_api_may_send_none_does_not_undo_what_it_did() -> None:
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings(provider=Provider(base_url=f"http://127.0.0.1:{port}/v1"))
    async with server, AsyncExitStack() as owner:
        clients = await Clients.open(
            settings,
            find_secrets(settings, ENVIRONMENT),
            owner=owner,
            new_connector=None,
            tracing=None,
            tool_requests=1,
            metrics=Metrics(),
            timeouts=Timeouts(hangup_s=2.0, retry_s=0.001),
            clock=lambda: NOW,
        )
        assert await clients.api.carry_out(HangUp(), "rtc_1") == CallGone()
    assert asked == 1
