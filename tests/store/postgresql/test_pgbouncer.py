"""The store behind PgBouncer, which gives each transaction whichever connection to the server is free."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from runner.model.live_call import Owner
from tests.patience import PATIENCE_S
from tests.store.engines import PostgresqlEngine, call_record
from tests.store.members import joined, journal, piece
from tests.store.postgresql.server import PostgresqlServer

PROGRAM = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no pgbouncer here (Debian: pgbouncer)")
SETTINGS = """\
[databases]
bounced = host={host} dbname=bounced user={user}
[pgbouncer]
pool_mode = transaction
default_pool_size = 3
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
"""
CALLS = 40


@pytest.fixture
async def bounced(postgresql: PostgresqlServer, held_port: int) -> AsyncIterator[PostgresqlEngine]:
    folder = Path(tempfile.mkdtemp(prefix="phone-agents-pgbouncer-"))
    folder.chmod(0o755)
    url = urlsplit(postgresql.new_database(of_its_own="bounced"))
    file = folder / "pgbouncer.ini"
    host = parse_qs(url.query)["host"][0]
    file.write_text(SETTINGS.format(host=host, user=url.username, port=held_port))
    # It does not want to be root, and nobody else may enter the folder of the server's socket.
    user = Path(host).owner() if os.getuid() == 0 else None
    assert PROGRAM is not None
    with subprocess.Popen([PROGRAM, str(file)], user=user, stderr=subprocess.DEVNULL) as bouncer:
        try:
            await _until_it_listens(held_port)
            async with AsyncExitStack() as stack:
                yield PostgresqlEngine(f"postgresql://anybody@127.0.0.1:{held_port}/bounced", stack)
        finally:
            bouncer.terminate()
            shutil.rmtree(folder)


async def _until_it_listens(port: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


async def test_runners_share_calls_through_pgbouncer(bounced: PostgresqlEngine) -> None:
    one, two = await joined(bounced, "one"), await joined(bounced, "two")

    async def lives(number: int) -> None:
        """All that a call needs of the store, while the others need the same."""
        call_id = f"rtc_{number}"
        await one.answers(await one.holds(call_id))
        assert await one.append(piece(call_id), piece(call_id, 1)) == set()
        assert await two.append(piece(call_id, 2)) == {call_id}
        assert await one.store.renew(one.lease)
        if number % 2:
            await one.store.save(call_record(call_id), owner=Owner(runner="one", fence=1))

    await asyncio.gather(*(lives(number) for number in range(CALLS)))
    await one.leave()
    taken = await two.take_over()
    assert sorted(call.id for call in taken) == sorted(f"rtc_{number}" for number in range(0, CALLS, 2))
    assert {call.fence for call in taken} == {2}
    for call in taken:
        assert await journal(two, call.id) == [piece(call.id), piece(call.id, 1)]
