"""Many live calls on several workers, one of which is killed: `python -m tests.benchmarks.held_by_workers`.

Prints how long it took until every call had a sideband again, and how many never had. Then each call talks,
slowly, until its model has called a tool: a call whose tool has no output is lost too. Events that a call
had no sideband for show that it was lost once more, as on a machine that cannot carry so many events.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp

from tests.benchmarks.live_calls import Process
from tests.benchmarks.talking_api import TURN
from tests.benchmarks.under_load import Load, Side, serving

PATIENCE_S = 180.0
"""A lease of ten seconds, and the time to open thousands of sidebands on a small machine."""
TALK_S = 3600.0
"""For the API to have talked on all calls."""

LOOK_S = 0.05
COLUMNS = (
    "calls",
    "workers",
    "set up",
    "memory of the workers",
    "calls taken over",
    "all back after",
    "tools called then",
    "answered after: p50 / p99 / at most",
    "events without a sideband",
    "lost",
)


def main() -> int:
    """Run it; exit code 1 when a call was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.held_by_workers")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--events", type=float, default=0.2, help="events a call and second (default: 0.2)")
    parser.add_argument("--deploy", action="store_true", help="end a worker by SIGTERM, do not kill it")
    options = parser.parse_args()
    return asyncio.run(_held(options.calls, options.workers, options.events, is_deploy=options.deploy))


async def _held(calls: int, workers: int, events_a_second: float, *, is_deploy: bool) -> int:
    with serving(tls=False, store="postgresql", options=("--workers", str(workers))) as (api, _, _, ours):
        timeout = aiohttp.ClientTimeout(total=TALK_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            load, side = Load(api, None, session, calls), Side("ours", ours)
            began = time.monotonic()
            await load.ring_all(side, calls)
            set_up_s = time.monotonic() - began
            memory = sum(_memory_kib(pid) for pid in _children(ours)) / 1024
            # The kernel spreads connections, not calls: one may have none.
            pid = max(_children(ours), key=_memory_kib)
            before = (await load.counts())[0]
            os.kill(pid, signal.SIGTERM if is_deploy else signal.SIGKILL)
            back_s = await _back(load, ours, pid, calls)
            attached, held = await load.counts()
            # From anywhere in a turn to the tool of the next one.
            seconds = 2 * len(TURN) / events_a_second
            talked = await load.call_tools(side, seconds=seconds, events_a_second=events_a_second)
    unanswered = round(talked["unanswered"])
    lost = calls - held + unanswered
    cells = (
        str(calls),
        str(workers),
        f"{set_up_s:.0f} s",
        f"{memory:.0f} MiB",
        str(attached - before),
        f"{back_s:.1f} s",
        f"{talked['tools'] + unanswered:.0f}",
        f"{talked['tool_p50_ms']:.0f} / {talked['tool_p99_ms']:.0f} / {talked['tool_max_ms']:.0f} ms",
        f"{talked['unheard']:.0f}",
        str(lost),
    )
    for line in (COLUMNS, ("---",) * len(COLUMNS), cells):
        print(f"| {' | '.join(line)} |")
    return 1 if lost or talked["tools"] < calls else 0


async def _back(load: Load, ours: Process, pid: int, calls: int) -> float:
    """Seconds until the calls of a worker that was killed, or told to end, all have a sideband again."""
    began = back_at = time.monotonic()
    before = last = (await load.counts())[0]
    while time.monotonic() - began < PATIENCE_S:
        attached, held = await load.counts()
        if attached != last:
            last, back_at = attached, time.monotonic()
        if attached > before and held >= calls and pid not in _children(ours):
            return back_at - began
        await asyncio.sleep(LOOK_S)
    return time.monotonic() - began


def _children(ours: Process) -> list[int]:
    return list(map(int, Path(f"/proc/{ours.pid}/task/{ours.pid}/children").read_text().split()))


def _memory_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    sys.exit(main())
