"""Who starts while another process adopts what was left waits for it, but not for one that is dead."""

import asyncio
import sys
from pathlib import Path

import pytest

from runner.store.adoption import adopting
from tests.patience import PATIENCE_S

ADOPTS = """\
import asyncio, sys
from pathlib import Path
from runner.store.adoption import adopting

async def adopt():
    async with adopting(Path(sys.argv[1])):
        print("adopting", flush=True)
        await asyncio.Future()

asyncio.run(adopt())
"""


async def test_nobody_adopts_before_another_is_done_or_dead(tmp_path: Path) -> None:
    path = tmp_path / "calls.db.journal"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ADOPTS, str(path), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"adopting\n"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), adopting(path):
                pass
    finally:
        process.kill()
        await process.wait()
    async with asyncio.timeout(PATIENCE_S), adopting(path):
        assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_is_not_there_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "calls.db.journal"
    async with adopting(path), adopting(path):
        pass
