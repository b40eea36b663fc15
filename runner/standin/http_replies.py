"""Answers the stand-in's HTTP requests: properly, or with a fault."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from runner.standin.faults import HttpFault
from runner.standin.placed_call import RestReply, error_reply


def json_response(reply: RestReply) -> web.Response:
    """The response of a reply."""
    if reply.body is None:
        return web.Response(status=reply.status)
    return web.json_response(dict(reply.body), status=reply.status)


async def reply(
    request: web.Request, fault: HttpFault | None, answer: Callable[[], Awaitable[web.Response]]
) -> web.Response | None:
    """The proper answer, or that of a fault; None when the connection was cut instead."""
    if fault is None:
        return await answer()
    await asyncio.sleep(fault.after_s)
    if fault.carried_out:
        await answer()
    if fault.status is None:
        if request.transport is not None:
            request.transport.abort()
        return None
    if fault.status == 200:
        return web.Response()
    return json_response(
        error_reply(fault.status, "server_error", "The server had an error while processing your request.")
    )


def or_cut(response: web.Response | None) -> web.Response:
    """The response. Raises ConnectionResetError where the connection was cut."""
    if response is None:
        raise ConnectionResetError
    return response
