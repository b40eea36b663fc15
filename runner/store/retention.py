"""Deletes records that are too old, in steps so small that nothing waits for one."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from runner.errors import StoreError
from runner.model.values import Instant
from runner.store.store import RecordStore

log = logging.getLogger("runner.store")

STEP = 200
"""Calls deleted in one transaction."""
PAUSE_S = 0.2
"""Between two steps, for other users of the store."""
SWEEP_EVERY_S = 3600.0


@dataclass(slots=True, eq=False)
class Retention:
    """Keeps records for a limited time. Keep `run` running."""

    store: RecordStore
    keep_s: float
    clock: Callable[[], Instant]

    async def run(self) -> None:
        """Sweep now and every hour, for as long as the process lives."""
        while True:
            try:
                await self.sweep()
            except StoreError as error:
                log.warning("old records are not deleted yet", extra={"error": str(error)})
            await asyncio.sleep(SWEEP_EVERY_S)

    async def sweep(self) -> int:
        """Delete what is too old; returns the number of calls. Raises StoreError."""
        before = self.clock() - self.keep_s
        total = 0
        while count := await self.store.delete_before(before, STEP):
            total += count
            await asyncio.sleep(PAUSE_S)
        if total:
            log.info("old records were deleted", extra={"calls": total})
        return total
