"""NameResolver that are slow to look up, that stop being known, and that many ask for at once."""

import asyncio
import gc
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from runner.model.http import Failure, HttpRequest
from runner.model.settings import Egress
from runner.serve import names as names_module
from runner.serve.egress import GuardedConnector
from runner.serve.names import NameResolver
from runner.serve.tool_client import ToolClient
from tests.patience import PATIENCE_S
from tests.serve.lag import again_if_late, no_lag


class Service:
    """A name service: knows some names, never answers for others until it is let go."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.let_go = threading.Event()

    def look_up(self, host: str, port: int, **_: int) -> list[Any]:
        self.asked.append(host)
        if host.startswith("dead"):
            self.let_go.wait(2 * PATIENCE_S)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.known[host]]

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.asked) < times:  # noqa: ASYNC110 - threads tell nobody
                await asyncio.sleep(0.001)


@asynccontextmanager
async def running() -> AsyncIterator[Service]:
    """A name service; a test that may be played again starts one each time."""
    service = Service()
    try:
        yield service
    finally:
        service.let_go.set()


@pytest.fixture(name="service")
async def _service() -> AsyncIterator[Service]:
    async with running() as service:
        yield service


async def addresses(names: NameResolver, host: str) -> list[str]:
    return [found["host"] for found in await names.resolve(host, 443)]


async def test_all_who_ask_for_a_name_at_once_cause_one_lookup(service: Service) -> None:
    service.known["api.example"] = ["192.0.2.1", "192.0.2.2"]
    names = NameResolver(threads=2, look_up=service.look_up)
    found = await asyncio.gather(*(addresses(names, "api.example") for _ in range(500)))
    assert found == [["192.0.2.1", "192.0.2.2"]] * 500
    assert service.asked == ["api.example"]


async def test_an_address_is_asked_for_again_when_it_is_no_longer_fresh(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_module, "FRESH_S", 0.0)
    service.known["api.example"] = ["192.0.2.1"]
    names = NameResolver(threads=2, look_up=service.look_up)
    assert await addresses(names, "api.example") == ["192.0.2.1"]
    service.known["api.example"] = ["192.0.2.2"]
    assert await addresses(names, "api.example") == ["192.0.2.2"]


async def test_when_the_name_service_fails_the_last_address_is_used(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_module, "FRESH_S", 0.0)
    service.known["api.example"] = ["192.0.2.1"]
    names = NameResolver(threads=2, look_up=service.look_up)
    await addresses(names, "api.example")
    del service.known["api.example"]
    assert await addresses(names, "api.example") == ["192.0.2.1"]
    monkeypatch.setattr(names_module, "STALE_S", 0.0)
    with pytest.raises(socket.gaierror):
        await addresses(names, "api.example")


async def test_when_the_name_service_hangs_the_last_address_is_used_soon(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_module, "FRESH_S", 0.0)
    monkeypatch.setattr(names_module, "PATIENCE_S", 0.05)
    service.known["dead.example"] = ["192.0.2.1"]
    service.let_go.set()
    names = NameResolver(threads=2, look_up=service.look_up)
    await addresses(names, "dead.example")
    service.let_go.clear()
    async with asyncio.timeout(PATIENCE_S):
        assert await addresses(names, "dead.example") == ["192.0.2.1"]


@again_if_late
async def test_a_name_that_hangs_holds_up_no_other() -> None:
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(running())
        service.known["fine.example"] = ["192.0.2.1"]
        names = NameResolver(threads=3, look_up=service.look_up)
        stack.push_async_callback(names.close)
        hanging = [asyncio.create_task(names.resolve(f"dead{n % 2}.example", 443)) for n in range(50)]
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S), no_lag():
            assert await addresses(names, "fine.example") == ["192.0.2.1"]
        await service.until_asked(3)
        assert len(service.asked) == 3
        service.let_go.set()
        results = await asyncio.gather(*hanging, return_exceptions=True)
    assert {type(result) for result in results} == {socket.gaierror}


async def test_names_that_hang_make_room_for_another(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_module, "HANGS_S", 0.01)
    service.known["fine.example"] = ["192.0.2.1"]
    names = NameResolver(threads=3, look_up=service.look_up)
    hanging = [asyncio.create_task(names.resolve(f"dead{n}.example", 443)) for n in range(50)]
    await service.until_asked(3)
    async with asyncio.timeout(PATIENCE_S):
        assert await addresses(names, "fine.example") == ["192.0.2.1"]
    assert not any(task.done() for task in hanging)
    service.let_go.set()
    results = await asyncio.gather(*hanging, return_exceptions=True)
    assert {type(result) for result in results} == {socket.gaierror}


async def test_not_every_name_that_hangs_makes_room(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names_module, "HANGS_S", 0.01)
    monkeypatch.setattr(names_module, "MOST_HANGING", 4)
    names = NameResolver(threads=3, look_up=service.look_up)
    hanging = [asyncio.create_task(names.resolve(f"dead{n}.example", 443)) for n in range(20)]
    await service.until_asked(7)
    await asyncio.sleep(0.1)
    assert len(service.asked) == 7
    service.let_go.set()
    await asyncio.gather(*hanging, return_exceptions=True)
    assert len(service.asked) == 20


async def test_no_more_lookups_run_together_than_there_are_threads(service: Service) -> None:
    names = NameResolver(threads=3, look_up=service.look_up)
    hanging = [asyncio.create_task(names.resolve(f"dead{n}.example", 443)) for n in range(10)]
    await service.until_asked(3)
    await asyncio.sleep(0.05)
    assert len(service.asked) == 3
    service.let_go.set()
    await asyncio.gather(*hanging, return_exceptions=True)
    assert len(service.asked) == 10


async def test_who_stops_waiting_leaves_the_lookup_to_the_others(service: Service) -> None:
    service.known["dead.example"] = ["192.0.2.1"]
    names = NameResolver(threads=1, look_up=service.look_up)
    impatient = asyncio.create_task(names.resolve("dead.example", 443))
    patient = asyncio.create_task(names.resolve("dead.example", 443))
    await asyncio.sleep(0)
    impatient.cancel()
    service.let_go.set()
    assert [found["host"] for found in await patient] == ["192.0.2.1"]


async def test_closing_waits_for_no_lookup(service: Service) -> None:
    names = NameResolver(threads=1, look_up=service.look_up)
    hanging = asyncio.create_task(names.resolve("dead.example", 443))
    await service.until_asked(1)
    async with asyncio.timeout(PATIENCE_S):
        await names.close()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    service.let_go.set()
    async with asyncio.timeout(PATIENCE_S):
        while any(thread.name == "look up dead.example" for thread in threading.enumerate()):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


@again_if_late
async def test_dead_names_of_tools_hold_up_neither_the_api_nor_other_tools() -> None:
    """Through everything that looks names up, on a machine whose own name service hangs for some hosts."""

    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(running())
        server = await stack.enter_async_context(await asyncio.start_server(hello, "127.0.0.1", 0))
        service.known["fine.example"] = ["127.0.0.1"]
        port = server.sockets[0].getsockname()[1]
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(socket, "getaddrinfo", service.look_up)
        api = NameResolver(threads=2, look_up=service.look_up)
        of_tools = NameResolver(threads=16, look_up=service.look_up)
        connector = GuardedConnector(Egress(allow=("*.example",)), of_tools)
        tools = await stack.enter_async_context(ToolClient(connector))
        dead = [
            asyncio.create_task(
                tools.send(HttpRequest(method="GET", url=f"http://dead{n % 8}.example:{port}/", timeout_s=1))
            )
            for n in range(80)
        ]
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S), no_lag():
            fine = await tools.send(HttpRequest(method="GET", url=f"http://fine.example:{port}/"))
            (await api.open(asyncio.Protocol, "fine.example", port, tls=None))[0].close()
        assert fine.status == 200
        replies = await asyncio.gather(*dead)
    assert {reply.failure for reply in replies} == {Failure.TIMEOUT}


async def test_an_address_that_refuses_is_passed_over(held_port: int) -> None:
    def both(host: str, port: int, **_: object) -> list[object]:
        tcp = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*tcp, (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

    names = NameResolver(threads=1, look_up=both)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", held_port):
        connection, _ = await names.open(asyncio.Protocol, "api.example", held_port, tls=None)
        assert connection.get_extra_info("peername") == ("127.0.0.1", held_port)
        connection.close()
    with pytest.raises(OSError, match=r"111|Connect"):
        await names.open(asyncio.Protocol, "api.example", held_port, tls=None)
