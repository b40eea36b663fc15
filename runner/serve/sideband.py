"""Opens the server-side WebSocket of a call, and reopens it when it is lost.

Handles deadlines and HTTP, and knows nothing of frames or close codes.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from enum import Enum

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import Close

from runner.serve.api_client import ApiClient
from runner.serve.jitter import jittered
from runner.serve.names import NameResolver
from runner.serve.pings import Pings
from runner.serve.sideband_opening import open_socket, upgrade
from runner.serve.sideband_socket import SidebandSocket
from runner.serve.timeouts import Timeouts
from runner.serve.tls import client_context

log = logging.getLogger("runner.serve.sideband")

NOT_FOUND = (
    "the sideband was not found: the caller has gone, or the accept body was bad, or the key is of"
    " another project, or the region is wrong"
)
"""A 404 after accept means any of the four; readers of the log should consider all of them."""


KEPT_AGAIN_S = 600.0
"""How long every sideband gets a connection of its own, after one could not be opened on a kept one."""
HEADERS = {"User-Agent": "phone-agents"}
OVER = "the call is over: the API does not know it any more"


class LostBecause(Enum):
    """Why there is no sideband."""

    GONE = "gone"
    """The API does not know the call any more."""
    UNREACHABLE = "unreachable"
    """The API refuses us, or cannot be reached; the call may well live on."""


class SidebandLostError(Exception):
    """The sideband cannot be opened or reopened."""

    def __init__(self, lost: LostBecause, detail: str) -> None:
        super().__init__(detail)
        self.lost = lost


class Sidebands:
    """Opens the sidebands of all calls at one API."""

    def __init__(
        self,
        client: ApiClient,
        timeouts: Timeouts,
        *,
        tls: ssl.SSLContext | None = None,
        names: NameResolver | None = None,
        kept: Callable[[], asyncio.Transport | None] = lambda: None,
    ) -> None:
        """`tls` and `names` are shared by all sidebands: a context of its own costs each call 35 ms and 1 MB,
        and sidebands that are lost together need one lookup together. `kept` gives a connection that has
        just carried a request, if there is one.
        """
        self._client = client
        self._timeouts = timeouts
        self._tls = tls or client_context()
        self._names = names or NameResolver(threads=1)
        self._kept = kept
        self._kept_again_at = 0.0
        """When a kept connection may be tried again."""
        self._pings = Pings(timeouts.sideband_ping_s)

    async def attach(self, path: str) -> SidebandSocket:
        """Open the sideband of a call that was just answered. Raises SidebandLostError.

        The API may not know the call for a moment, so a 404 is retried for about five seconds. Nobody speaks
        to the caller meanwhile, so this bounds everything, also for an API that accepts the connection and
        says nothing.
        """
        longest_s = self._timeouts.attach_s
        try:
            async with asyncio.timeout(longest_s):
                delays_s = self._timeouts.attach_delays_s
                return await self._dial(path, delays_s, LostBecause.UNREACHABLE, self._upgrade)
        except TimeoutError:
            detail = f"the sideband was not open {longest_s:g} seconds after accept"
            raise SidebandLostError(LostBecause.UNREACHABLE, detail) from None

    async def reattach(
        self,
        path: str,
        call_id: str,
        *,
        earlier: int = 0,
        until_ours: Callable[[], Awaitable[None]] | None = None,
    ) -> SidebandSocket:
        """Reopen a lost sideband. A 404 now means that the call is over. Raises SidebandLostError.

        `earlier`: the number of waits used up already. The waits differ from call to call, since many
        sidebands are usually lost together. `until_ours` is waited for before each attempt.
        """
        delays_s = self._timeouts.redial_delays_s[earlier:]
        spread = tuple(jittered(delay_s, call_id, earlier + n) for n, delay_s in enumerate(delays_s))
        return await self._dial(path, spread, LostBecause.GONE, self._connect, until_ours)

    async def _dial(
        self,
        path: str,
        delays_s: tuple[float, ...],
        not_found: LostBecause,
        connect: Callable[[str], Awaitable[SidebandSocket]],
        until_ours: Callable[[], Awaitable[None]] | None = None,
    ) -> SidebandSocket:
        detail = ""
        for delay_s in delays_s:
            if delay_s:
                await asyncio.sleep(delay_s)
            if until_ours is not None:
                await until_ours()
            try:
                return await connect(path)
            except InvalidStatus as refused:
                status = refused.response.status_code
                detail = NOT_FOUND if status == 404 else f"the sideband was refused with status {status}"
                if status == 404 and not_found is LostBecause.GONE:
                    raise SidebandLostError(LostBecause.GONE, OVER) from refused
                if 400 <= status < 500 and status not in {404, 408, 429}:
                    break
            except TimeoutError:
                detail = "the sideband could not be opened: no answer in time"
            except (OSError, WebSocketException) as failed:
                detail = f"the sideband could not be opened: {str(failed) or type(failed).__name__}"
            log.debug("sideband attempt failed", extra={"detail": detail})
            # Whatever a kept connection has to do with it, it costs a call one attempt.
            connect = self._connect
        raise SidebandLostError(LostBecause.UNREACHABLE, detail)

    async def _upgrade(self, path: str) -> SidebandSocket:
        """Open it on the connection that has answered the call, or else on one of its own."""
        loop = asyncio.get_running_loop()
        kept = self._kept() if loop.time() >= self._kept_again_at else None
        if kept is None:
            return await self._connect(path)
        uri, headers = self._client.sideband(path)
        try:
            async with asyncio.timeout(self._timeouts.sideband_upgrade_s):
                return await upgrade(kept, uri, {**headers, **HEADERS}, self._timeouts, self._pings)
        except (OSError, WebSocketException) as failed:  # TimeoutError is an OSError
            if isinstance(failed, InvalidStatus) and failed.response.status_code == 404:
                raise  # as it may be on any connection
            # Something on the way may not like it, and would hold up every call.
            self._kept_again_at = loop.time() + KEPT_AGAIN_S
            detail = str(failed) or type(failed).__name__
            log.debug("sideband attempt failed", extra={"detail": detail})
        return await self._connect(path)

    async def _connect(self, path: str) -> SidebandSocket:
        # Read for each attempt: the key may have been rotated since.
        uri, headers = self._client.sideband(path)
        return await open_socket(
            uri,
            {**headers, **HEADERS},
            names=self._names,
            tls=self._tls,
            timeouts=self._timeouts,
            pings=self._pings,
        )


def check_close(received: Close | None, is_final: Callable[[int | None], bool]) -> None:
    """Raise SidebandLostError when the API closed the sideband to refuse us. Any other close may be
    temporary.
    """
    if received is not None and is_final(received.code):
        raise SidebandLostError(LostBecause.UNREACHABLE, how_closed(received, ""))


def how_closed(received: Close | None, cut_because: str) -> str:
    """How a sideband ended, for the log. `cut_because`: why we have cut it, if we have."""
    if cut_because:
        return f"the connection was cut: {cut_because}"
    if received is None:
        return "the connection broke"
    return f"the API closed the sideband with {received.code} {received.reason}".rstrip()
