"""Reads the head of a reply before its body: a broken body does not undo what a server did."""

import asyncio
from functools import partial
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler


def read_heads_first(connector: aiohttp.BaseConnector) -> None:
    """Have the connections of this connector do so. Needs a running event loop."""
    # aiohttp has no public way to another protocol.
    factory = partial(_HeadFirst, loop=asyncio.get_running_loop())
    connector._factory = cast("partial[ResponseHandler]", factory)


class _HeadFirst(ResponseHandler):
    """Gives aiohttp the head of a reply before what follows it.

    An unexpected body (after 204, or longer than announced) makes aiohttp's parser fail before it hands on
    the head that came with it: an endpoint that has acted would look like one that does not speak HTTP. The
    connection is closed after such a reply, as otherwise too.
    """

    def data_received(self, data: bytes) -> None:
        """Bytes of a reply."""
        is_interim = True
        while is_interim and 4 <= (end := data.find(b"\r\n\r\n") + 4) < len(data):
            head, data = data[:end], data[end:]
            is_interim = head.startswith(b"HTTP/1.1 1")
            super().data_received(head)
        super().data_received(data)
