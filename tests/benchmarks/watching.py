"""What it costs a call that it is counted and traced, in the work of one event of its sideband.

The floor is the same conversation, read and handled by the machine with nobody looking on.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

from runner.api.realtime import api as realtime
from runner.call.machine.machine import CallMachine
from runner.model.event import AnswerReplied, ClaimReplied, Decided, SidebandOpened
from runner.serve.call_meter import CallMeter
from runner.serve.call_watch import CallWatch, Watches
from runner.serve.metrics import Metrics
from runner.serve.tracing.call_trace import CallTrace
from tests.benchmarks.row import Row
from tests.benchmarks.talking_api import TURN, frame_text
from tests.call.machine.playing import RINGING, a_world, an_agent

TURNS = 400
ROUNDS = 7
COUNTED_LIMIT = 2.0
"""Of the work without a socket, which is a small part of what an event costs a runner."""
TRACED_LIMIT = 1.25
IMPORTED = """
import sys
from runner.cli.run import open_tracing
open_tracing({}, provider="example")
print(sum(name.partition(".")[0] in {"opentelemetry", "google", "requests"} for name in sys.modules))
"""
"""How many modules of OpenTelemetry's a runner has whose traces are off."""


def rows() -> Iterable[Row]:
    """Nobody looking on, counted, and counted and traced, in turns."""
    frames = [frame_text(frame, number, number) for number in range(TURNS) for frame in TURN]
    metrics = Metrics()
    ways: list[Callable[[], tuple[CallWatch, ...]]] = [
        lambda: (),
        lambda: (CallMeter(metrics.served),),
        lambda: (CallMeter(metrics.served), CallTrace(lambda _: None, provider="example")),
    ]
    best = [float("inf")] * len(ways)
    for _ in range(ROUNDS):
        for index, watches in enumerate(ways):
            best[index] = min(best[index], _played(frames, Watches(watches())))
    alone, counted, traced = (spent / len(frames) * 1e6 for spent in best)
    yield Row(name="event of a counted call", ours=counted, floor=alone, unit="µs", limit=COUNTED_LIMIT)
    yield Row(name="event of a traced call", ours=traced, floor=counted, unit="µs", limit=TRACED_LIMIT)
    imported = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    yield Row(name="imported for traces that are off", ours=json.loads(imported.stdout), unit="", limit=0)


def _played(frames: list[str], watch: Watches) -> float:
    """CPU seconds of these frames, from their text to what the machine decides."""
    conversation = realtime.conversation(RINGING.call_id)
    machine, _ = CallMachine.ring(RINGING, a_world(an_agent()), 1000.0)
    watch.begins(machine, 1000.0)
    for event in (ClaimReplied(agent="desk"), AnswerReplied(decided=Decided.DONE), SidebandOpened()):
        watch.handled(event, machine.handle(event, 1000.0), 1000.0)
    began = time.process_time()
    for frame in frames:
        for heard in conversation.read(frame):
            watch.handled(heard, machine.handle(heard, 1001.0), 1001.0)
    return time.process_time() - began
