"""The least that could serve a call: verifies the webhook, accepts, attaches, asks to speak, parses.

It does what the API demands of everybody on the way: a call that is announced twice is answered once, and an
event that is sent has an id. Nothing outlives it, and it gives up where anything is out of the ordinary.
"""

import asyncio
import json
import resource
import ssl
import sys

import aiohttp
from aiohttp import web
from standardwebhooks import Webhook
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

INSTRUCTIONS = "You are the receptionist of Maple Dental. Be brief."


async def attend(base_url: str, call_id: str, tls: ssl.SSLContext, *, greets: bool = True) -> None:
    """Read a sideband to its end, and have the agent speak first or not."""
    url = base_url.replace("http", "ws", 1) + f"/realtime?call_id={call_id}"
    headers = {"Authorization": "Bearer key"}
    context = tls if url.startswith("wss") else None
    async with connect(
        url, additional_headers=headers, compression=None, proxy=None, ssl=context
    ) as sideband:
        if greets:
            await sideband.send(json.dumps({"type": "response.create", "event_id": f"greets_{call_id}"}))
        try:
            while True:
                json.loads(await sideband.recv())
        except ConnectionClosed:
            return


async def main(base_url: str, secret: str) -> None:
    """Serve until standard input ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tasks: set[asyncio.Task[None]] = set()
    announced: set[str] = set()
    webhook = Webhook(secret)
    # One for all, as nobody would do without: one for each call takes 27 ms and 1 MB.
    tls = ssl.create_default_context()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=tls)) as session:

        async def incoming(request: web.Request) -> web.Response:
            event = webhook.verify(await request.read(), dict(request.headers))
            call_id = event["data"]["call_id"]
            if call_id in announced:
                return web.Response()
            announced.add(call_id)
            body = {"type": "realtime", "model": "gpt-realtime-2.1", "instructions": INSTRUCTIONS}
            accept = f"{base_url}/realtime/calls/{call_id}/accept"
            async with session.post(accept, json=body, headers={"Authorization": "Bearer key"}) as answer:
                await answer.read()
            task = asyncio.create_task(attend(base_url, call_id, tls))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            return web.Response()

        app = web.Application()
        app.router.add_post("/webhooks/openai", incoming)
        server = web.AppRunner(app, access_log=None)
        await server.setup()
        await web.TCPSite(server, "127.0.0.1", 0).start()
        print(f"http://127.0.0.1:{server.addresses[0][1]}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
