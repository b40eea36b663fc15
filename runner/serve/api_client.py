"""Sends requests to the voice API, with the key, and retries them while that may help.

Knows no API: the port says which request carries out an order, and what a reply means.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from itertools import count
from math import inf
from typing import assert_never

import aiohttp
from websockets.uri import WebSocketURI

from runner.api.port import ORDER_NAMES, Authentication, Order, TextModelApi, VoiceApi
from runner.model.action import AnswerCall, HangUp, Refer, RejectCall
from runner.model.event import CallEvent
from runner.model.http import Failure, HttpReply, HttpRequest
from runner.model.question import Answer, Question
from runner.serve.api_connection import CutReplyError, NotHttpError
from runner.serve.api_connections import ApiConnections, NotConnectedError
from runner.serve.jitter import jittered
from runner.serve.metrics import Metrics
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.api_client")

LONGEST_WAIT_S = 1.0
"""Between two tries."""
REFUSED = (
    "the voice API refuses our key ({status}); provider.api_key has to be a valid key of the project whose"
    " webhooks arrive here, with access to Realtime"
)
REFUSED_S = 60.0
"""How long a refused key counts as refused without further replies."""
MOST_UNSETTLED = 1000
"""Calls that are remembered because a request about them got no reply."""


class ApiClient:
    """A client of one voice API and its text model, over the connections to it."""

    def __init__(
        self,
        connections: ApiConnections,
        *,
        api: VoiceApi,
        text_model: TextModelApi,
        api_key: Callable[[], str],
        authentication: Authentication | None = None,
        timeouts: Timeouts | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`api_key` is called for every request: a key may rotate while the process lives."""
        self._connections = connections
        self.api = api
        """The port."""
        self._text_model = text_model
        self._api_key = api_key
        self._authentication = authentication or Authentication()
        self._timeouts = timeouts or Timeouts()
        self._metrics = metrics or Metrics()
        self._refused: tuple[str, int, float] | None = None
        """The key that the API refused last, with the status and the time."""
        self._unsettled: dict[str, None] = {}

    @property
    def obstacle(self) -> str | None:
        """What the operator must do about our key, while the API refuses it.

        The key is tried again when it has changed, or after a while: the refusal may have been lifted where
        we cannot see it.
        """
        if self._refused is None:
            return None
        key, status, at = self._refused
        is_over = asyncio.get_running_loop().time() - at > REFUSED_S
        return None if is_over or key != self._api_key() else REFUSED.format(status=status)

    async def carry_out(self, order: Order, call_id: str) -> CallEvent:
        """Carry out an order about a call, and return the API's final answer. Raises only CancelledError.

        A request that may be repeated is sent until its reply is final, or its time (`Timeouts`) is over.
        """
        request = self.api.request(order, call_id)
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._longest_s(order)
        for attempt in count(1):
            reply = await self._send(request, deadline - clock())
            self._note(order, reply, call_id)
            if not self.api.is_retryable(order, reply):
                break
            if reply.was_sent:
                self.may_have_decided(call_id)
            wait_s = min(self._timeouts.retry_s * 2 ** (attempt - 1), LONGEST_WAIT_S)
            wait_s = jittered(wait_s, call_id, attempt)
            if clock() + wait_s >= deadline - self._timeouts.retry_s:  # too late for another try
                break
            log.warning(
                "api request failed",
                extra={
                    "call_id": call_id,
                    "order": ORDER_NAMES[type(order)],
                    "attempt": attempt,
                    "status": reply.status,
                    "detail": self.api.complaint(order, reply),
                },
            )
            await asyncio.sleep(wait_s)
        return self.api.answered(order, reply, unsettled=call_id in self._unsettled)

    async def ask(self, question: Question) -> Answer:
        """Ask the text model, once. Raises only CancelledError."""
        reply = await self._send(self._text_model.request(question), self._timeouts.question_s)
        return self._text_model.answer(question, reply)

    async def send(self, request: HttpRequest) -> HttpReply:
        """Send a request that concerns no call yet, once. Raises only CancelledError."""
        return await self._send(request, self._timeouts.decision_s)

    def sideband(self, path: str) -> tuple[WebSocketURI, Mapping[str, str]]:
        """The address of a WebSocket at this path of the API, and the headers that authenticate us."""
        return self._connections.socket_uri(path), self._authentication.headers(self._api_key())

    def _longest_s(self, order: Order) -> float:
        match order:
            case AnswerCall() | RejectCall():
                return self._timeouts.decision_s
            case Refer():
                return inf  # It is tried once, and the port bounds that try.
            case HangUp():
                return self._timeouts.hangup_s
            case _:
                assert_never(order)

    def may_have_decided(self, call_id: str) -> None:
        """The API may have decided about this call already, for a previous process or an earlier request."""
        self._unsettled[call_id] = None
        if len(self._unsettled) > MOST_UNSETTLED:
            del self._unsettled[next(iter(self._unsettled))]

    def _note(self, order: Order, reply: HttpReply, call_id: str) -> None:
        """Count the reply, and note what it says about our key."""
        result = reply.failure.value if reply.failure is not None else str(reply.status)
        self._metrics.api_requests.labels(order=ORDER_NAMES[type(order)], result=result).inc()
        if reply.status is not None and self.api.refuses_key(order, reply):
            self._refused = self._api_key(), reply.status, asyncio.get_running_loop().time()
            detail = REFUSED.format(status=reply.status)
            log.error("api key refused", extra={"call_id": call_id, "detail": detail})
        elif reply.status is not None and reply.status < 500 and reply.status not in (401, 403):
            self._refused = None

    async def _send(self, request: HttpRequest, longest_s: float) -> HttpReply:
        timeout_s = max(min(request.timeout_s, longest_s), self._timeouts.retry_s)
        headers = (*request.headers, *self._authentication.headers(self._api_key()).items())
        try:
            async with asyncio.timeout(timeout_s):
                return await self._connections.send(
                    request.method, request.url, headers, request.body, is_sent_once=request.is_sent_once
                )
        except NotConnectedError as error:
            return HttpReply(failure=Failure.CONNECTION, detail=str(error), was_sent=False)
        except ValueError as error:  # e.g. a key that no header can hold
            return HttpReply(failure=Failure.CONNECTION, detail=type(error).__name__, was_sent=False)
        except CutReplyError as error:
            return HttpReply(status=error.status, failure=error.failure, detail=error.detail)
        except TimeoutError:
            return HttpReply(failure=Failure.TIMEOUT, detail="no reply in time")
        except NotHttpError:
            return HttpReply(failure=Failure.CONNECTION, detail="the reply is not HTTP")
        except (aiohttp.ClientError, OSError) as error:
            detail = str(error) or type(error).__name__
            return HttpReply(failure=Failure.CONNECTION, detail=detail)
