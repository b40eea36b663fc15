"""Reads the head of a reply before its body: what is wrong with a body does not undo what a server did."""

import asyncio
from functools import partial
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler


def read_heads_first(connector: aiohttp.BaseConnector) -> None:
    """Make the connections of this connector so. Wants a running event loop."""
    # aiohttp has no public way to another protocol.
    factory = partial(_HeadFirst, loop=asyncio.get_running_loop())
    connector._factory = cast("partial[ResponseHandler]", factory)


class _HeadFirst(ResponseHandler):
    """Gives aiohttp the head of a reply before what follows it.

    A body where there may be none (after 204) or more of it than was announced makes aiohttp's parser fail,
    and it would fail before the head that came with it is handed on: an endpoint that has acted would look
    like one that does not speak HTTP. The connection is closed after such a reply, as it is otherwise.
    """

    def data_received(self, data: bytes) -> None:
        """Bytes of a reply."""
        is_interim = True
        while is_interim and 4 <= (end := data.find(b"\r\n\r\n") + 4) < len(data):
            head, data = data[:end], data[end:]
            is_interim = head.startswith(b"HTTP/1.1 1")
            super().data_received(head)
        super().data_received(data)
