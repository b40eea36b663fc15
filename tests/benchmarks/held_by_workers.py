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


def main() -> int:
    """Run it; exit code 1 when a call was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.held_by_workers")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--events", type=float, default=0.2, help="events a call and second (default: 0.2)")
    options = parser.parse_args()
    return asyncio.run(_held(options.calls, options.workers, options.events))


async def _held(calls: int, workers: int, events_a_second: float) -> int:
    with serving(tls=False, store="postgresql", options=("--workers", str(workers))) as (api, _, _, ours):
        timeout = aiohttp.ClientTimeout(total=TALK_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            load, side = Load(api, None, session, calls), Side("ours", ours)
            began = time.monotonic()
            await load.ring_all(side, calls)
            set_up_s = time.monotonic() - began
            memory = sum(_memory_kib(pid) for pid in _children(ours)) / 1024
            # The kernel spreads connections, not calls: one may have none.
            os.kill(max(_children(ours), key=_memory_kib), signal.SIGKILL)
            began = time.monotonic()
            held = (await load.counts())[1]
            lowest = held
            while held < calls or lowest == calls:
                await asyncio.sleep(0.1)
                held = (await load.counts())[1]
                lowest = min(lowest, held)
                if time.monotonic() - began > PATIENCE_S:
                    break
            back_s = time.monotonic() - began
            # From anywhere in a turn to the tool of the next one.
            seconds = 2 * len(TURN) / events_a_second
            talked = await load.call_tools(side, seconds=seconds, events_a_second=events_a_second)
    lost = calls - held + round(talked["unanswered"])
    print(
        "| calls | workers | set up | memory of the workers | of the one that was killed | all back after"
        " | tools called then | events without a sideband | lost |"
    )
    print("|" + " --- |" * 9)
    print(
        f"| {calls} | {workers} | {set_up_s:.0f} s | {memory:.0f} MiB | {calls - lowest} | {back_s:.1f} s"
        f" | {talked['tools'] + talked['unanswered']:.0f} | {talked['unheard']:.0f} | {lost} |"
    )
    return 1 if lost or talked["tools"] < calls else 0


def _children(ours: Process) -> list[int]:
    return list(map(int, Path(f"/proc/{ours.pid}/task/{ours.pid}/children").read_text().split()))


def _memory_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    sys.exit(main())
