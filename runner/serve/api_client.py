"""Sends what the port makes to the voice API, with the key, and insists while that may help.

Knows no API: which request carries out an order, and what a reply means, is the port's.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from itertools import count
from typing import assert_never

import aiohttp
from yarl import URL

from runner.api.port import Authentication, Order, TextModel, VoiceApi
from runner.model.action import AnswerCall, HangUp, Refer, RejectCall
from runner.model.event import CallEvent
from runner.model.http import Failure, HttpReply, HttpRequest
from runner.model.question import Answer, Question
from runner.serve.jitter import jittered
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.api_client")

LONGEST_WAIT_S = 1.0
"""Between two tries."""
MOST_UNSETTLED = 1000
"""How many calls are remembered for which the reply to a request was lost."""


class ApiClient:
    """A client of one voice API and its text model, over one shared aiohttp session."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        api: VoiceApi,
        text_model: TextModel,
        base_url: str,
        api_key: Callable[[], str],
        authentication: Authentication | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """`api_key` is asked for every request: a key may be rotated while the process lives."""
        self._session = session
        self.api = api
        """The port."""
        self._text_model = text_model
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._authentication = authentication or Authentication()
        self._timeouts = timeouts or Timeouts()
        self._unsettled: dict[str, None] = {}

    async def carry_out(self, order: Order, call_id: str) -> CallEvent:
        """Do what is ordered about a call; what the API said to it in the end. Raises only CancelledError.

        A request whose second sending can do no harm is sent until there is a reply that sending it again
        would not change, or its time (`Timeouts`) is over.
        """
        request = self.api.request(order, call_id)
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._longest_s(order)
        for attempt in count(1):
            reply, was_sent = await self._send(request, deadline - clock())
            if not self.api.is_retryable(order, reply):
                break
            if was_sent:
                self._note_unsettled(call_id)
            wait_s = min(self._timeouts.retry_s * 2 ** (attempt - 1), LONGEST_WAIT_S)
            wait_s = jittered(wait_s, call_id, attempt)
            if clock() + wait_s >= deadline:
                break
            log.warning(
                "api request failed",
                extra={
                    "call_id": call_id,
                    "order": type(order).__name__,
                    "attempt": attempt,
                    "status": reply.status,
                    "detail": reply.detail,
                },
            )
            await asyncio.sleep(wait_s)
        return self.api.answered(order, reply, unsettled=call_id in self._unsettled)

    async def ask(self, question: Question) -> Answer:
        """Ask the text model, once. Raises only CancelledError."""
        reply, _ = await self._send(self._text_model.request(question), self._timeouts.question_s)
        return self._text_model.answer(question, reply)

    def sideband(self, path: str) -> tuple[str, Mapping[str, str]]:
        """The WebSocket address of a path of the API, and the headers that prove who we are."""
        scheme, _, rest = self._base_url.partition("://")
        secure = "s" if scheme.lower() == "https" else ""
        return f"ws{secure}://{rest}{path}", self._authentication.headers(self._api_key())

    def _longest_s(self, order: Order) -> float:
        match order:
            case AnswerCall() | RejectCall():
                return self._timeouts.decision_s
            case Refer():
                return self._timeouts.refer_s
            case HangUp():
                return self._timeouts.hangup_s
            case _:
                assert_never(order)

    def may_have_decided(self, call_id: str) -> None:
        """Somebody before us may have answered or rejected this call for us."""
        self._note_unsettled(call_id)

    def _note_unsettled(self, call_id: str) -> None:
        self._unsettled[call_id] = None
        if len(self._unsettled) > MOST_UNSETTLED:
            del self._unsettled[next(iter(self._unsettled))]

    async def _send(self, request: HttpRequest, longest_s: float) -> tuple[HttpReply, bool]:
        """The reply to one attempt, and whether the API can have seen the request."""
        # Never zero, which aiohttp takes for no deadline at all.
        timeout_s = max(min(request.timeout_s, longest_s), self._timeouts.retry_s)
        try:
            async with self._session.request(
                request.method,
                URL(self._base_url + request.url, encoded=True),
                data=request.body,
                headers={**dict(request.headers), **self._authentication.headers(self._api_key())},
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                # A redirect would carry the key to wherever it points.
                allow_redirects=False,
            ) as response:
                body = await response.read()
                return HttpReply(status=response.status, body=body, content_type=response.content_type), True
        except aiohttp.ClientConnectorError as error:
            return HttpReply(failure=Failure.CONNECTION, detail=str(error)), False
        except ValueError as error:  # e.g. a key that no header can hold
            return HttpReply(failure=Failure.CONNECTION, detail=type(error).__name__), False
        except TimeoutError:
            return HttpReply(failure=Failure.TIMEOUT, detail="no reply in time"), True
        except (aiohttp.ClientError, OSError) as error:
            detail = str(error) or type(error).__name__
            return HttpReply(failure=Failure.CONNECTION, detail=detail), True
