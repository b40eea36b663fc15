"""The guard where it counts: on the address that is connected to."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from runner.model.http import Failure, HttpReply, HttpRequest
from runner.model.settings import Egress
from runner.serve.egress import AddressForbiddenError, GuardedConnector, GuardedResolver
from runner.serve.tool_client import ToolClient


class Names(AbstractResolver):
    """A name service that gives its answers in turn, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Servers on one port of 127.0.0.1 and of 127.0.0.2; each replies with its own address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        address = writer.get_extra_info("sockname")[0].encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\n" + address)
        writer.close()

    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", 0))
        port = first.sockets[0].getsockname()[1]
        await stack.enter_async_context(await asyncio.start_server(serve, "127.0.0.2", port))
        yield port


async def ask(url: str, egress: Egress, names: Names | None = None) -> HttpReply:
    async with ToolClient(GuardedConnector(egress, names)) as client:
        return await client.send(HttpRequest(method="GET", url=url))


async def test_a_name_at_a_loopback_address_is_refused(port: int) -> None:
    reply = await ask(f"http://crm.example:{port}/?token=hidden", Egress(), Names(["127.0.0.1"]))
    assert (reply.failure, reply.detail) == (
        Failure.FORBIDDEN,
        '"crm.example" is at 127.0.0.1, a loopback address; only hosts in egress.allow may be at one',
    )


async def test_localhost_is_refused_by_the_machines_own_resolver(port: int) -> None:
    reply = await ask(f"http://localhost:{port}/", Egress())
    assert reply.failure is Failure.FORBIDDEN


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:7f00:1%25lo]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "LOCALHOST",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
    ],
)
async def test_no_spelling_of_an_address_slips_through(host: str, port: int) -> None:
    reply = await ask(f"http://{host}:{port}/", Egress())
    assert reply.failure is Failure.FORBIDDEN


async def test_a_spelling_that_idna_folds_into_an_address_does_not_connect(port: int) -> None:
    for host in ("\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "\u2460\u2461\u2466.0.0.1"):
        reply = await ask(f"http://{host}:{port}/", Egress())
        assert reply.failure in {Failure.FORBIDDEN, Failure.CONNECTION}, host


async def test_a_listed_host_may_be_at_a_loopback_address(port: int) -> None:
    egress = Egress(allow=("*.MAPLE.example",))
    listed = await ask(f"http://crm.maple.example:{port}/", egress, Names(["127.0.0.1"]))
    other = await ask(f"http://crm.other.example:{port}/", egress, Names(["127.0.0.1"]))
    assert (listed.status, other.failure) == (200, Failure.FORBIDDEN)


async def test_private_networks_may_be_opened(port: int) -> None:
    reply = await ask(f"http://crm.example:{port}/", Egress(private_networks=True), Names(["127.0.0.1"]))
    assert reply.body == b"127.0.0.1"


async def test_what_was_checked_is_what_is_connected_to(port: int) -> None:
    """A name that changes its address after the check is asked once, and its first address is used."""
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    reply = await ask(f"http://crm.example:{port}/", Egress(allow=("crm.example",)), names)
    assert (reply.body, names.asked) == (b"127.0.0.2", 1)


async def test_a_name_is_checked_again_each_time_it_is_resolved() -> None:
    resolver = GuardedResolver(Egress(), Names(["93.184.216.34"], ["127.0.0.1"]))
    assert [found["host"] for found in await resolver.resolve("crm.example", 443)] == ["93.184.216.34"]
    with pytest.raises(AddressForbiddenError):
        await resolver.resolve("crm.example", 443)


async def test_of_several_addresses_only_the_public_ones_are_used() -> None:
    names = Names(["10.0.0.1", "93.184.216.34", "169.254.169.254", "2606:4700::1111", "::ffff:127.0.0.1"])
    found = await GuardedResolver(Egress(), names).resolve("crm.example", 443)
    assert [result["host"] for result in found] == ["93.184.216.34", "2606:4700::1111"]


async def test_a_name_that_does_not_exist_is_a_failed_connection() -> None:
    class NoNames(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            raise OSError(None, "name or service not known")

    reply = await ask("http://crm.example/?token=hidden", Egress(), NoNames([]))
    assert (reply.failure, reply.detail) == (Failure.CONNECTION, '"crm.example" cannot be resolved')


async def test_a_name_without_addresses_is_a_failed_connection() -> None:
    reply = await ask("http://crm.example/", Egress(), Names([]))
    assert (reply.failure, reply.detail) == (Failure.CONNECTION, '"crm.example" cannot be resolved')
