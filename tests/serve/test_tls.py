"""Everything to the API over TLS, as in life: with an authority of the tests' own."""

import asyncio
import ssl
from asyncio import sslproto
from pathlib import Path

import pytest

from runner.serve.tls import RECORD_BYTES, client_context, shrink_read_buffers
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


def test_a_context_verifies_names_and_speaks_http_1() -> None:
    context = client_context()
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
