"""The sideband of one call, kept open for as long as the call lasts."""

import asyncio
import logging
from collections.abc import Callable
from functools import cached_property

from runner.api.port import Conversation, SidebandAction, VoiceApi
from runner.model.event import CallEvent, CallGone, SidebandLost, SidebandOpened, Unreachable
from runner.serve.hold import Hold
from runner.serve.sideband import Lost, SidebandLostError, Sidebands, check_close
from runner.serve.sideband_socket import SidebandSocket
from runner.serve.taking_apart import forget_traces
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.live_sideband")


class LiveSideband:
    """Opens the sideband, reads and writes it, and opens it again when it is lost."""

    def __init__(
        self,
        *,
        call_id: str,
        api_call_id: Callable[[], str],
        api: VoiceApi,
        sidebands: Sidebands,
        timeouts: Timeouts,
        hold: Hold,
        happen: Callable[[CallEvent], None],
        follows_words: Callable[[], bool],
    ) -> None:
        """`happen` is called with every event of the sideband.

        `api_call_id` returns the API's id of the call, known once it is answered.
        """
        self._call_id = call_id
        self._is_final = api.is_final
        self._api = api
        self._api_call_id = api_call_id
        self._sidebands = sidebands
        self._timeouts = timeouts
        self._hold = hold
        self._happen = happen
        self._follows_words = follows_words
        self._socket: SidebandSocket | None = None

    @cached_property
    def _conversation(self) -> Conversation:
        return self._api.conversation(self._api_call_id())

    async def attend(self, *, again: bool) -> None:
        """Keep the sideband open until the call is gone or cannot be reached.

        `again`: it was open before, so an API that does not know the call has ended it.
        """
        try:
            if again:
                socket = await self._sidebands.reattach(self._conversation.sideband, self._call_id)
            else:
                socket = await self._sidebands.attach(self._conversation.sideband)
            flaps = int(not await self._listen(socket, again=again))
            # At each opening the model is asked to continue, which costs money, and the caller hears a
            # beginning: not for ever, and not without growing pauses.
            while flaps < len(self._timeouts.redial_delays_s):
                socket = await self._sidebands.reattach(
                    self._conversation.sideband, self._call_id, earlier=flaps
                )
                flaps = 0 if await self._listen(socket, again=True) else flaps + 1
            lost = SidebandLostError(Lost.UNREACHABLE, "the sideband is lost again and again")
        except SidebandLostError as error:
            lost = error
        log.info(
            "sideband is lost",
            extra={"call_id": self._call_id, "lost": lost.lost.value, "detail": str(lost)},
        )
        self._happen(CallGone() if lost.lost is Lost.GONE else Unreachable(detail=str(lost)))
        forget_traces(lost)

    def send(self, action: SidebandAction) -> None:
        """Send an action. Without a sideband it is dropped: the machine sends unconfirmed ones again."""
        if self._socket is not None:
            for frame in self._conversation.frames(action, fence=self._hold.fence):
                self._socket.send(frame)

    def let_go(self) -> None:
        """The call is over: break the cycles with it."""
        del self._happen, self._follows_words, self._api_call_id

    async def _listen(self, socket: SidebandSocket, *, again: bool) -> bool:
        """Serve one sideband until it is lost; returns whether it was steady."""
        opened_at = asyncio.get_running_loop().time()
        log.info("sideband is attached", extra={"call_id": self._call_id, "again": again})
        self._socket = socket
        try:
            self._happen(SidebandOpened())
            socket.listen(self._receive)
            received = await socket.closed()
        finally:
            self._socket = None
            # A closing handshake without an answer must not delay the call.
            await socket.close()
        check_close(received, self._is_final)
        self._happen(SidebandLost())
        return asyncio.get_running_loop().time() - opened_at >= self._timeouts.steady_s

    def _receive(self, frame: bytes) -> None:
        events = self._conversation.read(frame, follow_words=self._follows_words())
        if not events:
            return
        if self._conversation.fence > self._hold.fence > 0:
            self._hold.lost()
            return
        for event in events:
            self._happen(event)
