"""The stand-in's end of a browser's call: treats energy as speech, speaks with a synthetic voice, and hangs
up.

Needs aiortc (`phone-agents[talk]`). The conversation decides what is said and when; this module is only
sound.
"""

import asyncio
import math
from array import array
from collections.abc import Callable, Coroutine, Sequence
from fractions import Fraction
from typing import Any

import aioice.ice
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, CallerSays, ScriptStep, When
from runner.standin.server import StandIn

RATE = 48_000
FRAME = RATE // 50
"""20 ms, as browsers send them."""
LOUD = 500
"""RMS of 16 bits above which somebody speaks; a quiet room has less than 100."""
BEGINS_FRAMES = 5
ENDS_FRAMES = 25
"""100 ms of energy begin a turn, half a second without energy ends it."""
SYLLABLE_S = 0.18
PITCHES = (170.0, 190.0, 160.0, 210.0, 180.0, 150.0)
HEARD = "(speech, which this stand-in does not understand)"
"""The transcript of a caller's turn."""
LOOPBACK = "127.0.0.1"
LONGEST_S = 3600.0
"""Of a call."""


class Voice(MediaStreamTrack):
    """A voice that babbles while the agent speaks, and is silent otherwise."""

    kind = "audio"

    def __init__(self, speaks: Callable[[], bool]) -> None:
        super().__init__()
        self._speaks = speaks
        self._sent = 0
        self._began_at: float | None = None
        self._spoken = 0

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when they are due."""
        clock = asyncio.get_running_loop().time
        if self._began_at is None:
            self._began_at = clock()
        due = self._began_at + self._sent / RATE
        await asyncio.sleep(max(0.0, due - clock()))
        if self.readyState != "live":
            raise MediaStreamError
        samples = self._babble() if self._speaks() else array("h", bytes(2 * FRAME))
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = RATE
        frame.pts = self._sent
        frame.time_base = Fraction(1, RATE)
        self._sent += FRAME
        return frame

    def _babble(self) -> "array[int]":
        """Syllables of a few pitches, with two overtones, each swelling and fading."""
        samples = array("h")
        for number in range(self._spoken, self._spoken + FRAME):
            at = number / RATE
            syllable, within = divmod(at, SYLLABLE_S)
            pitch = PITCHES[int(syllable) % len(PITCHES)]
            swell = math.sin(math.pi * within / SYLLABLE_S)
            phase = 2 * math.pi * pitch * at
            tone = math.sin(phase) + 0.5 * math.sin(2 * phase) + 0.25 * math.sin(3 * phase)
            samples.append(int(5000 * swell * tone))
        self._spoken += FRAME
        return samples


class Peers:
    """The stand-in's ends of all calls of browsers."""

    def __init__(self, answers: Callable[[PlacedCall], Sequence[ScriptStep]] = lambda _: ()) -> None:
        """`answers` returns the model's reaction to the caller's words, where the script has none."""
        self._answers = answers
        self.api: StandIn | None = None
        """The stand-in of the calls; set before the first call."""
        self.heard: dict[str, int] = {}
        """How many turns of the caller were heard, by the call's id."""
        self._cut: set[str] = set()
        self._peers: dict[str, RTCPeerConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        _also_loopback()

    async def answer(self, call: PlacedCall, offer: str) -> str:
        """The answer to a browser's offer; from then on its sound is carried."""
        # Without servers: the default would ask one on the public internet.
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peers[call.id] = peer
        peer.addTrack(Voice(lambda: call.conversation is not None and call.conversation.playing is not None))

        @peer.on("track")
        def _(track: MediaStreamTrack) -> None:
            self._start(self._listen(call, track))

        @peer.on("datachannel")
        def _(channel: RTCDataChannel) -> None:
            if self.api is not None:
                channel.on("message", self.api.open_channel(call, lambda text: _send(channel, text)))

        @peer.on("connectionstatechange")
        def _() -> None:
            is_gone = peer.connectionState in ("failed", "closed") and call.id not in self._cut
            if is_gone and not call.is_over:
                self._play(call, CallerHangsUp(when=When.AT_ONCE))

        await peer.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        self._start(self._end_with(call, peer))
        return str(peer.localDescription.sdp)

    async def cut(self, call: PlacedCall) -> None:
        """Lose the network of a call: nothing comes and nothing goes any more, without notice."""
        self._cut.add(call.id)
        for transceiver in self._peers[call.id].getTransceivers():
            await transceiver.sender.transport.transport._connection.close()

    async def close(self) -> None:
        """Hang up all calls."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(peer.close() for peer in self._peers.values()), return_exceptions=True)

    def _play(self, call: PlacedCall, *steps: ScriptStep) -> None:
        call.play(*steps)
        if self.api is not None:
            self.api.wake(call)

    def _take_turn(self, call: PlacedCall) -> None:
        """The caller speaks now, whatever comes next in the script; the model's next step answers that."""
        if call.conversation is not None:
            if not call.conversation.steps:
                call.play(*self._answers(call))
            call.conversation.steps.appendleft(CallerSays(text=HEARD, when=When.AT_ONCE))
            self._play(call)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_with(self, call: PlacedCall, peer: RTCPeerConnection) -> None:
        if self.api is not None:
            await self.api.until(lambda: call.is_over, LONGEST_S)
        await peer.close()

    async def _listen(self, call: PlacedCall, track: MediaStreamTrack) -> None:
        """Energy is speech: it begins a turn, which interrupts the agent; silence ends it."""
        loud = quiet = 0
        speaks = False
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            is_loud = isinstance(frame, AudioFrame) and rms(frame) > LOUD
            loud, quiet = (loud + 1, 0) if is_loud else (0, quiet + 1)
            if not speaks and loud >= BEGINS_FRAMES:
                speaks = True
                self.heard[call.id] = self.heard.get(call.id, 0) + 1
                self._take_turn(call)
            elif speaks and quiet >= ENDS_FRAMES:
                speaks = False


def _send(channel: RTCDataChannel, text: str) -> None:
    if channel.readyState == "open":
        channel.send(text)


def rms(frame: AudioFrame) -> float:
    """How loud a frame is, of 16 bits; every eighth sample is enough."""
    samples = array("h", bytes(frame.planes[0])[: frame.samples * 2 * len(frame.layout.channels)])[::8]
    return math.sqrt(sum(sample * sample for sample in samples) / max(1, len(samples)))


def _also_loopback() -> None:
    """aioice leaves out the loopback address, over which browsers of this machine reach us."""
    host_addresses = aioice.ice.get_host_addresses
    if getattr(host_addresses, "has_loopback", False):
        return

    def addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return [LOOPBACK, *host_addresses(use_ipv4, use_ipv6)]

    addresses.has_loopback = True  # type: ignore[attr-defined]
    aioice.ice.get_host_addresses = addresses
