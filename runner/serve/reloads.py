"""Reloads the configuration while a runner serves: on SIGHUP, and when the directory changes."""

import asyncio
import logging

from runner.serve.versions import ReloadError, Versions

log = logging.getLogger("runner.serve.reloads")

POLL_S = 1.0
"""Between two looks at a watched directory."""


class Reloads:
    """Carries out the requested reloads, one after the other."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._asked = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def ask(self) -> None:
        """Load the configuration again soon; requests until then share one reload."""
        self._asked.set()

    def start(self, *, watch: bool) -> None:
        """Start with what was requested already. `watch`: reload whenever the directory changes."""
        self._tasks.append(asyncio.create_task(self._work(), name="reloads"))
        if watch:
            self._tasks.append(asyncio.create_task(self._versions.watch(POLL_S), name="watching"))

    async def close(self) -> None:
        """Stop reloading."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                log.error("reloading failed", exc_info=result)

    async def _work(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self._versions.reload()
            except ReloadError:
                continue  # The error is in the log; the configuration in force stays.
