"""Everything to the API over TLS, as in life: with an authority of the tests' own."""

import asyncio
import ssl
from asyncio import sslproto
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from runner.serve.tls import MOST_HOSTS, RECORD_BYTES, VERIFIED_S, client_context, shrink_read_buffers
from runner.standin.script import CallerHangsUp, greets
from runner.standin.server import StandIn
from tests.certificates import Authority
from tests.serve.test_runner import started


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """What this process trusts."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


async def test_calls_are_served_over_tls_with_one_context_for_all(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    make = ssl.create_default_context

    def count() -> ssl.SSLContext:
        made.append(1)
        return make()

    async with StandIn(tls=authority.server()) as api:
        monkeypatch.setattr(ssl, "create_default_context", count)
        async with started(api, tmp_path) as lab:
            rung = [await lab.ring(greets(), CallerHangsUp()) for _ in range(5)]
            for call, status in rung:
                assert status == 200
                await api.until_over(call)
                assert call.violations == []
            await lab.runner.drain(asyncio.Event())
            assert {record["ended"] for record in lab.records().values()} == {"caller_hung_up"}
    assert api.base_url.startswith("https://")
    assert len(made) == 1


async def test_an_api_that_nobody_vouches_for_gets_no_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with StandIn(tls=Authority(tmp_path).server()) as api, started(api, tmp_path) as lab:
        call, status = await lab.ring(greets())
        assert (status, call.requests) == (503, [])
    (told,) = [vars(r)["detail"] for r in caplog.records if r.message == "call was not answered"]
    assert "certificate verify failed" in told


async def test_a_frame_of_many_records_is_read_whole(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", sslproto.SSLProtocol.max_size)
    shrink_read_buffers()
    assert sslproto.SSLProtocol.max_size == RECORD_BYTES
    long = "w" * 100_000
    async with StandIn(tls=authority.server()) as api, started(api, tmp_path) as lab:
        call, _ = await lab.ring(greets(long), CallerHangsUp())
        await api.until_over(call)
        await lab.runner.drain(asyncio.Event())
        (record,) = lab.records().values()
    assert [turn["text"].split() for turn in record["turns"]] == [long.split()]


class Handshakes:
    """Connections of one context to servers that have sent something, in memory."""

    def __init__(self) -> None:
        self.now = 0.0
        self.context = client_context(lambda: self.now)

    def resumes(
        self, server: ssl.SSLContext | Callable[[bytes], ssl.SSLContext], name: str = "localhost"
    ) -> bool:
        """Connect once, to a server that may depend on the client's first message; whether that resumed an
        earlier session. Raises SSLError."""
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.context.wrap_bio(to_client, to_server, server_hostname=name)
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        hello = to_server.read()
        to_server.write(hello)
        server = server if isinstance(server, ssl.SSLContext) else server(hello)
        served = server.wrap_bio(to_server, to_client, server_side=True)
        for side in (served, client, served):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
        served.write(b"hello")
        assert client.read(1024) == b"hello"
        return bool(client.session_reused)


def test_connections_to_a_host_resume_a_session_for_an_hour(authority: Authority) -> None:
    server, handshakes = authority.server(), Handshakes()
    assert [handshakes.resumes(server) for _ in range(3)] == [False, True, True]
    handshakes.now = VERIFIED_S - 1
    assert handshakes.resumes(server)
    handshakes.now = VERIFIED_S
    assert [handshakes.resumes(server) for _ in range(2)] == [False, True]


def test_a_session_belongs_to_the_name_that_was_verified(authority: Authority) -> None:
    server, handshakes = authority.server("api.example"), Handshakes()
    assert [handshakes.resumes(server) for _ in range(2)] == [False, True]
    assert [handshakes.resumes(server, "api.example") for _ in range(2)] == [False, True]
    with pytest.raises(ssl.SSLCertVerificationError):
        handshakes.resumes(server, "other.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshakes.resumes(server, "other.example")


def test_a_server_that_knows_no_session_gets_a_whole_handshake(authority: Authority) -> None:
    handshakes = Handshakes()
    assert [handshakes.resumes(authority.server()) for _ in range(3)] == [False, False, False]


def test_after_a_handshake_that_failed_with_a_session_comes_a_whole_one(authority: Authority) -> None:
    server, handshakes = authority.server(), Handshakes()
    assert [handshakes.resumes(server) for _ in range(2)] == [False, True]
    to_client = ssl.MemoryBIO()
    client = handshakes.context.wrap_bio(to_client, ssl.MemoryBIO(), server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    to_client.write(b"\x15\x03\x03\0\x02\x02\x33")  # the alert decrypt_error (RFC 8446, 6.2)
    with pytest.raises(ssl.SSLError, match="DECRYPT_ERROR"):
        client.do_handshake()
    assert [handshakes.resumes(server) for _ in range(2)] == [False, True]


def test_a_server_that_takes_each_session_once_is_offered_a_new_one_each_time(authority: Authority) -> None:
    server, used, handshakes = authority.server(), set[bytes](), Handshakes()

    def take_once(hello: bytes) -> ssl.SSLContext:
        nonlocal server
        ticket = _ticket(hello)
        if ticket in used:
            server = authority.server()  # which knows no earlier one
        used.add(ticket)
        return server

    assert [handshakes.resumes(take_once) for _ in range(6)] == [False, True, False, True, True, True]


def _ticket(hello: bytes) -> bytes:
    """What is offered in the extension `pre_shared_key`, which is the last one (RFC 8446, 4.2.11)."""
    for at in range(len(hello)):
        size = int.from_bytes(hello[at + 2 : at + 4], "big")
        if hello[at : at + 2] == b"\0\x29" and at + 4 + size == len(hello):
            return hello[at + 8 : at + 8 + int.from_bytes(hello[at + 6 : at + 8], "big")]
    return b""


def test_sessions_of_few_hosts_are_kept(authority: Authority) -> None:
    names = [f"{number}.example" for number in range(MOST_HOSTS)]
    server, handshakes = authority.server(*names), Handshakes()
    assert not handshakes.resumes(server)
    assert not any(handshakes.resumes(server, name) for name in names)
    assert handshakes.resumes(server, names[0])
    assert not handshakes.resumes(server)


def test_a_context_verifies_names_and_speaks_http_1() -> None:
    context = client_context()
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
