"""One process at a time adopts what ended processes have left in files beside a store, and writes it there.

Several may start at once, and the first one adopts all files. Another that was started in place of a dead
process lets that one's calls go: by then everything that it has left must be in the store.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

RETRY_S = 0.05


@asynccontextmanager
async def adopting(path: Path) -> AsyncIterator[None]:
    """Wait for other processes that adopt files beside this one, and keep later ones waiting.

    The lock is the folder's, so it leaves no file and ends with the process. Where folders cannot be locked,
    nobody waits.
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
