"""The sideband of one call, kept open for as long as the call lasts. While it is open no task waits."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from runner.api.port import Conversation, SidebandAction, VoiceApi
from runner.model.event import CallGone, SidebandLost, SidebandOpened, Unreachable
from runner.serve.call_context import CallContext
from runner.serve.sideband import LostBecause, SidebandLostError, Sidebands, check_close, how_closed
from runner.serve.sideband_socket import SidebandSocket
from runner.serve.taking_apart import forget_traces

log = logging.getLogger("runner.serve.live_sideband")

LONG_CHARS = 4096
"""What follows a longer message is sent in another turn of the event loop: when a sideband reopens, the
outputs of dozens of tools may be sent again.
"""


@dataclass(slots=True, kw_only=True, eq=False)
class LiveSideband:
    """Opens the sideband, reads and writes it, and opens it again when it is lost."""

    context: CallContext
    api: VoiceApi
    sidebands: Sidebands
    follows_words: Callable[[], bool] | None = None
    """Whether the agent's words are wanted as they come. Called for each frame; None where nobody can follow
    them.
    """
    _conversation: Conversation | None = field(default=None, init=False)
    _socket: SidebandSocket | None = field(default=None, init=False)
    _outbox: deque[SidebandAction] | None = field(default=None, init=False)
    """What is sent in another turn of the event loop."""
    _opened_at: float = field(default=0.0, init=False)
    _flaps: int = field(default=0, init=False)
    """How often it was lost soon after it had opened, in a row."""

    async def attend(self, api_call_id: str, *, again: bool) -> None:
        """Open the sideband, and from then on keep it open until the call is gone or cannot be reached.

        `api_call_id` is the API's id of the call. `again`: it was open before, so an API that does not know
        the call has ended it.
        """
        conversation = self._conversation = self.api.conversation(api_call_id)
        try:
            if again:
                # Its wait also lets a response end that the last runner asked for: ours would be refused.
                socket = await self.sidebands.reattach(
                    conversation.sideband, self.context.call_id, until_ours=self.context.hold.looked
                )
            else:
                socket = await self._attach(conversation.sideband)
        except SidebandLostError as lost:
            self._give_up(lost)
        else:
            self._listen(socket, again=again)

    async def _attach(self, path: str) -> SidebandSocket:
        try:
            return await self.sidebands.attach(path)
        except SidebandLostError:
            if not self.context.hold.was_paused:
                raise
        # The time for it passed while this process stood still.
        await self.context.hold.looked()
        return await self.sidebands.attach(path)

    def send(self, action: SidebandAction) -> None:
        """Send an action. Without a sideband it is dropped: the machine sends unconfirmed ones again."""
        if self._outbox is not None:
            self._outbox.append(action)
        elif self._socket is not None and self._conversation is not None:
            longest = 0
            for frame in self._conversation.frames(action, fence=self.context.hold.fence):
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
        """The call is over: break the cycle with it."""
        self.follows_words = None

    def _listen(self, socket: SidebandSocket, *, again: bool) -> None:
        self._opened_at = asyncio.get_running_loop().time()
        log.info("sideband is attached", extra={"call_id": self.context.call_id, "again": again})
        self._socket = socket
        self.context.happen(SidebandOpened())
        socket.listen(self._receive, self._ended)

    def _receive(self, frame: bytes) -> None:
        conversation = self._conversation
        if conversation is None:
            return
        follows_words = self.follows_words
        events = conversation.read(frame, follow_words=follows_words is not None and follows_words())
        if not events:
            return
        fence = conversation.fence
        if fence and fence > self.context.hold.fence > 0:
            self.context.hold.lost()
            return
        for event in events:
            self.context.happen(event)

    def _ended(self) -> None:
        if not self.context.over.is_set and self._socket is not None:
            self.context.spawn(self._redial(self._socket))

    async def _redial(self, lost: SidebandSocket) -> None:
        """Open the sideband once more, if that may help.

        At each opening the model is asked to continue, which costs money, and the caller hears a beginning:
        not for ever, and not without growing pauses.
        """
        self._socket = self._outbox = None
        lost_at = asyncio.get_running_loop().time()
        has_lasted = lost_at - self._opened_at >= self.context.timeouts.steady_s
        self._flaps = 0 if has_lasted else self._flaps + 1
        try:
            close = await lost.closed()
            check_close(close, self.api.is_final)
            self.context.happen(SidebandLost())
            if self._flaps == len(self.context.timeouts.redial_delays_s) or self._conversation is None:
                raise SidebandLostError(LostBecause.UNREACHABLE, "the sideband is lost again and again")
            path = self._conversation.sideband
            # After a pause another runner may serve the call.
            socket = await self.sidebands.reattach(
                path, self.context.call_id, earlier=self._flaps, until_ours=self.context.hold.looked
            )
        except SidebandLostError as error:
            self._give_up(error)
        else:
            took_s = round(asyncio.get_running_loop().time() - lost_at, 3)
            log.warning(
                "sideband was away",
                extra={
                    "call_id": self.context.call_id,
                    "detail": how_closed(close, lost.cut_because),
                    "took_s": took_s,
                },
            )
            self._listen(socket, again=True)

    def _give_up(self, lost: SidebandLostError) -> None:
        log.log(
            logging.INFO if lost.lost is LostBecause.GONE else logging.ERROR,
            "sideband is lost",
            extra={"call_id": self.context.call_id, "lost": lost.lost.value, "detail": str(lost)},
        )
        self.context.happen(CallGone() if lost.lost is LostBecause.GONE else Unreachable(detail=str(lost)))
        forget_traces(lost)
