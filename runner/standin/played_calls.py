"""The sidebands of the stand-in's calls: plays each call at its pace, and carries events both ways."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

from aiohttp import WSMsgType, web

from runner.standin.outgoing import CloseCall, CloseSideband, Outgoing
from runner.standin.placed_call import PlacedCall, State

HEARTBEAT_S = 20.0
"""The API pings about so often."""
PATIENCE_S = 60.0
"""How long to wait for something, by default."""

Inspect = Callable[[str, Any], "str | None"]
"""Inspects a message: a kind (`event`, a REST action or `responses`) and the JSON value, an empty object for
no body. Its result is noted as a violation.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Inspects what the client sends and what it is sent; complaints are noted as violations."""

    received: Inspect | None = None
    sent: Inspect | None = None


def note_complaint(inspect: Inspect | None, note: Callable[[str], None], kind: str, value: Any) -> None:
    """Inspect a message, and note the complaint about it."""
    complaint = inspect(kind, value) if inspect is not None else None
    if complaint is not None:
        note(complaint)


class PlayedCalls:
    """Plays calls while they last, over their sidebands."""

    def __init__(
        self, *, pace: float, inspection: Inspection, clock: Callable[[], float] = time.time
    ) -> None:
        """`pace` is real seconds for each second of a call."""
        self._pace = pace
        self._inspection = inspection
        self._clock = clock
        self._changed = asyncio.Event()
        self._wakes: dict[str, asyncio.Event] = {}
        self._sidebands: dict[str, _Sideband] = {}
        """The sideband of each call that was opened last."""
        self._older: dict[str, list[_Sideband]] = {}
        """Earlier sidebands that are still open: they hear what it hears."""
        self._channels: dict[str, Callable[[str], None]] = {}
        """Data channels of pages, each by what sends to it."""
        self._players: dict[str, asyncio.Task[None]] = {}

    def add(self, call: PlacedCall) -> None:
        """A new call rings."""
        self._wakes[call.id] = asyncio.Event()

    def start(self, call: PlacedCall) -> None:
        """The call is accepted: play it."""
        player = asyncio.create_task(self._play(call))
        player.add_done_callback(lambda _: self._changed.set())
        self._players[call.id] = player

    async def close(self) -> None:
        """Stop playing, and cut all sidebands. Raises the error of a player that has failed."""
        for player in self._players.values():
            player.cancel()
        results = await asyncio.gather(*self._players.values(), return_exceptions=True)
        for sideband in [*self._sidebands.values(), *chain.from_iterable(self._older.values())]:
            await sideband.end(1006)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def wake(self, call: PlacedCall) -> None:
        """Let changes from outside, e.g. added steps, take effect."""
        self._wakes[call.id].set()

    def pulse(self, call: PlacedCall | None = None) -> None:
        """Something has changed, of this call or of none: let those who wait look again."""
        if call is not None:
            self._wakes[call.id].set()
        self._changed.set()

    def is_attached(self, call: PlacedCall) -> bool:
        """Whether the call has a sideband."""
        return call.id in self._sidebands

    def open_channel(self, call: PlacedCall, send: Callable[[str], None]) -> Callable[[str], None]:
        """A data channel of the call's page: `send` gets every event, and the result takes the page's own.

        Its events count as those of the sideband: the API does not tell who changes a session.
        """
        self._channels[call.id] = send
        return lambda text: self._receive(call, text)

    async def until(self, holds: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
        """Wait until a condition over the calls holds.

        Raises: TimeoutError when it does not hold in time.
        """
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._raise_failures()
                self._changed.clear()
                await self._changed.wait()

    def _raise_failures(self) -> None:
        """A bug of the stand-in must not look like a client that never comes."""
        for player in self._players.values():
            if player.done() and not player.cancelled():
                player.result()

    async def serve(self, call: PlacedCall, request: web.Request) -> web.StreamResponse:
        """Serve a sideband that has just opened, until it is closed."""
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=1 << 20, compress=False)
        await socket.prepare(request)
        sideband = _Sideband(socket, request.transport)
        if (before := self._sidebands.get(call.id)) is not None:
            self._older.setdefault(call.id, []).append(before)
        self._sidebands[call.id] = sideband
        self.pulse(call)
        try:
            await self._hear(call, sideband)
        finally:
            older = self._older.get(call.id, [])
            if sideband in older:
                older.remove(sideband)
            elif self._sidebands.get(call.id) is sideband and older:
                # The client has closed the newer of two: the one before is there still.
                self._sidebands[call.id] = older.pop()
            elif self._sidebands.get(call.id) is sideband:
                del self._sidebands[call.id]
                call.detach()
            self.pulse(call)
        return socket

    async def _hear(self, call: PlacedCall, sideband: "_Sideband") -> None:
        async for message in sideband.socket:
            if message.type is WSMsgType.TEXT:
                # What was sent before the client heard that the call is over is not a mistake.
                if sideband in self._older.get(call.id, ()):
                    call.note("an event on a sideband that a newer one has replaced")
                self._receive(call, message.data)
            elif message.type is WSMsgType.BINARY:
                call.note("a binary frame on the sideband")

    def _receive(self, call: PlacedCall, text: str) -> None:
        try:
            event = json.loads(text)
        except ValueError:
            event = None
        note_complaint(self._inspection.received, call.note, "event", event)
        call.receive(event)
        self.pulse(call)

    async def _play(self, call: PlacedCall) -> None:
        """Send the events of a call, at its pace, until it is over."""
        wake = self._wakes[call.id]
        while True:
            if (step := call.next()) is not None:
                await self._perform(call, step)
            elif call.is_over:
                return
            else:
                await self._wait(call, wake)

    async def _wait(self, call: PlacedCall, wake: asyncio.Event) -> None:
        """Wait for the next moment at which something happens, or for the client."""
        delay_s = call.flows.delay_s()
        if delay_s is not None and not delay_s * self._pace:
            await asyncio.sleep(0)
            call.flows.pass_time(delay_s)
            return
        if delay_s is None and call.id in self._sidebands:
            for frame in call.stream.rest():
                await self._sidebands[call.id].socket.send_str(frame)
        started = self._clock()
        try:
            async with asyncio.timeout(None if delay_s is None else delay_s * self._pace):
                await wake.wait()
        except TimeoutError:
            call.flows.pass_time(delay_s or 0.0)
        else:
            wake.clear()
            if self._pace:
                call.flows.pass_time((self._clock() - started) / self._pace)

    async def _perform(self, call: PlacedCall, step: Outgoing) -> None:
        sideband = self._sidebands.get(call.id)
        if isinstance(step, CloseCall):
            call.state = State.OVER
        if sideband is not None:
            await self._send(call, sideband, step)
        self._changed.set()

    async def _send(self, call: PlacedCall, sideband: "_Sideband", step: Outgoing) -> None:
        if isinstance(step, Mapping):
            note_complaint(self._inspection.sent, call.note, "event", step)
        try:
            for frame in call.frames(step):
                await sideband.socket.send_str(frame)
                await self._overhear(call, frame)
        except ConnectionError:
            # The client has closed its end meanwhile; the reader of the socket sees that too.
            return
        if isinstance(step, CloseSideband | CloseCall):
            self._sidebands.pop(call.id, None)
            call.detach()
            await sideband.end(step.close_code)
        if isinstance(step, CloseCall):
            for older in self._older.pop(call.id, []):
                await older.end(step.close_code)

    async def _overhear(self, call: PlacedCall, frame: str) -> None:
        if (send := self._channels.get(call.id)) is not None:
            send(frame)
        for older in self._older.get(call.id, ()):
            with suppress(ConnectionError):
                await older.socket.send_str(frame)


@dataclass(frozen=True, slots=True)
class _Sideband:
    """An open sideband, with the connection below it."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport | None

    async def end(self, code: int) -> None:
        """Close it, or cut it for 1006, which no close frame can carry (RFC 6455, 7.4.1)."""
        if code != 1006:
            await self.socket.close(code=code)
        elif self.transport is not None:
            self.transport.abort()
