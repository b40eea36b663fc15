"""The sideband of one call, kept open for as long as the call lasts. While it is open no task waits."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from runner.api.port import Conversation, SidebandAction, VoiceApi
from runner.model.event import CallEvent, CallGone, SidebandLost, SidebandOpened, Unreachable
from runner.serve.hold import Hold
from runner.serve.latch import Latch
from runner.serve.sideband import Lost, SidebandLostError, Sidebands, check_close, how_closed
from runner.serve.sideband_socket import SidebandSocket
from runner.serve.taking_apart import forget_traces
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.live_sideband")

LONG_CHARS = 4096
"""What follows a longer message is sent in another turn of the event loop: when a sideband reopens, the
outputs of dozens of tools may be sent again.
"""


class LiveSideband:
    """Opens the sideband, reads and writes it, and opens it again when it is lost."""

    __slots__ = (
        "_api",
        "_call_id",
        "_conversation",
        "_flaps",
        "_follows_words",
        "_happen",
        "_hold",
        "_opened_at",
        "_outbox",
        "_over",
        "_sidebands",
        "_socket",
        "_spawn",
        "_timeouts",
    )

    def __init__(
        self,
        *,
        call_id: str,
        api: VoiceApi,
        sidebands: Sidebands,
        timeouts: Timeouts,
        hold: Hold,
        happen: Callable[[CallEvent], None],
        follows_words: Callable[[], bool],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        over: Latch,
    ) -> None:
        """`happen` is called with every event of the sideband; `spawn` begins a task of the call, until it is
        `over`.
        """
        self._call_id = call_id
        self._api = api
        self._sidebands = sidebands
        self._timeouts = timeouts
        self._hold = hold
        self._happen = happen
        self._follows_words = follows_words
        self._spawn = spawn
        self._conversation: Conversation | None = None
        self._socket: SidebandSocket | None = None
        self._outbox: deque[SidebandAction] | None = None
        """What is sent in another turn of the event loop."""
        self._opened_at = 0.0
        self._flaps = 0
        """How often it was lost soon after it had opened, in a row."""
        self._over = over

    async def attend(self, api_call_id: str, *, again: bool) -> None:
        """Open the sideband, and from then on keep it open until the call is gone or cannot be reached.

        `api_call_id` is the API's id of the call. `again`: it was open before, so an API that does not know
        the call has ended it.
        """
        conversation = self._conversation = self._api.conversation(api_call_id)
        try:
            if again:
                socket = await self._sidebands.reattach(
                    conversation.sideband, self._call_id, until_ours=self._hold.looked
                )
            else:
                socket = await self._attach(conversation.sideband)
        except SidebandLostError as lost:
            self._give_up(lost)
        else:
            self._listen(socket, again=again)

    async def _attach(self, path: str) -> SidebandSocket:
        try:
            return await self._sidebands.attach(path)
        except SidebandLostError:
            if not self._hold.was_paused:
                raise
        # The time for it passed while this process stood still.
        await self._hold.looked()
        return await self._sidebands.attach(path)

    def send(self, action: SidebandAction) -> None:
        """Send an action. Without a sideband it is dropped: the machine sends unconfirmed ones again."""
        if self._outbox is not None:
            self._outbox.append(action)
        elif self._socket is not None and self._conversation is not None:
            longest = 0
            for frame in self._conversation.frames(action, fence=self._hold.fence):
                self._socket.send(frame)
                longest = max(longest, len(frame))
            if longest > LONG_CHARS:
                self._outbox = deque()
                asyncio.get_running_loop().call_soon(self._send_on)

    def _send_on(self) -> None:
        waiting, self._outbox = self._outbox, None
        while waiting and self._outbox is None:
            self.send(waiting.popleft())
        if waiting:
            self._outbox = waiting

    async def close(self) -> None:
        """The call is over: close the sideband."""
        if self._socket is not None:
            await self._socket.close()

    def let_go(self) -> None:
        """The call is over: break the cycles with it."""
        del self._happen, self._follows_words, self._spawn

    def _listen(self, socket: SidebandSocket, *, again: bool) -> None:
        self._opened_at = asyncio.get_running_loop().time()
        log.info("sideband is attached", extra={"call_id": self._call_id, "again": again})
        self._socket = socket
        self._happen(SidebandOpened())
        socket.listen(self._receive, self._ended)

    def _receive(self, frame: bytes) -> None:
        conversation = self._conversation
        if conversation is None:
            return
        events = conversation.read(frame, follow_words=self._follows_words())
        if not events:
            return
        fence = conversation.fence
        if fence and fence > self._hold.fence > 0:
            self._hold.lost()
            return
        for event in events:
            self._happen(event)

    def _ended(self) -> None:
        if not self._over.is_set and self._socket is not None:
            self._spawn(self._redial(self._socket))

    async def _redial(self, lost: SidebandSocket) -> None:
        """Open the sideband once more, if that may help.

        At each opening the model is asked to continue, which costs money, and the caller hears a beginning:
        not for ever, and not without growing pauses.
        """
        self._socket = self._outbox = None
        lost_at = asyncio.get_running_loop().time()
        has_lasted = lost_at - self._opened_at >= self._timeouts.steady_s
        self._flaps = 0 if has_lasted else self._flaps + 1
        try:
            close = await lost.closed()
            check_close(close, self._api.is_final)
            self._happen(SidebandLost())
            if self._flaps == len(self._timeouts.redial_delays_s) or self._conversation is None:
                raise SidebandLostError(Lost.UNREACHABLE, "the sideband is lost again and again")
            path = self._conversation.sideband
            # After a pause another runner may serve the call.
            socket = await self._sidebands.reattach(
                path, self._call_id, earlier=self._flaps, until_ours=self._hold.looked
            )
        except SidebandLostError as error:
            self._give_up(error)
        else:
            took_s = round(asyncio.get_running_loop().time() - lost_at, 3)
            log.warning(
                "sideband was away",
                extra={
                    "call_id": self._call_id,
                    "detail": how_closed(close, lost.cut_because),
                    "took_s": took_s,
                },
            )
            self._listen(socket, again=True)

    def _give_up(self, lost: SidebandLostError) -> None:
        log.log(
            logging.INFO if lost.lost is Lost.GONE else logging.ERROR,
            "sideband is lost",
            extra={"call_id": self._call_id, "lost": lost.lost.value, "detail": str(lost)},
        )
        self._happen(CallGone() if lost.lost is Lost.GONE else Unreachable(detail=str(lost)))
        forget_traces(lost)
