"""The least that could set a browser's call up: forwards the offer to the API, and perhaps attaches."""

import asyncio
import json
import ssl
import sys

import aiohttp
from aiohttp import web

from tests.benchmarks.least_runner import INSTRUCTIONS, attend

SESSION = json.dumps({"type": "realtime", "model": "gpt-realtime-2.1", "instructions": INSTRUCTIONS})


async def main(base_url: str, attaches: str) -> None:
    """Serve until standard input ends."""
    tasks: set[asyncio.Task[None]] = set()
    tls = ssl.create_default_context()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=tls)) as session:

        async def offered(request: web.Request) -> web.Response:
            form = aiohttp.FormData()
            form.add_field("sdp", await request.text(), content_type="application/sdp")
            form.add_field("session", SESSION, content_type="application/json")
            url = f"{base_url}/realtime/calls"
            async with session.post(url, data=form, headers={"Authorization": "Bearer key"}) as answer:
                sdp, location = await answer.text(), answer.headers["Location"]
            if attaches == "attach":
                call_id = location.rpartition("/")[2]
                task = asyncio.create_task(attend(base_url, call_id, tls, greets=False))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            return web.Response(status=201, text=sdp, content_type="application/sdp")

        app = web.Application()
        app.router.add_post("/calls", offered)
        server = web.AppRunner(app, access_log=None)
        await server.setup()
        await web.TCPSite(server, "127.0.0.1", 0).start()
        print(f"http://127.0.0.1:{server.addresses[0][1]}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
