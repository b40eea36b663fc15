"""`POST /webhooks/openai`: verifies webhooks, has each ringing call answered once, and replies to the sender.

The sender learns one sentence; the reasons are in the log. Knows no route, no agent and no API.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from runner.api.port import VoiceApi
from runner.api.webhook import verify
from runner.errors import WebhookRejectedError
from runner.model.call import Ringing
from runner.model.reception import RingResult
from runner.model.values import Instant
from runner.serve.app import MOST_BODY_BYTES
from runner.serve.listener import refuse_long_body
from runner.serve.metrics import Metrics
from runner.serve.once_by_id import OnceById
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.webhooks")

IGNORED = "events of this type are ignored"
"""The reply to an event that announces no call; `doctor` recognises a runner by it."""

_SENTENCES = {
    RingResult.ACCEPTED: "the call was accepted",
    RingResult.REJECTED: "the call was rejected",
    RingResult.BUSY: "the call was rejected: all agents for it are busy",
    RingResult.GONE: "the caller has gone",
    RingResult.TAKEN: "the call is answered elsewhere",
    RingResult.LATE: "the call is too old to be answered",
    RingResult.FAILED: "the call cannot be answered",
    RingResult.UNAVAILABLE: "the call could not be answered now",
    RingResult.CLOSED: "no calls are accepted now",
}


class Webhooks:
    """The endpoint that the voice API posts to."""

    def __init__(
        self,
        *,
        api: VoiceApi,
        secrets: Callable[[], Sequence[str]],
        answer: Callable[[Ringing], Coroutine[Any, Any, RingResult]],
        metrics: Metrics,
        timeouts: Timeouts,
        clock: Callable[[], Instant] = time.time,
    ) -> None:
        """`secrets` is called for every webhook: a secret may rotate while the process lives."""
        self._api = api
        self._secrets = secrets
        self._answer = answer
        self._metrics = metrics
        self._timeouts = timeouts
        self._clock = clock
        self._deliveries: OnceById[RingResult] = OnceById(lambda result: result.is_final)

    async def handle(self, request: web.Request) -> web.Response:
        """2xx when the event has been handled, 503 when another delivery could help, else 4xx."""
        try:
            refuse_long_body(request, MOST_BODY_BYTES)
            if request.content.is_eof():  # it came with the head, as it nearly always does
                body = await request.read()
            else:
                async with asyncio.timeout(self._timeouts.body_s):
                    body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._reply(413, "too_large", "the body is too large")
        except (web.RequestPayloadError, ConnectionResetError):
            return self._reply(400, "refused", "the body cannot be read")
        except TimeoutError:
            return self._reply(408, "too_slow", "the body took too long to arrive")
        try:
            now = self._clock()
            event = verify(body, request.headers, self._secrets(), now)
            ringing = self._api.ringing(event)
        except WebhookRejectedError as error:
            log.warning("webhook was refused", extra={"reason": str(error), "bytes": len(body)})
            return self._reply(400, "refused", "this is not a valid webhook")
        if ringing is None:
            if self._api.is_warning(event):
                log.warning("voice api sent a notice", extra={"type": event.type})
            else:
                log.info("webhook was ignored", extra={"type": event.type})
            return self._reply(200, "other_event", IGNORED)
        if ringing.created_at <= now < ringing.created_at + 1.0:
            # The API names the whole second, in which the call may have begun to ring at any time.
            ringing = replace(ringing, created_at=now)
        return await self._answer_once(event.webhook_id, ringing)

    async def settle(self) -> None:
        """Wait until every event that has arrived is handled."""
        await self._deliveries.settle()

    async def _answer_once(self, webhook_id: str, ringing: Ringing) -> web.Response:
        # Two events can announce the same call, and the same event can arrive twice.
        ids = (f"webhook {webhook_id}", f"call {ringing.call_id}")
        try:
            result, repeated = await self._deliveries.once(ids, lambda: self._answer(ringing))
        except Exception:
            log.exception("webhook failed", extra={"call_id": ringing.call_id})
            return self._reply(503, "error", _SENTENCES[RingResult.UNAVAILABLE])
        if repeated:
            extra = {"call_id": ringing.call_id, "result": result.value}
            log.info("webhook was delivered again", extra=extra)
        status = 200 if result.is_final else 503
        return self._reply(status, "duplicate" if repeated else result.value, _SENTENCES[result])

    def _reply(self, status: int, result: str, sentence: str) -> web.Response:
        self._metrics.webhooks.labels(result=result).inc()
        return web.Response(status=status, text=sentence + "\n")
