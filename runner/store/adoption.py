"""Lets one process at a time adopt the files that ended processes have left beside a store.

Several may start at once, and the first one adopts all files. Another that was started in place of a dead
process lets others take that one's calls: by then everything in its files must be in the store.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ADOPT_S = 5.0
"""Between two looks for files of processes that have ended since this one started. Shorter than a lease, so
that what is in them is in the store before anybody takes over the calls of those processes.
"""
RETRY_S = 0.05
"""Between two looks at the lock. Callers of the ended process wait until its calls are taken over."""


@asynccontextmanager
async def adopting(path: Path) -> AsyncIterator[None]:
    """Hold the right to adopt the files beside `path`, once no other process has it.

    It is a lock on the folder, so it leaves no file and ends with the process. Where folders cannot be locked
    (some network file systems), nobody waits.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        while _is_locked_by_another(folder):  # noqa: ASYNC110 - no other process tells
            await asyncio.sleep(RETRY_S)
        yield
    finally:
        os.close(folder)


def _is_locked_by_another(folder: int) -> bool:
    """False once this process has the lock."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
