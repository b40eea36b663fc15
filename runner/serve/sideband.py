"""Opens the server-side WebSocket of a call, and opens it again when it is lost.

Knows deadlines and HTTP, and nothing of what the frames say or the close codes mean.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from enum import Enum

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.uri import parse_uri

from runner.serve.api_client import ApiClient
from runner.serve.jitter import jittered
from runner.serve.names import Names
from runner.serve.timeouts import Timeouts
from runner.serve.tls import client_context

log = logging.getLogger("runner.serve.sideband")

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""The largest frames are a session with long instructions and many tools, or a long conversation, told back
to us. The socket is lost to a larger one, and to the same one again when it is opened again."""

NOT_FOUND = (
    "the sideband was not found: the caller has gone, or the accept body was bad, or the key is of"
    " another project, or the region is wrong"
)
"""A 404 after accept means any of the four; who reads the log should think of all of them."""


class Lost(Enum):
    """Why there is no sideband, or none any more."""

    GONE = "gone"
    """The API knows the call no more."""
    UNREACHABLE = "unreachable"
    """The API refuses us, or cannot be reached; the call may well live on."""


class SidebandLostError(Exception):
    """The sideband cannot be opened, or not again."""

    def __init__(self, lost: Lost, detail: str) -> None:
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
        names: Names | None = None,
    ) -> None:
        """`tls` and `names` are shared by all sidebands: a context of its own costs each call 35 ms and 1 MB,
        and sidebands that are lost together need one lookup together."""
        self._client = client
        self._timeouts = timeouts
        self._tls = tls or client_context()
        self._names = names or Names(threads=1)

    async def attach(self, path: str) -> ClientConnection:
        """Open the sideband of a call that was just answered. Raises SidebandLostError.

        Right after that the API may not know the call for a moment, so a 404 is tried again for about five
        seconds. Nobody speaks to the caller meanwhile, so that this is all the time there is, also for an
        API that takes the connection and says nothing.
        """
        longest_s = self._timeouts.attach_s
        try:
            async with asyncio.timeout(longest_s):
                return await self._dial(path, self._timeouts.attach_delays_s, Lost.UNREACHABLE)
        except TimeoutError:
            detail = f"the sideband was not open {longest_s:g} seconds after accept"
            raise SidebandLostError(Lost.UNREACHABLE, detail) from None

    async def reattach(self, path: str, call_id: str, *, earlier: int = 0) -> ClientConnection:
        """Open a sideband that was lost. A 404 now means that the call is over. Raises SidebandLostError.

        `earlier`: so many waits before an attempt were used up already. The waits differ from call to call,
        since sidebands are mostly lost many at a time.
        """
        delays_s = self._timeouts.redial_delays_s[earlier:]
        spread = tuple(jittered(delay_s, call_id, earlier + n) for n, delay_s in enumerate(delays_s))
        return await self._dial(path, spread, Lost.GONE)

    async def _dial(self, path: str, delays_s: tuple[float, ...], not_found: Lost) -> ClientConnection:
        """Wait and try, once for each delay."""
        detail = ""
        for delay_s in delays_s:
            await asyncio.sleep(delay_s)
            try:
                return await self._connect(path)
            except InvalidStatus as refused:
                status = refused.response.status_code
                detail = NOT_FOUND if status == 404 else f"the sideband was refused with status {status}"
                if status == 404 and not_found is Lost.GONE:
                    raise SidebandLostError(Lost.GONE, detail) from refused
                if 400 <= status < 500 and status not in {404, 408, 429}:
                    break
            except (OSError, TimeoutError, WebSocketException) as failed:
                detail = f"the sideband could not be opened: {str(failed) or type(failed).__name__}"
            log.debug("sideband attempt failed", extra={"detail": detail})
        raise SidebandLostError(Lost.UNREACHABLE, detail)

    async def _connect(self, path: str) -> ClientConnection:
        # Asked for each time: the key may have been rotated since.
        url, headers = self._client.sideband(path)
        address = parse_uri(url)
        async with asyncio.timeout(self._timeouts.sideband_open_s):
            connected = await self._names.connect(address.host, address.port)
        return await _Connect(
            url,
            sock=connected,
            ssl=self._tls if address.secure else None,
            additional_headers=dict(headers),
            open_timeout=self._timeouts.sideband_open_s,
            close_timeout=self._timeouts.sideband_close_s,
            ping_interval=self._timeouts.sideband_ping_s,
            ping_timeout=self._timeouts.sideband_ping_s,
            max_size=MAX_FRAME_BYTES,
            # Events are small and many: compressing them costs more memory and CPU than it saves.
            compression=None,
            proxy=None,
            user_agent_header="phone-agents",
        )


def check_close(closed: ConnectionClosed, is_final: Callable[[int | None], bool]) -> None:
    """Raise SidebandLostError when the API closed the sideband to refuse us. Any other close may pass."""
    received = closed.rcvd
    if received is not None and is_final(received.code):
        reason = f"the API closed the sideband with {received.code} {received.reason}".rstrip()
        raise SidebandLostError(Lost.UNREACHABLE, reason) from closed


class _Connect(connect):
    """Follows no redirect: that would carry the key to wherever it points."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The reply stays the refusal that it is."""
        return exc
