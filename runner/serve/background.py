"""Runs tasks that last as long as the process: one that fails is reported, and restarted."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger("runner.serve.background")

RESTART_S = 1.0
"""Before a failed task is restarted."""
STEADY_S = 60.0
"""How long after a failure the task still counts as failing."""


class Background:
    """Keeps one piece of work running until it is cancelled."""

    def __init__(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """`work` is called for each start; it should not return."""
        self._name = name
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self._failed_at: float | None = None
        self._failure = ""

    @property
    def trouble(self) -> str | None:
        """What failed, as a sentence, until the work has run for a while without failing again."""
        if self._failed_at is None or asyncio.get_running_loop().time() - self._failed_at > STEADY_S:
            return None
        return f"{self._name} failed and was restarted: {self._failure}"

    def start(self) -> None:
        """Start the work. Needs a running event loop."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Cancel the work, and wait until it has stopped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._work()
            except Exception as error:
                log.exception("%s failed and is started again", self._name)
                self._failed_at = asyncio.get_running_loop().time()
                self._failure = type(error).__name__
            await asyncio.sleep(RESTART_S)
