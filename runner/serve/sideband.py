"""The server-side WebSocket of one call: dialled, read, dialled again when it is lost.

Knows close codes and deadlines, and nothing of what the frames say.
"""

import asyncio
import logging
from collections.abc import Mapping
from enum import Enum

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.sideband")

MAX_FRAME_BYTES = 1024 * 1024
"""The largest frames are a session with long instructions and many tools, told back to us."""

REFUSED_CODES = frozenset({3000, 4000})
"""A bad key or a bad session: the API closes so after an `error`, and dialling again cannot help."""

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


async def attach(url: str, headers: Mapping[str, str], timeouts: Timeouts) -> ClientConnection:
    """Open the sideband of a call that was just accepted.

    Right after accept the API may not know the call for a moment, so a 404 is tried again for about
    five seconds. Nobody speaks to the caller meanwhile, so that this is all the time there is, also for
    an API that takes the connection and says nothing. Raises SidebandLostError.
    """
    try:
        async with asyncio.timeout(timeouts.attach_s):
            return await _dial(url, headers, timeouts, timeouts.attach_delays_s, Lost.UNREACHABLE)
    except TimeoutError:
        detail = f"the sideband was not open {timeouts.attach_s:g} seconds after accept"
        raise SidebandLostError(Lost.UNREACHABLE, detail) from None


async def reattach(
    url: str, headers: Mapping[str, str], timeouts: Timeouts, *, earlier: int = 0
) -> ClientConnection:
    """Open a sideband that was lost. A 404 now means that the call is over. Raises SidebandLostError.

    `earlier`: so many waits before an attempt were used up already.
    """
    return await _dial(url, headers, timeouts, timeouts.redial_delays_s[earlier:], Lost.GONE)


def check_close(closed: ConnectionClosed) -> None:
    """Raise SidebandLostError when the API closed the sideband to refuse us. Any other close may pass."""
    received = closed.rcvd
    if received is not None and received.code in REFUSED_CODES:
        reason = f"the API closed the sideband with {received.code} {received.reason}".rstrip()
        raise SidebandLostError(Lost.UNREACHABLE, reason) from closed


async def _dial(
    url: str,
    headers: Mapping[str, str],
    timeouts: Timeouts,
    delays_s: tuple[float, ...],
    not_found: Lost,
) -> ClientConnection:
    """Wait and try, once for each delay."""
    detail = ""
    for delay_s in delays_s:
        await asyncio.sleep(delay_s)
        try:
            return await _connect(url, headers, timeouts)
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


class _Connect(connect):
    """Follows no redirect: that would carry the key to wherever it points."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The answer stays the refusal that it is."""
        return exc


async def _connect(url: str, headers: Mapping[str, str], timeouts: Timeouts) -> ClientConnection:
    return await _Connect(
        url,
        additional_headers=dict(headers),
        open_timeout=timeouts.sideband_open_s,
        close_timeout=timeouts.sideband_close_s,
        ping_interval=timeouts.sideband_ping_s,
        ping_timeout=timeouts.sideband_ping_s,
        max_size=MAX_FRAME_BYTES,
        # Events are small and many: compressing them costs more memory and CPU than it saves.
        compression=None,
        proxy=None,
        user_agent_header="phone-agents",
    )
