"""Opens the endpoints for pages, and lets other runners forward the requests of pages."""

import asyncio

from aiohttp import web

from runner.model.settings import Server
from runner.serve.browser.calls import BrowserCalls, Serving
from runner.serve.browser.peers import PagePeers, peer_host
from runner.serve.listen_address import open_port, peer_url
from runner.serve.listener import Listener
from runner.serve.process import Process
from runner.serve.service import Service


async def open_to_browsers(
    browser: BrowserCalls,
    process: Process,
    service: Service,
    server: Server,
    *,
    bound: tuple[str, int],
    shares_port: bool,
) -> None:
    """Take calls of pages. A page may ask any runner about its call, so runners ask each other.

    `bound` is the host and port that pages ask. Raises CannotRunError.
    """
    serving = Serving(
        ring=service.intake.ring,
        is_open=process.readiness.takes_calls,
        world=service.intake.world,
        client=service.clients.api,
    )
    browser.open(serving)
    peers = PagePeers(service.storage.store, service.fleet.keeper.info.id, await process.peer_session())
    browser.pages.open(service.live_calls, peers)
    own_host = peer_host(server, shares_port=shares_port)
    if own_host is not None:
        app = web.Application()
        app.add_routes(browser.peer_routes())
        most = process.shares.connections // 4
        listener = Listener(app, most=most, metrics=process.metrics, timeouts=process.timeouts)
        process.owner.push_async_callback(listener.close)
        bound = await open_port(listener, own_host, 0, most, "server.host")
    service.fleet.pages_reached_at(await asyncio.to_thread(peer_url, None, *bound))
