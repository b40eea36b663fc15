"""Keeps tools to the addresses that they may reach, checking the very address of each connection.

Decides nothing itself: `runner.call.tools.egress` does.
"""

import socket
import ssl

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client import ClientTimeout
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from runner.call.tools.egress import refuse_address, refuse_host
from runner.errors import PhoneAgentsError
from runner.model.settings import Egress
from runner.serve.names import NameResolver

LOOKUPS = 32
"""Threads that look up names for tools: this many slow names before others wait."""
KEEP_ALIVE_S = 4.0
"""Shorter than the five seconds after which common servers close an idle connection: a request that meets a
closing one fails, and only what was declared may be sent again."""


class AddressForbiddenError(PhoneAgentsError):
    """The host is at an address that tools may not reach."""


class GuardedResolver(AbstractResolver):
    """Resolves names and passes on only the addresses that may be reached.

    The connector connects to these addresses without another look-up, so a name that changes its address
    between check and connection (DNS rebinding) gains nothing.
    """

    def __init__(self, egress: Egress, resolver: AbstractResolver) -> None:
        self._egress = egress
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name that may be reached; AddressForbiddenError when there are only others."""
        addresses = await self._resolver.resolve(host, port, family)
        if not addresses:
            raise OSError(None, "the name has no address")
        refusals = [refuse_address(host, result["host"], self._egress) for result in addresses]
        allowed = [result for result, refusal in zip(addresses, refusals, strict=True) if refusal is None]
        if not allowed:
            raise AddressForbiddenError(refusals[0])
        return allowed

    async def close(self) -> None:
        """Close the resolver behind this one."""
        await self._resolver.close()


class GuardedConnector(aiohttp.TCPConnector):
    """Connects to what `egress` allows. A host that is an address never sees the resolver, so it is
    checked here."""

    def __init__(
        self, egress: Egress, resolver: AbstractResolver | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        """`resolver` looks up names, by default by the system. `tls` verifies servers, by default in a
        context of its own.

        Needs a running event loop.
        """
        self._egress = egress
        super().__init__(
            resolver=GuardedResolver(egress, resolver or NameResolver(threads=LOOKUPS)),
            use_dns_cache=False,
            # The client bounds their number.
            limit=0,
            ssl=tls or True,
            keepalive_timeout=KEEP_ALIVE_S,
        )

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - the name is aiohttp's
    ) -> Connection:
        """A connection, new or kept alive; AddressForbiddenError when the address may not be reached."""
        refusal = refuse_host(req.url.raw_host or "", self._egress)
        if refusal is not None:
            raise AddressForbiddenError(refusal)
        return await super().connect(req, traces, timeout)
