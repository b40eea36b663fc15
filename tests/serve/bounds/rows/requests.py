"""What strangers send to the port of the webhooks."""

import asyncio
import json
import signal
import time

from runner.serve.app import MOST_BODY_BYTES
from runner.serve.listener import MAX_HEADER_BYTES, MAX_HEADERS
from runner.standin.webhook import signed
from tests.patience import PATIENCE_S
from tests.serve.bounds.configuration import NOBODY
from tests.serve.bounds.lowered import LOWERED
from tests.serve.bounds.metered import STANDSTILL_S
from tests.serve.bounds.service import MOST_BLOCKED_S, SECRET, Service
from tests.serve.bounds.table import beyond, waits_beyond

POST = b"POST /webhooks/openai HTTP/1.1\r\nHost: a\r\n"


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the runner closes the connection."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@waits_beyond("serve.timeouts.head_s")
async def headers_that_do_not_end(service: Service) -> None:
    before = await service.metric('phone_agents_http_connections_closed_total{reason="head_timeout"}')
    sockets = [await service.connect(POST + b"Content-Le") for _ in range(20)]
    await service.neighbour.is_served()
    for reader, _ in sockets:
        assert await rest(reader) == b""
    closed = 'phone_agents_http_connections_closed_total{reason="head_timeout"}'
    await service.counted(closed, before + 20)


@waits_beyond("serve.timeouts.body_s")
async def a_body_that_does_not_come(service: Service) -> None:
    reader, _ = await service.connect(POST + b"Content-Length: 100\r\n\r\n{")
    answer = await rest(reader)

    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.endswith(b"\r\n\r\nthe body took too long to arrive\n")


@waits_beyond("serve.timeouts.idle_s")
async def a_connection_that_asks_no_more(service: Service) -> None:
    reader, _ = await service.connect(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await rest(reader)).endswith(b"\r\n\r\nalive\n")


@beyond("serve.app.MOST_BODY_BYTES", "serve.listener.LINGER_S")
async def a_body_that_is_too_large(service: Service) -> None:
    webhook = service.webhook("rtc_large", more=(("X-Large", "x" * MOST_BODY_BYTES),))
    assert await service.post(webhook) == (413, "the body is too large\n")
    gave_up = 'phone_agents_http_connections_closed_total{reason="idle"}'
    before = await service.metric(gave_up)
    head = POST + b"Content-Length: 1000000000\r\n\r\n"
    reader, _ = await service.connect(head, b"x" * (MOST_BODY_BYTES + 1))
    answer = await rest(reader)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert await service.metric(gave_up) == before
    reader, _ = await service.connect(head)
    assert (await rest(reader)).startswith(b"HTTP/1.1 413 "), "although nothing comes"


@beyond("serve.listener.MAX_HEADERS", "serve.listener.MAX_HEADER_BYTES")
async def headers_that_are_too_many_or_too_long(service: Service) -> None:
    for headers, sentence in (
        (b"X-Many: 1\r\n" * (MAX_HEADERS + 1), b"this is not a valid HTTP request"),
        (
            b"X-Long: " + b"x" * (MAX_HEADER_BYTES + 1) + b"\r\n",
            b"a header or the address is longer than 4,096 bytes",
        ),
    ):
        reader, _ = await service.connect(POST + headers + b"\r\n")
        answer = await rest(reader)

        assert answer.startswith(b"HTTP/1.0 400 Bad Request\r\n"), answer
        assert answer.endswith(b"\r\n\r\n" + sentence + b"\n")


@beyond()
async def many_requests_at_once_on_one_connection(service: Service) -> None:
    get = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    reader, _ = await service.connect(get * 20, port=service.admin_port)
    for _ in range(20):
        await reader.readuntil(b"HTTP/1.1 200 OK\r\n")


@beyond()
async def headers_of_very_many_entries(service: Service) -> None:
    for name in ("Remote-Party-ID", "P-Asserted-Identity", "Diversion", "History-Info"):
        call = service.api.place_call()
        webhook = service.webhook(call.id, NOBODY, more=((name, "a," * 4_000),) * 30)
        assert await service.post(webhook) == (200, "the call was rejected\n")


@beyond("api.webhook.TOLERANCE_S")
async def a_webhook_that_is_sent_again_later(service: Service) -> None:
    body = json.dumps({"object": "event"}).encode()
    old = signed(body, secret=SECRET, now=time.time() - 301, webhook_id="wh_old")
    assert await service.post(old) == (400, "this is not a valid webhook\n")
    reason = "webhook-timestamp is more than 300 seconds from now"
    await service.logged("webhook was refused", reason=reason)


@beyond("serve.once_by_id.MOST_REMEMBERED")
async def a_webhook_that_is_forgotten(service: Service) -> None:
    first, _ = await service.ring(to=NOBODY)
    assert await service.announce(first, NOBODY) == 200
    assert [request.action for request in first.requests] == ["reject"]
    for _ in range(LOWERED["serve.once_by_id.MOST_REMEMBERED"] // 2):
        await service.ring(to=NOBODY)
    assert await service.announce(first, NOBODY) == 200
    assert [request.action for request in first.requests] == ["reject", "reject"]


@beyond("serve.loop_lag.STALLED_S")
async def a_loop_that_stands_still(service: Service) -> None:
    """The one row in which the loop is held up, on purpose."""

    def is_stalled() -> bool:
        stalls = [line["lag_s"] for line in service.log if line["event"] == "event loop stalled"]
        return any(lag_s > STANDSTILL_S / 2 for lag_s in stalls)

    async with asyncio.timeout(PATIENCE_S):
        # On a busy machine others may have kept the thread from its turn as well, which is not its fault.
        while (await service.holds())["blocked_s"] <= MOST_BLOCKED_S:
            service.process.send_signal(signal.SIGUSR1)
            await service.until(is_stalled)
            await service.neighbour.is_served()
