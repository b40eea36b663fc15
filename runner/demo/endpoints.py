"""Plays every host that the tools name: one local server, reached through a unix socket."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web
from aiohttp.client import ClientTimeout
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from runner.model.values import Json
from runner.serve.egress import GuardedConnector

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header with the tool call's id, which every request of a tool carries."""

_TOKEN = {"access_token": "of-the-stand-in", "token_type": "Bearer", "expires_in": 3600}
"""The only requests without the header are those for tokens (RFC 6749, 5.1)."""

Watch = Callable[[str, str, str], None]
"""Called for each request as it is sent: the tool call's id, the method, the whole URL."""


class Endpoints:
    """Answers each request with `example_of` its tool call."""

    def __init__(self, directory: Path, example_of: Callable[[str], Json]) -> None:
        """`directory` holds the socket, and should be short-lived and private."""
        self._socket = directory / "endpoints.sock"
        self._example_of = example_of
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        # What tools send does not belong in a log.
        self._runner = web.AppRunner(app, access_log=None, logger=logging.getLogger("runner.standin"))
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self._socket)).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def connector(self, watch: Watch) -> aiohttp.BaseConnector:
        """A connector for the tool client, for which every host is this one. Needs a running event loop."""
        return _WatchedUnixConnector(watch, str(self._socket))

    async def _answer(self, request: web.Request) -> web.Response:
        await request.read()
        call_id = request.headers.get(IDEMPOTENCY_KEY)
        if call_id is None:
            return web.json_response(_TOKEN)
        example = self._example_of(call_id)
        if isinstance(example, str):
            return web.Response(text=example)
        return web.Response(text=json.dumps(example), content_type="application/json")


class _Watched(aiohttp.BaseConnector):
    """Reports each request, then connects as the class behind it does. Needs a running event loop."""

    def __init__(self, watch: Watch, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._watch = watch

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - the name is aiohttp's
    ) -> Connection:
        # Without the header it is for a token, which is not the tool's own request.
        if (call_id := req.headers.get(IDEMPOTENCY_KEY)) is not None:
            self._watch(call_id, req.method, str(req.url))
        return await super().connect(req, traces, timeout)


class WatchedConnector(_Watched, GuardedConnector):
    """Connects to the real endpoints, and reports each request."""


class _WatchedUnixConnector(_Watched, aiohttp.UnixConnector):
    pass
