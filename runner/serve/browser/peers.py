"""The other runners of the store, for requests of pages about calls that another of them serves.

The page's own token is forwarded, and is the only credential that the other runner checks.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import aiohttp

from runner.errors import StoreError
from runner.model.settings import Server
from runner.serve.addresses import is_loopback
from runner.serve.browser.refusal import RETRY_AFTER, RefusedError
from runner.serve.forwarding import ASK_S, FORWARDED, QUIET_S
from runner.store.store import FleetStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerOfCall:
    """The runner of a call; without an address there is none now, or it cannot be reached."""

    address: str | None


def peer_host(server: Server, *, shares_port: bool) -> str | None:
    """Where a listener for other runners is needed; None: they reach the one that pages ask.

    At a port that several processes share one cannot choose among them, and a runner that has only the proxy
    of its own machine for a client still has to be reached by others: where its admin listener is.
    """
    admin = server.admin
    if admin is not None and is_loopback(server.host) and not is_loopback(admin.host):
        return admin.host
    return server.host if shares_port else None


class PagePeers:
    """Finds the runner of a call, and forwards its page's requests."""

    def __init__(self, store: FleetStore, runner: str, session: aiohttp.ClientSession) -> None:
        """`runner` is this process's id among the runners."""
        self._store = store
        self._runner = runner
        self._session = session

    async def owner(self, call_id: str) -> RunnerOfCall | None:
        """The runner of a call that this process does not serve; None when it is over. Raises
        RefusedError."""
        try:
            call = await self._store.live_call(call_id)
        except StoreError:
            detail = "nobody can say now who serves the call; try again in a while"
            raise RefusedError(503, "call_unreachable", detail, RETRY_AFTER) from None
        if call is None:
            return None
        # Ours: it was taken over and is about to be served, or is over and its record about to be saved.
        return RunnerOfCall(address=None if call.runner == self._runner else call.page_address)

    async def tell(self, address: str, path: str, token: str) -> bool:
        """Forward a page's report to another runner; returns whether that one serves the call."""
        try:
            async with (
                asyncio.timeout(ASK_S),
                self._session.post(address + path, headers=self._headers(token)) as response,
            ):
                return response.status == 204
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return False

    async def follow(self, address: str, path: str, token: str) -> AsyncGenerator[bytes]:
        """Another runner's events of a call, each whole, until there are no more."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=ASK_S, sock_read=QUIET_S)
        try:
            async with self._session.get(
                address + path, headers=self._headers(token), timeout=timeout
            ) as response:
                if response.status != 200:
                    return
                text = b""
                async for chunk in response.content.iter_any():
                    *events, text = (text + chunk).split(b"\n\n")
                    for event in events:
                        yield event + b"\n\n"
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return

    def _headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}", FORWARDED: self._runner}
