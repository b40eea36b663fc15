"""Starts a runner as a process, the API and an endpoint that it talks to, and a neighbour's call."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from runner.standin.server import StandIn
from tests.certificates import Authority
from tests.processes import CLOCK
from tests.serve.bounds import configuration
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.neighbour import Endpoint
from tests.serve.bounds.peers import Peers
from tests.serve.bounds.service import SECRET, Service
from tests.serve.bounds.wire import Gate, Wire
from tests.standin.openai_types import client_complaint, server_complaint

TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
TRACES_S = "OTEL_EXPORTER_OTLP_TIMEOUT"


@asynccontextmanager
async def serving(
    directory: Path,
    lowered: Mapping[str, Any] = LOWERED,
    *arguments: str,
    descriptors: int | None = None,
    traces: str | None = None,
    store: str = "sqlite:calls.db",
    tls: bool = False,
    inspects: bool = True,
) -> AsyncIterator[Service]:
    """Everything, while it lasts. `descriptors`: the limit under which the runner is started. `traces`: the
    endpoint's path for them. `tls`: the API is served over it, behind a `Gate`. `inspects`: every event is
    held against the API's types, which takes longer than anything else.
    """
    endpoint = Endpoint()
    authority = Authority(directory)
    async with AsyncExitStack() as stack:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", endpoint.handle)
        server = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await server.setup()
        stack.push_async_callback(server.cleanup)
        await web.TCPSite(server, "0.0.0.0", 0).start()
        endpoint.url = f"http://127.0.0.1:{server.addresses[0][1]}"
        api = StandIn(
            inspect_received=client_complaint if inspects else None,
            inspect_sent=server_complaint if inspects else None,
            tls=authority.server() if tls else None,
        )
        await stack.enter_async_context(api)
        wire = Gate(api.base_url) if tls else Wire(api.base_url)
        await wire.open()
        stack.push_async_callback(wire.close)
        peers = Peers()
        await peers.open()
        stack.push_async_callback(peers.close)
        configuration.write(
            directory / "agents",
            api=wire.base_url,
            endpoint=endpoint.url,
            store=store,
            tls_port=peers.port,
        )
        command = [sys.executable, "-m", "tests.serve.bounds.metered", json.dumps(dict(lowered))]
        command += ["run", "--port", "0", "--log-format", "json", *arguments]
        if descriptors is not None:
            command = ["sh", "-c", f'ulimit -n {descriptors} && exec "$@"', "sh", *command]
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            env={
                **CLOCK,
                "PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[3]), CLOCK.get("PYTHONPATH", ""))),
                "OPENAI_API_KEY": api.api_key,
                "OPENAI_WEBHOOK_SECRET": SECRET,
                "ADMIN_TOKEN": configuration.ADMIN_TOKEN,
                "SSL_CERT_FILE": str(authority.file),
                **({} if traces is None else {TRACES: f"{endpoint.url}/{traces}", TRACES_S: "600"}),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 15,
        )
        service = Service(
            process=process,
            directory=directory,
            api=api,
            wire=wire,
            endpoint=endpoint,
            peers=peers,
            authority=authority,
            stack=stack,
        )
        stack.push_async_callback(service.http.close)
        stack.push_async_callback(_stop, process)
        reading = asyncio.create_task(service.read_log())
        stack.callback(reading.cancel)
        service.url = (await service.logged("ready"))["url"]
        service.admin_url = await service.console()
        assert await service.announce(service.neighbour.call, configuration.NEIGHBOUR) == 200
        await service.neighbour.is_served()
        yield service


async def hang(_: web.Request) -> web.Response:
    """Do not answer."""
    await asyncio.sleep(3600)
    return web.Response()


def nested(depth: int) -> str:
    """JSON of this depth."""
    return "[" * depth + "]" * depth


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()
