"""Reloads the configuration while a runner serves: on SIGHUP, and when the directory changes."""

import asyncio

from runner.serve.background import Background
from runner.serve.versions import ReloadError, Versions

POLL_S = 1.0
"""Between two looks at a watched directory."""


class Reloads:
    """Carries out the requested reloads, one after the other."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._asked = asyncio.Event()
        self._work: list[Background] = []

    def ask(self) -> None:
        """Load the configuration again soon; requests until then share one reload."""
        self._asked.set()

    def start(self, *, watch: bool) -> None:
        """Start with what was requested already. `watch`: reload whenever the directory changes."""
        self._work.append(Background("reloading the configuration", self._reload))
        if watch:
            watching = Background("watching the configuration", lambda: self._versions.watch(POLL_S))
            self._work.append(watching)
        for work in self._work:
            work.start()

    async def close(self) -> None:
        for work in self._work:
            await work.stop()

    async def _reload(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self._versions.reload()
            except ReloadError:
                continue  # The error is in the log; the configuration in force stays.
