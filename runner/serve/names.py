"""Looks up host names in threads of its own, so that slow names delay no others.

The system's lookup cannot be cancelled and may take half a minute. Python's own pool for it has six threads
on a machine with two processors, for the whole process.
"""

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import aiohappyeyeballs
from aiohttp.abc import AbstractResolver, ResolveResult

from runner.serve.latch import Latch

FRESH_S = 10.0
"""How long an address is used without another lookup."""
STALE_S = 3600.0
"""How long it is used when a lookup fails or is slow: the addresses of a host outlive its DNS."""
PATIENCE_S = 1.0
"""How long a lookup may take when an earlier address is known."""
HANGS_S = 1.0
"""After this long a lookup makes room for another, which may well be answered at once."""
MOST_HANGING = 256
"""Lookups that have made room and are not answered yet. Each has a thread."""
MOST_KNOWN = 1000
SECOND_FAMILY_S = 0.25
"""Before the host's next address is tried in parallel (RFC 8305)."""

_GetAddrInfo = Callable[..., list[Any]]
_Key: TypeAlias = tuple[str, int, int]
_Protocol = TypeVar("_Protocol", bound=asyncio.Protocol)


@dataclass(frozen=True, slots=True)
class _Known:
    addresses: list[ResolveResult]
    at: float


class NameResolver(AbstractResolver):
    """A pool of threads, and the results of its lookups. Concurrent requests for a name share one lookup."""

    def __init__(self, *, threads: int, look_up: _GetAddrInfo = socket.getaddrinfo) -> None:
        """`threads`: lookups in flight together, besides those that hang; further ones wait. Needs a running
        event loop.
        """
        self._places = asyncio.Semaphore(threads)
        self._hanging = 0
        self._look_up = look_up
        self._known: dict[_Key, _Known] = {}
        self._lookups: dict[_Key, asyncio.Task[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError when there are none."""
        key = host, port, int(family)
        now = asyncio.get_running_loop().time()
        known = self._known.get(key)
        if known is not None and now - known.at < FRESH_S:
            return known.addresses
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = self._lookups[key] = asyncio.create_task(self._ask(key))
            lookup.add_done_callback(lambda done: self._asked(key, done))
        if known is None or now - known.at >= STALE_S:
            return await asyncio.shield(lookup)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.shield(lookup)
        except OSError:  # TimeoutError is one
            return known.addresses

    async def open(
        self, protocol: Callable[[], _Protocol], host: str, port: int, *, tls: ssl.SSLContext | None
    ) -> tuple[asyncio.Transport, _Protocol]:
        """A connection to the first address of the host that answers in time. Raises OSError."""
        first, *others = await self.resolve(host, port)
        server = host if tls is not None else None
        loop = asyncio.get_running_loop()
        if not others:
            address, number = first["host"], first["port"]
            return await loop.create_connection(protocol, address, number, ssl=tls, server_hostname=server)
        connected = await self._connect(first, others)
        return await loop.create_connection(protocol, sock=connected, ssl=tls, server_hostname=server)

    async def _connect(self, first: ResolveResult, others: Sequence[ResolveResult]) -> socket.socket:
        # Nearly always it answers before the others would be tried, and no race is needed.
        with suppress(OSError):  # TimeoutError is one
            async with asyncio.timeout(SECOND_FAMILY_S):
                return await _connected(first)
        return await aiohappyeyeballs.start_connection(
            [
                (each["family"], socket.SOCK_STREAM, each["proto"], "", (each["host"], each["port"]))
                for each in (*others, first)
            ],
            happy_eyeballs_delay=SECOND_FAMILY_S,
        )

    async def close(self) -> None:
        """Stop waiting for lookups. Threads that are still in one end with the process."""
        lookups = list(self._lookups.values())
        for lookup in lookups:
            lookup.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)

    async def _ask(self, key: _Key) -> list[ResolveResult]:
        host, port, family = key
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def settle(result: list[ResolveResult] | BaseException) -> None:
            if answer.done():
                return
            if isinstance(result, BaseException):
                answer.set_exception(result)
            else:
                answer.set_result(result)

        def ask() -> None:
            result: list[ResolveResult] | BaseException
            try:
                # As aiohttp asks: no IPv6 addresses on a machine without one itself.
                kinds = {"family": family, "type": socket.SOCK_STREAM, "flags": socket.AI_ADDRCONFIG}
                result = _read(host, self._look_up(host, port, **kinds))
            except Exception as error:
                result = error
            try:
                loop.call_soon_threadsafe(settle, result)
            except RuntimeError:
                return  # The loop is closed: nobody waits any more.

        try:
            async with self._places:
                # A daemon: one that hangs must not keep the process from ending.
                threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
                await asyncio.wait([answer], timeout=HANGS_S)
                if self._hanging >= MOST_HANGING:
                    return await answer
            self._hanging += 1
            try:
                return await answer
            finally:
                self._hanging -= 1
        finally:
            answer.cancel()  # or an answer that nobody waits for any more would be complained of

    def _asked(self, key: _Key, lookup: asyncio.Task[list[ResolveResult]]) -> None:
        del self._lookups[key]
        if lookup.cancelled() or lookup.exception() is not None:
            return
        self._known.pop(key, None)
        self._known[key] = _Known(lookup.result(), asyncio.get_running_loop().time())
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]


async def _connected(address: ResolveResult) -> socket.socket:
    """A socket that is connected to an address, without the thread in which uvloop's `sock_connect` looks up
    even a number.
    """
    loop = asyncio.get_running_loop()
    connection = socket.socket(address["family"], socket.SOCK_STREAM, address["proto"])
    try:
        connection.setblocking(False)
        try:
            connection.connect((address["host"], address["port"]))
        except BlockingIOError:
            await _writable(loop, connection)
            if error := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(error, os.strerror(error)) from None
    except BaseException:
        connection.close()
        raise
    return connection


async def _writable(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
    writable = Latch()
    loop.add_writer(connection, writable.set)
    try:
        await writable.wait()
    finally:
        loop.remove_writer(connection)


def _read(host: str, entries: list[Any]) -> list[ResolveResult]:
    """The addresses in what `getaddrinfo` returns. Raises OSError when there are none."""
    addresses = []
    for family, _, proto, _, address in entries:
        ip, port = address[0], address[1]
        if family == socket.AF_INET6 and len(address) > 3 and address[3]:
            # A link-local address is useless without its scope.
            ip, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        addresses.append(
            ResolveResult(hostname=host, host=ip, port=port, family=family, proto=proto, flags=flags)
        )
    if not addresses:
        raise OSError(None, "the name has no address")
    return addresses
