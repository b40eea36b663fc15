"""Many live calls on several workers, one of which is killed: `python -m tests.benchmarks.held_by_workers`.

Prints how long it took until every call had a sideband again, and how many never had.
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
from tests.benchmarks.under_load import Load, Side, serving

PATIENCE_S = 60.0
"""A lease of ten seconds, and the time to open thousands of sidebands on a small machine."""


def main() -> int:
    """Run it; exit code 1 when a call was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.held_by_workers")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4)
    options = parser.parse_args()
    return asyncio.run(_held(options.calls, options.workers))


async def _held(calls: int, workers: int) -> int:
    with serving(tls=False, store="postgresql", options=("--workers", str(workers))) as (api, _, _, ours):
        async with aiohttp.ClientSession() as session:
            load = Load(api, None, session, calls)
            began = time.monotonic()
            await load.ring_all(Side("ours", ours), calls)
            set_up_s = time.monotonic() - began
            await _kill_one(ours)
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
    print("| calls | workers | set up | of the one that was killed | all back after | lost |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(f"| {calls} | {workers} | {set_up_s:.0f} s | {calls - lowest} | {back_s:.1f} s | {calls - held} |")
    return 1 if held < calls else 0


async def _kill_one(ours: Process) -> None:
    pid = ours.pid
    children = await asyncio.to_thread(Path(f"/proc/{pid}/task/{pid}/children").read_text)
    os.kill(int(children.split()[0]), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
