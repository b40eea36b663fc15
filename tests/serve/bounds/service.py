"""What rows do with a runner, and see of it: calls, requests, its log and metrics, and the neighbour."""

import asyncio
import json
import re
import signal
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import aiohttp

from runner.call.examples.example_call import sip_headers
from runner.model.call import Headers
from runner.standin.faults import FINE, Faults
from runner.standin.placed_call import PlacedCall
from runner.standin.script import CallerHangsUp, ScriptStep, When
from runner.standin.server import StandIn
from runner.standin.webhook import SignedWebhook, call_incoming, new_secret
from tests.certificates import Authority
from tests.cpu import took_at_most
from tests.patience import PATIENCE_S
from tests.processes import CLOCK
from tests.serve.bounds import configuration
from tests.serve.bounds.metered import METER
from tests.serve.bounds.neighbour import Endpoint, Neighbour
from tests.serve.bounds.peers import Peers
from tests.serve.bounds.wire import Wire

SECRET = new_secret()
MOST_BUSY_S = 0.1
"""The longest that one turn of the loop may work: that long a neighbour hears nothing."""
MOST_BLOCKED_S = 0.4
"""The longest that the loop's thread may stand still. A busy machine stops its other threads while they hold
the interpreter, which looks the same, so this is no tight bound; a call that blocks is far above it."""
BEARER = {"Authorization": f"Bearer {configuration.ADMIN_TOKEN}"}


class LoopHeldError(AssertionError):
    """One turn of the runner's loop took too long."""


class Service:
    """What a row has to its disposal."""

    def __init__(
        self,
        *,
        process: asyncio.subprocess.Process,
        directory: Path,
        api: StandIn,
        wire: Wire,
        endpoint: Endpoint,
        peers: Peers,
        authority: Authority,
        stack: AsyncExitStack,
    ) -> None:
        self.process = process
        self.directory = directory
        self.api = api
        self.wire = wire
        self._stack = stack
        self.endpoint = endpoint
        self.peers = peers
        self.authority = authority
        """The one that the runner trusts."""
        self.url = self.admin_url = ""
        self.log: list[dict[str, Any]] = []
        self._logged = asyncio.Event()
        self._log_is_over = False
        self._stopped_s = 0.0
        self.reads_log = asyncio.Event()
        """Clear it, and nobody reads the log."""
        self.reads_log.set()
        self.neighbour = Neighbour(api)
        endpoint.handlers["next-slot"] = self.neighbour.next_slot
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=2 * PATIENCE_S)
        self.http = aiohttp.ClientSession(connector=connector, timeout=timeout)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    # Calls.

    async def ring(
        self, *script: ScriptStep, to: str = configuration.STRANGER, faults: Faults = FINE
    ) -> tuple[PlacedCall, int]:
        """A call rings: the call, and what its webhook is answered."""
        call = self.api.place_call(*script, faults=faults)
        return call, await self.announce(call, to)

    async def announce(self, call: PlacedCall, to: str = configuration.STRANGER) -> int:
        """Send the webhook of a call: the status of the answer."""
        return (await self.announced(call, to))[0]

    async def announced(self, call: PlacedCall, to: str = configuration.STRANGER) -> tuple[int, str]:
        """Send the webhook of a call: status and sentence of the answer."""
        return await self.post(self.webhook(call.id, to))

    async def post(self, webhook: SignedWebhook) -> tuple[int, str]:
        """Post a webhook: status and sentence of the answer."""
        address = f"{self.url}/webhooks/openai"
        async with self.http.post(address, data=webhook.body, headers=webhook.headers) as response:
            return response.status, await response.text()

    def webhook(self, call_id: str, to: str = configuration.STRANGER, *, more: Headers = ()) -> SignedWebhook:
        """What announces a call."""
        headers = (*sip_headers(caller="+14155550100", called=to, call_id=call_id), *more)
        return call_incoming(call_id=call_id, headers=headers, secret=SECRET, now=time.time())

    async def play(
        self, *script: ScriptStep, to: str = configuration.STRANGER, faults: Faults = FINE
    ) -> PlacedCall:
        """Play a call to its end, in which we do nothing that the API would not take."""
        call, status = await self.ring(*script, to=to, faults=faults)
        assert status == 200
        await self.over(call)
        return call

    async def over(self, call: PlacedCall) -> None:
        """Wait until a call is over, in which we have done nothing that the API would not take."""
        await self.api.until_over(call, PATIENCE_S)
        assert call.violations == []

    async def hang_up(self, call: PlacedCall) -> None:
        """Let the caller hang up."""
        call.play(CallerHangsUp(when=When.AT_ONCE))
        self.api.wake(call)
        await self.over(call)

    # What shows.

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 - whoever changes it tells nobody
                await asyncio.sleep(0.02)

    async def asked(self, path: str, least: int) -> None:
        """Wait until the endpoint was asked so often for this path."""
        await self.until(lambda: self.endpoint.asked.count(f"/{path}") >= least)

    # The admin API.

    @property
    def admin_port(self) -> int:
        return int(self.admin_url.rpartition(":")[2])

    async def admin(
        self, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Ask the admin API: status and JSON of the answer."""
        sent = {"Content-Type": "application/json", **(headers or BEARER)}
        url = f"{self.admin_url}/admin/{path}"
        async with self.http.request(method, url, data=body, headers=sent) as response:
            return response.status, await response.json(content_type=None)

    async def sign_in(self) -> str:
        """Begin a console session: its cookie."""
        url, token = f"{self.admin_url}/console/sign-in", {"token": configuration.ADMIN_TOKEN}
        same = {"Sec-Fetch-Site": "same-origin"}
        async with self.http.post(url, json=token, headers=same) as response:
            assert response.status == 200, await response.text()
            return response.headers["Set-Cookie"].partition(";")[0]

    async def stream(
        self, query: str = "", *, is_narrow: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A stream of events that has begun, once there is a place for it."""
        head = f"GET /admin/events{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        head += f"Authorization: {BEARER['Authorization']}\r\n\r\n"
        async with asyncio.timeout(PATIENCE_S):
            while True:
                reader, writer = await self.connect(head.encode(), port=self.admin_port, is_narrow=is_narrow)
                if await reader.readline() == b"HTTP/1.1 200 OK\r\n":
                    return reader, writer
                writer.close()
                await asyncio.sleep(0.05)

    async def connect(
        self, *first: bytes, port: int | None = None, is_narrow: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the runner that has sent this. It is closed when the service is.

        `is_narrow`: the kernel takes some 100 KB for it that nobody reads, and not megabytes.
        """
        client = socket.socket()
        client.setblocking(False)
        if is_narrow:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port or self.port))
        reader, writer = await asyncio.open_connection(sock=client, limit=1 << 24)
        self._stack.callback(writer.close)
        for data in first:
            writer.write(data)
            await writer.drain()
        return reader, writer

    async def metric(self, sample: str) -> float:
        """The value of one sample of the metrics, written as Prometheus does; 0 when there is none."""
        async with self.http.get(f"{self.admin_url}/metrics") as response:
            found = re.search(rf"^{re.escape(sample)} (\S+)$", await response.text(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    async def counted(self, sample: str, least: float) -> None:
        """Wait until a sample is so large."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.metric(sample) < least:  # noqa: ASYNC110 - metrics tell nobody that they change
                await asyncio.sleep(0.02)

    async def logged(self, event: str, **fields: Any) -> dict[str, Any]:
        """Wait for a line of the log."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                logged = self._logged
                for line in self.log:
                    if line["event"] == event and fields.items() <= line.items():
                        return line
                assert not self._log_is_over, self.log[-20:]
                await logged.wait()

    async def record(self, call: PlacedCall) -> dict[str, Any]:
        """Wait for the record of a call that is over."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with closing(sqlite3.connect(self.directory / "calls.db")) as connection:
                    query = "SELECT record FROM calls WHERE id = ?"
                    found = connection.execute(query, (call.id,)).fetchone()
                if found:
                    record: dict[str, Any] = json.loads(found[0])
                    return record
                await asyncio.sleep(0.02)

    async def console(self) -> str:
        """Wait for the address of the admin API in the summary."""
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE_S):
            async for line in self.process.stdout:
                if (found := re.search(rb"(http://\S+)/console/", line)) is not None:
                    return found[1].decode()
        raise AssertionError("the summary has no address of the console")

    async def read_log(self) -> None:
        """Read the log for ever."""
        assert self.process.stderr
        async for line in self.process.stderr:
            await self.reads_log.wait()
            try:
                self.log.append(json.loads(line))
            except ValueError:
                self.log.append({"event": line.decode()})
            self._logged.set()
            self._logged = asyncio.Event()
        self._log_is_over = True
        self._logged.set()

    @asynccontextmanager
    async def stopped(self) -> AsyncIterator[None]:
        """Stop the process for a moment: what is sent to it waits, and then is there all at once."""
        clock = asyncio.get_running_loop().time
        began = clock()
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
            await asyncio.sleep(0.05)
        finally:
            self.process.send_signal(signal.SIGCONT)
            self._stopped_s = max(self._stopped_s, clock() - began)

    async def ends(self, *signals: int) -> None:
        """Send these signals, one after the other, and wait for the end of the process."""
        for number in signals:
            self.process.send_signal(number)
            # Two that come together are one.
            await self._drains()
        await self.until(lambda: self.process.returncode is not None)
        self.reads_log.set()
        assert self.process.returncode == 0

    async def _drains(self) -> None:
        """Wait until the first signal has come."""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(aiohttp.ClientError):
                while "draining" not in await self._readiness():  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.02)

    async def _readiness(self) -> str:
        async with self.http.get(f"{self.url}/readyz") as response:
            return await response.text()

    # The neighbour.

    async def holds(self) -> dict[str, float]:
        """The longest holds of the runner's loop since the last time."""
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_unix_connection(self.directory / METER)
            told = await reader.read()
            writer.close()
        longest: dict[str, float] = json.loads(told)
        return longest

    @asynccontextmanager
    async def serves_neighbour(self) -> AsyncIterator[None]:
        """Fail when the neighbour is not served.

        Raises LoopHeldError when one turn of the loop takes too long.
        """
        await self.holds()
        self._stopped_s = 0.0
        yield
        await self.neighbour.is_served()
        longest = await self.holds()
        if "FAKETIME" in CLOCK:  # a look at the clock may cost more than all that is measured here
            return
        if not took_at_most(longest["busy_s"], MOST_BUSY_S):
            raise LoopHeldError(f"one turn of the loop worked for {longest['busy_s']:.3f} s")
        if longest["blocked_s"] - self._stopped_s > MOST_BLOCKED_S:
            raise LoopHeldError(f"the loop stood still for {longest['blocked_s']:.3f} s")
