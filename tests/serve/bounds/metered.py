"""`phone-agents` as it is, with some bounds lowered, and a meter of how long anything held its event loop.

Arguments: the lowered bounds as JSON, then the command line.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.cpu import stolen_s

EVERY_S = 0.004
LONG_S = 0.05
"""A turn of the loop that is looked at twice."""
LOOK_S = 1.0
"""Between two looks at how much time was stolen."""
METER = "meter.sock"
"""A socket in the working directory. A connection is sent the longest holds since the one before."""

KNOWN = "known"
"""While there is such a file, `*.known.example` has an address."""
SLOW = "slow"
"""While there is such a file, its look-up takes long."""
UNANSWERED_S = 15.0
"""What the look-up of such a name takes: longer than any tool waits for it."""
LOOKED_UP = "looked-up"
"""The names of `*.unanswered.example` whose look-up has begun."""
STANDSTILL_S = 1.5


class Meter:
    """The longest time that one turn of the loop took since it was last asked, without what others took."""

    def __init__(self) -> None:
        self.busy_s = 0.0
        """In CPU time of the loop's thread, which other processes cannot lengthen."""
        self.blocked_s = 0.0
        """In time that the thread neither worked nor waited for a CPU: a call that blocks."""

    async def run(self) -> None:
        """Measure for ever."""
        server = await asyncio.start_unix_server(self._tell, METER)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, time.sleep, STANDSTILL_S)
        schedstat = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        clock = asyncio.get_running_loop().time
        others, looked_at = Others(), clock()
        while server.is_serving():
            at, busy_s, queued_s = clock(), time.thread_time(), _queued_s(schedstat)
            await asyncio.sleep(EVERY_S)
            busy_s = time.thread_time() - busy_s
            queued_s = _queued_s(schedstat) - queued_s
            blocked_s = clock() - at - EVERY_S - busy_s - queued_s
            if max(busy_s, blocked_s) > LONG_S or at - looked_at > LOOK_S:
                stole_s, held_s = others.since_last()
                # What is stolen may show as either.
                busy_s, blocked_s, looked_at = busy_s - stole_s, blocked_s - stole_s - held_s, clock()
            self.busy_s = max(self.busy_s, busy_s)
            self.blocked_s = max(self.blocked_s, blocked_s)

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps({"busy_s": self.busy_s, "blocked_s": self.blocked_s}).encode())
        self.busy_s = self.blocked_s = 0.0
        writer.close()


def _queued_s(schedstat: int) -> float:
    """How long this thread has been ready to run while others ran (proc(5))."""
    return int(os.pread(schedstat, 64, 0).split()[1]) / 1e9


class Others:
    """What may have kept the loop's thread from its turn: the host of a virtual machine, and threads of this
    process that got no CPU while they held the interpreter."""

    def __init__(self) -> None:
        self._stolen_s, self._queued_s = stolen_s(), _queued_threads()

    def since_last(self) -> tuple[float, float]:
        """The seconds that the host has stolen since this was last asked, and those that a thread waited."""
        stolen_before_s, queued_before_s = self._stolen_s, self._queued_s
        self._stolen_s, self._queued_s = stolen_s(), _queued_threads()
        held_s = [queued_s - queued_before_s.get(name, 0.0) for name, queued_s in self._queued_s.items()]
        return self._stolen_s - stolen_before_s, max(held_s, default=0.0)


def _queued_threads() -> dict[str, float]:
    """How long each thread of this process has been queued, but for the first, which has the loop."""
    queued = {}
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError, IndexError):
            if thread.name != str(os.getpid()):
                text = (thread / "schedstat").read_text(encoding="ascii")
                queued[thread.name] = int(text.split()[1]) / 1e9
    return queued


def lower(bounds: dict[str, Any]) -> None:
    """Set bounds by the names that the page about operating has for them."""
    from runner.serve.timeouts import Timeouts

    for name, lowered in bounds.items():
        value: Any = tuple(lowered) if isinstance(lowered, list) else lowered
        module, _, constant = name.rpartition(".")
        if module == "serve.timeouts":
            fields: Any = vars(Timeouts)["__init__"]
            assert constant in fields.__kwdefaults__, name
            fields.__kwdefaults__[constant] = value
            continue
        before = getattr(import_module(f"runner.{module}"), constant)
        if isinstance(before, Mapping):
            value = {key: value.get(key.name, one) for key, one in before.items()}
        for owner in [each for name, each in sys.modules.items() if name.startswith("runner.")]:
            if getattr(owner, constant, None) is before:
                setattr(owner, constant, value)
                _lower_defaults(owner, before, value)


def _lower_defaults(owner: ModuleType, before: Any, value: Any) -> None:
    """Replace it where a class of this module has made it the default of a parameter."""
    for kind in [kind for kind in vars(owner).values() if isinstance(kind, type)]:
        init: Any = vars(kind).get("__init__")
        if any(one is before for one in getattr(init, "__defaults__", None) or ()):
            init.__defaults__ = tuple(value if one is before else one for one in init.__defaults__)
        for parameter, one in (getattr(init, "__kwdefaults__", None) or {}).items():
            if one is before:
                init.__kwdefaults__[parameter] = value


def measured() -> None:
    """Let the meter begin with the product's own watch over its loop."""
    from runner.serve import loop_lag

    watch = loop_lag.watch_loop

    async def watch_and_measure(observe: Callable[[float], None]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(watch(observe))
            group.create_task(Meter().run())

    loop_lag.watch_loop = watch_and_measure  # type: ignore[assignment] # it returns as late


def unanswered() -> None:
    """Let the system look up made-up names as rows want it."""
    resolve = socket.getaddrinfo

    def look_up(host: Any, *given: Any, **named: Any) -> Any:
        if str(host).endswith(".known.example") and Path(KNOWN).exists():
            while Path(SLOW).exists():
                time.sleep(0.05)
            return resolve("127.0.0.1", *given, **named)
        if str(host).endswith((".unanswered.example", ".known.example")):
            if str(host).endswith(".unanswered.example"):
                with Path(LOOKED_UP).open("a") as looked_up:
                    looked_up.write(f"{host}\n")
                time.sleep(UNANSWERED_S)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve(host, *given, **named)

    socket.getaddrinfo = look_up


if __name__ == "__main__":
    unanswered()
    lower(json.loads(sys.argv.pop(1)))
    measured()
    from runner.cli.main import main

    sys.exit(main())
