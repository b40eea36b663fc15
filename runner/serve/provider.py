"""The voice API's REST side: accept, reject, refer, hang up, and where the sideband is.

The only place that knows the base URL and the key. It decides nothing about a call.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import assert_never
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from runner.api.port import Order
from runner.api.realtime import accept_body
from runner.errors import ProviderError
from runner.model.action import AnswerCall, HangUp, Refer, RejectCall
from runner.model.event import (
    AnswerReplied,
    CallEvent,
    CallGone,
    Decided,
    HangUpFailed,
    ReferAnswered,
    RejectReplied,
)
from runner.model.http import Failure, HttpReply
from runner.model.values import Json, JsonObject
from runner.serve.timeouts import Timeouts

log = logging.getLogger("runner.serve.provider")

LONGEST_WAIT_S = 1.0
"""Between two tries."""
MOST_UNSETTLED = 1000
"""How many calls are remembered for which the answer to a request was lost."""


class Answer(Enum):
    """What the API says to a decision about a ringing call."""

    DONE = "done"
    GONE = "gone"
    """The caller has hung up (404)."""
    TAKEN = "taken"
    """Somebody else has decided first (`decision_already_made`)."""


_DECIDED = {Answer.DONE: Decided.DONE, Answer.GONE: Decided.GONE, Answer.TAKEN: Decided.TAKEN}


def _failed(order: Order, error: ProviderError) -> CallEvent:
    retryable = is_retryable(error.status)
    decided = Decided.UNAVAILABLE if retryable else Decided.REFUSED
    match order:
        case AnswerCall():
            return AnswerReplied(decided=decided, detail=str(error))
        case RejectCall():
            return RejectReplied(decided=decided, detail=str(error))
        case Refer():
            return ReferAnswered(ok=False, detail=str(error))
        case HangUp():
            return HangUpFailed(detail=str(error), final=not retryable)
        case _:
            assert_never(order)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    status: int
    code: str
    """The API's own name for the error, empty on success."""
    detail: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Provider:
    """A client over one shared aiohttp session. Every method raises `ProviderError` when it gives up.

    Accept, reject and hang-up are tried again on a connection error, a timeout, 408, 429 and 5xx until their
    deadline, because doing them twice does no harm. Refer is sent once: a second one could transfer twice.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        api_key: Callable[[], str],
        timeouts: Timeouts | None = None,
    ) -> None:
        """`api_key` is asked for every request: a key may be rotated while the process lives."""
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._timeouts = timeouts or Timeouts()
        self._unsettled: dict[str, None] = {}

    def headers(self) -> dict[str, str]:
        """The headers that prove who we are, for HTTP and for the sideband."""
        return authentication(self._base_url, self._api_key())

    def sideband_url(self, call_id: str) -> str:
        """Where the sideband of a call is attached. No `model` beside `call_id`: the API refuses it."""
        scheme, _, rest = self._base_url.partition("://")
        secure = "s" if scheme.lower() == "https" else ""
        return f"ws{secure}://{rest}/realtime?call_id={quote(call_id, safe='')}"

    async def carry_out(self, order: Order, call_id: str) -> CallEvent:
        """Carry out an order, trying again where that may help: what the API said to it. Never raises."""
        try:
            match order:
                case AnswerCall(agent=agent, instructions=instructions, servers=servers):
                    body = accept_body(agent, instructions, servers)
                    return AnswerReplied(decided=_DECIDED[await self.accept(call_id, body)])
                case RejectCall(status=status):
                    return RejectReplied(decided=_DECIDED[await self.reject(call_id, status)])
                case Refer(target=target):
                    await self.refer(call_id, target)
                    return ReferAnswered(ok=True)
                case HangUp():
                    await self.hangup(call_id)
                    return CallGone()
                case _:
                    assert_never(order)
        except ProviderError as error:
            return _failed(order, error)

    async def accept(self, call_id: str, body: JsonObject) -> Answer:
        """Answer a ringing call with this session object."""
        return await self._decide(call_id, "accept", body)

    async def reject(self, call_id: str, status: int) -> Answer:
        """Turn a ringing call away with this SIP status."""
        return await self._decide(call_id, "reject", {"status_code": status})

    async def refer(self, call_id: str, target: str) -> None:
        """Ask for a transfer to a `tel:` or `sip:` address. Success proves nothing about the transfer."""
        try:
            reply = await self._post(call_id, "refer", {"target_uri": target}, self._timeouts.refer_s)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable("refer", call_id, error) from error
        if not reply.ok:
            raise _refused("refer", call_id, reply)

    async def hangup(self, call_id: str) -> None:
        """End the call. That it is over already (404) is success."""
        reply = await self._insist(call_id, "hangup", None, self._timeouts.hangup_s)
        if not reply.ok and reply.status != 404:
            raise _refused("hangup", call_id, reply)

    async def respond(self, body: JsonObject) -> HttpReply:
        """Ask a text model (`POST /responses`), once. Raises nothing but CancelledError."""
        try:
            async with self._session.post(
                URL(f"{self._base_url}/responses", encoded=True),
                json=body,
                headers=self.headers(),
                timeout=aiohttp.ClientTimeout(total=self._timeouts.question_s),
                allow_redirects=False,
            ) as response:
                return HttpReply(status=response.status, body=await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return HttpReply(failure=Failure.CONNECTION, detail=f"no answer ({type(error).__name__})")

    async def _decide(self, call_id: str, action: str, body: JsonObject) -> Answer:
        reply = await self._insist(call_id, action, body, self._timeouts.decision_s)
        if reply.ok:
            return Answer.DONE
        if reply.status == 404:
            return Answer.GONE
        if reply.code == "decision_already_made":
            # After a request of ours whose answer was lost the decision is most likely our own; to leave
            # it would put the caller through to an agent that nobody serves.
            return Answer.DONE if call_id in self._unsettled else Answer.TAKEN
        raise _refused(action, call_id, reply)

    async def _insist(self, call_id: str, action: str, body: JsonObject | None, within_s: float) -> _Reply:
        """Post until there is an answer that asking again would not change."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + within_s
        wait_s = self._timeouts.retry_s
        while True:
            # Never zero, which aiohttp takes for no deadline at all.
            timeout_s = max(min(self._timeouts.attempt_s, deadline - clock()), self._timeouts.retry_s)
            try:
                reply = await self._post(call_id, action, body, timeout_s)
                if not is_retryable(reply.status):
                    return reply
                failure = _refused(action, call_id, reply)
                self._note_unsettled(call_id)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failure = _unreachable(action, call_id, error)
                if not isinstance(error, aiohttp.ClientConnectorError):  # that one was never sent
                    self._note_unsettled(call_id)
            if clock() + wait_s >= deadline:
                raise failure
            log.warning("api attempt failed", extra={"call_id": call_id, "error": str(failure)})
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _note_unsettled(self, call_id: str) -> None:
        self._unsettled[call_id] = None
        if len(self._unsettled) > MOST_UNSETTLED:
            del self._unsettled[next(iter(self._unsettled))]

    async def _post(self, call_id: str, action: str, body: JsonObject | None, timeout_s: float) -> _Reply:
        url = URL(f"{self._base_url}/realtime/calls/{quote(call_id, safe='')}/{action}", encoded=True)
        async with self._session.post(
            url,
            json=body,
            headers=self.headers(),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            # A redirect would carry the key to wherever it points.
            allow_redirects=False,
        ) as response:
            return _read(response.status, await response.read())


def is_retryable(status: int | None) -> bool:
    """Whether asking again could help: nobody answered, the server has trouble, or it is too busy."""
    return status is None or status >= 500 or status in (408, 429)


def authentication(base_url: str, api_key: str) -> dict[str, str]:
    """Azure's resources want the key in `api-key`; everybody else speaks `Authorization: Bearer`."""
    host = urlsplit(base_url).hostname or ""
    if host.endswith(".openai.azure.com"):
        return {"api-key": api_key}
    return {"Authorization": f"Bearer {api_key}"}


def _read(status: int, content: bytes) -> _Reply:
    """A status with the API's `{"error": {"code", "message"}}`, where there is one."""
    if 200 <= status < 300:
        return _Reply(status=status, code="", detail="")
    error: Json = None
    try:
        body = json.loads(content)
        error = body.get("error") if isinstance(body, dict) else None
    except (ValueError, RecursionError):
        pass  # A proxy's error page: its status says enough.
    if not isinstance(error, Mapping):
        return _Reply(status=status, code="", detail="")
    code = error.get("code") or error.get("type")
    code = code if isinstance(code, str) else ""
    message = error.get("message")
    # With 401 and 403 the message repeats part of the key.
    told = isinstance(message, str) and status not in (401, 403)
    detail = " ".join(str(message).split())[:200] if told else ""
    return _Reply(status=status, code=code, detail=detail)


def _refused(action: str, call_id: str, reply: _Reply) -> ProviderError:
    said = ": ".join(part for part in (reply.code, reply.detail) if part)
    message = f'{action} of call "{call_id}" was answered {reply.status}'
    return ProviderError(f"{message} ({said})" if said else message, status=reply.status)


def _unreachable(action: str, call_id: str, error: Exception) -> ProviderError:
    reason = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    return ProviderError(f'{action} of call "{call_id}" did not reach the voice API ({reason})')
