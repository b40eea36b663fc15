"""What it costs that calls can be followed: nothing where nobody does, and a look where somebody does.

The floor is the work of events without a socket, as in `watching`. `watched` measures whole processes.
"""

import gc
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass

from runner.api.realtime import api as realtime
from runner.call.machine.machine import CallMachine
from runner.call.view.call_view import CallView
from runner.model.call import Role
from runner.model.conversation_event import TranscriptGrew
from runner.model.event import AnswerReplied, CallEvent, ClaimReplied, Decided, SidebandOpened
from tests.benchmarks.row import Row
from tests.benchmarks.talking_api import TURN, frame_text
from tests.call.machine.playing import RINGING, a_world, an_agent

TURNS = 60
"""Of each side: a call of ten minutes."""
ROUNDS = 7
TIMES = 20
UNFOLLOWED_LIMIT = 1.03


@dataclass(slots=True)
class _Call:
    """What a live call asks itself at each event."""

    machine: CallMachine
    follower: CallView | None = None

    def handle(self, event: CallEvent, now: float) -> None:
        """The floor: nobody could follow."""
        self.machine.handle(event, now)

    def happen(self, event: CallEvent, now: float) -> None:
        if self.follower is not None and isinstance(event, TranscriptGrew):
            return
        self.machine.handle(event, now)
        if self.follower is not None:
            return


def rows() -> Iterable[Row]:
    """One call with its events, with and without the question who follows; then a look and a word."""
    frames = [frame_text(frame, number, number) for number in range(TURNS) for frame in TURN]
    alone, asked = float("inf"), float("inf")
    for _ in range(ROUNDS):
        alone = min(alone, _handled(frames, asks=False))
        asked = min(asked, _handled(frames, asks=True))
    yield Row(
        name="event of a call that nobody follows",
        ours=asked / len(frames) * 1e6,
        floor=alone / len(frames) * 1e6,
        unit="µs",
        limit=UNFOLLOWED_LIMIT,
    )
    look, word = (min(each) for each in zip(*(_look_s(frames) for _ in range(ROUNDS)), strict=True))
    yield Row(name=f"look at a followed call of {2 * TURNS} turns", ours=look * 1e6, unit="µs")
    yield Row(name="word of a followed call", ours=word * 1e6, unit="µs")


def _begun() -> CallMachine:
    machine, _ = CallMachine.ring(RINGING, a_world(an_agent()), 1000.0)
    for event in (ClaimReplied(agent="desk"), AnswerReplied(decided=Decided.DONE), SidebandOpened()):
        machine.handle(event, 1000.0)
    return machine


def _handled(frames: list[str], *, asks: bool) -> float:
    """CPU seconds of these frames, from their text to what the machine decides."""
    conversation, machine = realtime.conversation(RINGING.call_id), _begun()
    call = _Call(machine)
    happen = call.happen if asks else call.handle
    gc.collect()
    began = time.process_time()
    for number, frame in enumerate(frames):
        for event in conversation.read(frame):
            happen(event, 1000.0 + number)
    return time.process_time() - began


def _look_s(frames: list[str]) -> tuple[float, float]:
    """CPU seconds of one look at what has changed, at the end of the call, when it is largest; of a word."""
    conversation, machine = realtime.conversation(RINGING.call_id), _begun()
    view = CallView(machine, "runner")
    for number, frame in enumerate(frames):
        for event in conversation.read(frame):
            machine.handle(event, 1000.0 + number)
    now = 1000.0 + len(frames)
    view.whole(now)
    began = time.process_time()
    for _ in range(TIMES):
        list(view.changes(now))
    looked = time.process_time()
    grew = TranscriptGrew(item_id="item", role=Role.AGENT, text=" word")
    for _ in range(TIMES):
        json.dumps(view.words(grew, now))
    return (looked - began) / TIMES, (time.process_time() - looked) / TIMES
