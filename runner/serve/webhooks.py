"""`POST /webhooks/openai`: verifies, has each event carried out once, and tells the sender how it went.

What a sender learns is one sentence; the reasons are in the log. No route and no agent is known here.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiohttp import web

from runner.call.reception.webhook import WebhookEvent, verify
from runner.errors import WebhookRejectedError
from runner.model.values import Instant
from runner.serve.metrics import Metrics
from runner.serve.once_by_id import OnceById
from runner.serve.result import WebhookResult
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.webhooks")

_SENTENCES = {
    WebhookResult.ACCEPTED: "the call was accepted",
    WebhookResult.REJECTED: "the call was rejected",
    WebhookResult.BUSY: "the call was rejected: all agents for it are busy",
    WebhookResult.GONE: "the caller has gone",
    WebhookResult.TAKEN: "the call is answered elsewhere",
    WebhookResult.LATE: "the call is too old to be answered",
    WebhookResult.OTHER_EVENT: "nothing is done about events of this type",
    WebhookResult.FAILED: "the call cannot be answered",
    WebhookResult.UNAVAILABLE: "the call could not be answered now",
    WebhookResult.CLOSED: "no calls are taken now",
}


class Webhooks:
    """The endpoint that the voice API posts to."""

    def __init__(
        self,
        *,
        secrets: Callable[[], Sequence[str]],
        answer: Callable[[WebhookEvent], Coroutine[Any, Any, WebhookResult]],
        metrics: Metrics,
        timeouts: Timeouts,
        clock: Callable[[], Instant] = time.time,
    ) -> None:
        """`secrets` is asked for every webhook: one may be rotated while the process lives."""
        self._secrets = secrets
        self._answer = answer
        self._metrics = metrics
        self._timeouts = timeouts
        self._clock = clock
        self._deliveries: OnceById[WebhookResult] = OnceById(lambda result: result.is_final)

    async def handle(self, request: web.Request) -> web.Response:
        """2xx when the event has been dealt with, 503 when another delivery could help, else 4xx."""
        try:
            async with asyncio.timeout(self._timeouts.body_s):
                body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._refuse(413, "too_large", "the body is too large")
        except (web.RequestPayloadError, ConnectionResetError):
            return self._refuse(400, "refused", "the body cannot be read")
        except TimeoutError:
            return self._refuse(408, "too_slow", "the body took too long to arrive")
        try:
            event = verify(body, request.headers, self._secrets(), self._clock())
        except WebhookRejectedError as error:
            log.warning("webhook was refused", extra={"reason": str(error), "bytes": len(body)})
            return self._refuse(400, "refused", "this is not a webhook that can be acted on")
        return await self._carry_out(event)

    async def settle(self) -> None:
        """Wait until every event that has arrived is dealt with."""
        await self._deliveries.settle()

    async def _carry_out(self, event: WebhookEvent) -> web.Response:
        # The same call can be announced by two events, and the same event arrive twice.
        ids = [f"webhook {event.webhook_id}"]
        if event.call_id is not None:
            ids.append(f"call {event.call_id}")
        try:
            result, repeated = await self._deliveries.once(ids, lambda: self._answer(event))
        except Exception:
            log.exception("webhook has failed", extra={"call_id": event.call_id})
            return self._refuse(503, "error", _SENTENCES[WebhookResult.UNAVAILABLE])
        if repeated:
            log.info("webhook was delivered again", extra={"call_id": event.call_id, "result": result.value})
        self._metrics.webhooks.labels(result="duplicate" if repeated else result.value).inc()
        return web.Response(status=200 if result.is_final else 503, text=_SENTENCES[result] + "\n")

    def _refuse(self, status: int, result: str, sentence: str) -> web.Response:
        self._metrics.webhooks.labels(result=result).inc()
        return web.Response(status=status, text=sentence + "\n")
