"""The sockets of the stand-in for the voice API. `runner.standin.placed_call` decides what to send."""

import asyncio
import json
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from types import TracebackType
from typing import Any, Self

from aiohttp import WSMsgType, web

from runner.model.values import Json, JsonObject
from runner.standin import web_calls
from runner.standin.account import Account
from runner.standin.faults import FINE, Faults, HttpFault
from runner.standin.outgoing import CloseSideband, EndCall, Outgoing
from runner.standin.placed_call import PlacedCall, RestReply, RestRequest, State
from runner.standin.script import Step
from runner.standin.text_model import TextModel

ACTIONS = ("accept", "reject", "refer", "hangup")
API_KEY = "sk-simulated"
HEARTBEAT_S = 20.0
"""The API pings about so often."""
PATIENCE_S = 60.0
"""For what is waited for, unless something else is said."""

Inspect = Callable[[str, Any], "str | None"]
"""Inspects a message: a kind (`event`, a REST action or `responses`) and the JSON value, an empty object for
no body. Its result is noted as a violation.
"""


AnswerOffer = Callable[[PlacedCall, str], Awaitable[str]]
"""Answers the offer of a call's browser, and carries the call's sound from then on."""


class StandIn:
    """Serves the API's side on a loopback port of the system's choice, while the `async with` lasts.

    `pace` is real seconds for each second of the call: 0 plays as fast as the sockets carry it, 1 as slowly
    as people speak. `inspect_received` gets everything that the client sends, `inspect_sent` everything that
    it is sent; their complaints are noted as violations of the call. With `tls` it is served over TLS, as the
    API is.
    """

    def __init__(
        self,
        *,
        pace: float = 0.0,
        api_key: str = API_KEY,
        clock: Callable[[], float] = time.time,
        inspect_received: Inspect | None = None,
        inspect_sent: Inspect | None = None,
        tls: ssl.SSLContext | None = None,
        answer_offer: "AnswerOffer | None" = None,
    ) -> None:
        """`answer_offer` answers a browser's offer; without it nobody speaks to the browser."""
        self.calls: dict[str, PlacedCall] = {}
        self.violations: list[str] = []
        """Clients' mistakes outside of any call."""
        self.text_model = TextModel(violations=self.violations)
        self.text_faults: deque[HttpFault] = deque()
        """Faults for the next requests to the text model."""
        self.account = Account()
        self.api_key = api_key
        self.secrets: dict[str, JsonObject] = {}
        """The secrets for clients' own calls, each with its session."""
        self._answer_offer = answer_offer
        self._expected: deque[PlacedCall] = deque()
        self.base_url = ""
        """The API's URL, for `provider.base_url`."""
        self._pace = pace
        self._clock = clock
        self._inspect_received = inspect_received
        self._inspect_sent = inspect_sent
        self._tls = tls
        self._changed = asyncio.Event()
        self._wakes: dict[str, asyncio.Event] = {}
        self._sidebands: dict[str, _Sideband] = {}
        """The sideband of each call that was opened last."""
        self._older: dict[str, list[_Sideband]] = {}
        """Earlier sidebands that are still open: they hear what it hears."""
        self._channels: dict[str, Callable[[str], None]] = {}
        """Data channels of pages, each by what sends to it."""
        self._players: dict[str, asyncio.Task[None]] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/realtime/calls", self._create)
        app.router.add_post("/v1/realtime/calls/{call_id}/{action}", self._rest)
        app.router.add_get("/v1/realtime", self._sideband)
        app.router.add_post("/v1/responses", self._respond)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/realtime/client_secrets", self._client_secret)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http{'s' if self._tls else ''}://{host}:{port}/v1"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for player in self._players.values():
            player.cancel()
        results = await asyncio.gather(*self._players.values(), return_exceptions=True)
        for sideband in [*self._sidebands.values(), *chain.from_iterable(self._older.values())]:
            await sideband.end(1006)
        if self._runner is not None:
            await self._runner.cleanup()
        for result in results:
            if isinstance(result, Exception):
                raise result

    def place_call(self, *script: Step, faults: Faults = FINE, call_id: str | None = None) -> PlacedCall:
        """A new call rings. Send the webhook separately: see `runner.standin.webhook`."""
        number = str(len(self.calls) + 1)
        call = PlacedCall(call_id or f"rtc_simulated{number}", script, faults, short_id=number)
        self.calls[call.id] = call
        self._wakes[call.id] = asyncio.Event()
        return call

    def expect_offer(self, *script: Step, faults: Faults = FINE) -> PlacedCall:
        """The call that the next browser's offer creates; without one, its call has no script."""
        call = self.place_call(*script, faults=faults)
        self._expected.append(call)
        return call

    def wake(self, call: PlacedCall) -> None:
        """Let changes from outside, e.g. added steps, take effect."""
        self._wakes[call.id].set()

    def open_channel(self, call: PlacedCall, send: Callable[[str], None]) -> Callable[[str], None]:
        """A data channel of the call's page, which is `send` every event; the result takes the page's own.

        Its events count as those of the sideband: the API does not tell who changes a session.
        """
        self._channels[call.id] = send
        return lambda text: self._receive(call, text)

    async def until(self, holds: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
        """Wait until a condition over the calls holds.

        Raises: TimeoutError when it does not hold in time.
        """
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._raise_failures()
                self._changed.clear()
                await self._changed.wait()

    async def until_over(self, call: PlacedCall, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the call is over and its sideband is closed.

        Raises: TimeoutError when it is not over in time.
        """
        await self.until(lambda: call.is_over and call.id not in self._sidebands, timeout_s)

    def _raise_failures(self) -> None:
        """A bug of the stand-in must not look like a client that never comes."""
        for player in self._players.values():
            if player.done() and not player.cancelled():
                player.result()

    # REST.

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        call, action = self.calls.get(request.match_info["call_id"]), request.match_info["action"]
        if action not in ACTIONS:
            return _json(_error(404, "unknown_url", f"Unknown request URL: POST {request.path}."))
        refused = self._check_headers(request, call)
        if refused is not None:
            return _json(refused)
        if call is None:
            return _json(_error(404, "call_id_not_found", "No session found for this call_id."))
        fault = call.take_fault(action)
        body = await self._body(request, call)
        if fault is not None and fault.after_s:
            await asyncio.sleep(fault.after_s)
        reply = (
            None if fault is not None and not fault.carried_out else call.answer(action, body, self._clock())
        )
        if action == "accept" and reply is not None and reply.status == 200:
            self._start(call)
        response = _json(reply) if fault is None and reply is not None else _faulty(request, fault)
        call.requests.append(RestRequest(action, body, None if response is None else response.status))
        self._pulse(call)
        if response is None:
            raise ConnectionResetError
        return response

    def _start(self, call: PlacedCall) -> None:
        player = asyncio.create_task(self._play(call))
        player.add_done_callback(lambda _: self._changed.set())
        self._players[call.id] = player

    # Calls of browsers.

    async def _create(self, request: web.Request) -> web.StreamResponse:
        """Create a call from an offer: of the client's server, or of a page that has a secret for it."""
        raw = await request.read()
        session = self.secrets.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        made: web_calls.MadeCall | RestReply
        if session is not None:
            made = web_calls.MadeCall(sdp=raw.decode("utf-8", "replace"), session=session)
        else:
            refused = self._check_headers(request, None)
            if refused is not None:
                return _json(refused)
            made = web_calls.read_form(request.headers.get("Content-Type", ""), raw)
        call = self._expected.popleft() if self._expected else self.place_call()
        if isinstance(made, RestReply):
            call.note(f"create: {(made.body or {})['error']['message']}")
            return _json(made)
        for complaint in made.complaints:
            call.note(complaint)
        self._inspect(self._inspect_received, call.note, "create", {"sdp": made.sdp, "session": made.session})
        fault = call.take_fault("create")
        if fault is not None and fault.after_s:
            await asyncio.sleep(fault.after_s)
        response: web.StreamResponse | None
        if fault is not None and not fault.carried_out:
            response = _faulty(request, fault)
        else:
            response = await self._made(call, made)
            response = response if fault is None else _faulty(request, fault)
        status = None if response is None else response.status
        call.requests.append(RestRequest("create", made.session, status))
        self._pulse(call)
        if response is None:
            raise ConnectionResetError
        return response

    async def _made(self, call: PlacedCall, made: web_calls.MadeCall) -> web.StreamResponse:
        reply = call.answer("create", made.session, self._clock())
        if reply.status != 200:
            return _json(reply)
        call.offer = made.sdp
        sdp = web_calls.ANSWER if self._answer_offer is None else await self._answer_offer(call, made.sdp)
        self._start(call)
        location = f"/v1/realtime/calls/{call.id}"
        return web.Response(
            status=201, text=sdp, content_type="application/sdp", headers={"Location": location}
        )

    async def _body(self, request: web.Request, call: PlacedCall) -> Json:
        action, raw = request.match_info["action"], await request.read()
        if not raw:
            self._inspect(self._inspect_received, call.note, action, {})
            return None
        if request.content_type != "application/json":
            call.note(f"{action}: content type '{request.content_type}', not 'application/json'")
        try:
            body = json.loads(raw)
        except ValueError:
            call.note(f"{action}: the body is not JSON")
            return "not JSON"
        self._inspect(self._inspect_received, call.note, action, body)
        return body

    def _check_headers(self, request: web.Request, call: PlacedCall | None) -> RestReply | None:
        note = call.note if call is not None else self.violations.append
        if "OpenAI-Beta" in request.headers:
            note("the header 'OpenAI-Beta' asks for a protocol that was switched off")
            return _error(400, "beta_api_shape_disabled", "The Realtime Beta API is no longer supported.")
        if request.headers.get("Authorization") != f"Bearer {self.api_key}":
            note("the header 'Authorization' is missing or holds another key")
            return _error(401, "invalid_api_key", "Incorrect API key provided.")
        return None

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        """A question to the text model, which belongs to no call that the API knows."""
        refused = self._check_headers(request, None)
        if refused is not None:
            return _json(refused)
        try:
            body = await request.json()
        except ValueError:
            body = None
        self._inspect(self._inspect_received, self.violations.append, "responses", body)
        fault = self.text_faults.popleft() if self.text_faults else None
        if fault is not None and fault.after_s:
            await asyncio.sleep(fault.after_s)
        if fault is not None:
            response = _faulty(request, fault)
            self._changed.set()
            if response is None:
                raise ConnectionResetError
            return response
        now = self._clock()
        reply = self.text_model.answer(body, now, datetime.fromtimestamp(now, UTC).date())
        self._inspect(self._inspect_sent, self.violations.append, "responses", reply.body)
        self._changed.set()
        return _json(reply)

    # The account.

    async def _models(self, request: web.Request) -> web.StreamResponse:
        return _json(self._check_headers(request, None) or self.account.list_models())

    async def _client_secret(self, request: web.Request) -> web.StreamResponse:
        refused = self._check_headers(request, None)
        if refused is not None:
            return _json(refused)
        body = await request.json()
        reply = self.account.make_client_secret(body)
        if reply.status == 200 and reply.body is not None:
            self.secrets[reply.body["value"]] = body["session"]
        return _json(reply)

    # The sideband.

    async def _sideband(self, request: web.Request) -> web.StreamResponse:
        call = self.calls.get(request.query.get("call_id", ""))
        refused = self._check_headers(request, call)
        if refused is not None:
            return _json(refused)
        if "model" in request.query:
            (call.note if call else self.violations.append)(
                "'model' stands beside 'call_id' in the sideband's URL"
            )
            return _json(_error(400, "invalid_request_error", "Pass either 'model' or 'call_id'."))
        if call is None or call.attach() is None:
            self._changed.set()
            return _json(_error(404, "call_id_not_found", "No session found for this call_id."))
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=1 << 20, compress=False)
        await socket.prepare(request)
        sideband = _Sideband(socket, request.transport)
        if (before := self._sidebands.get(call.id)) is not None:
            self._older.setdefault(call.id, []).append(before)
        self._sidebands[call.id] = sideband
        self._pulse(call)
        try:
            await self._hear(call, sideband)
        finally:
            older = self._older.get(call.id, [])
            if sideband in older:
                older.remove(sideband)
            elif self._sidebands.get(call.id) is sideband and older:
                # The client has closed the newer of two: the one before is there still.
                self._sidebands[call.id] = older.pop()
            elif self._sidebands.get(call.id) is sideband:
                del self._sidebands[call.id]
                call.detach()
            self._pulse(call)
        return socket

    async def _hear(self, call: PlacedCall, sideband: "_Sideband") -> None:
        async for message in sideband.socket:
            if message.type is WSMsgType.TEXT:
                # What was sent before the client heard that the call is over is not a mistake.
                if sideband in self._older.get(call.id, ()):
                    call.note("an event on a sideband that another has taken the place of")
                self._receive(call, message.data)
            elif message.type is WSMsgType.BINARY:
                call.note("a binary frame on the sideband")

    def _receive(self, call: PlacedCall, text: str) -> None:
        try:
            event = json.loads(text)
        except ValueError:
            event = None
        self._inspect(self._inspect_received, call.note, "event", event)
        call.receive(event)
        self._pulse(call)

    async def _play(self, call: PlacedCall) -> None:
        """Send the events of a call, at its pace, until it is over."""
        wake = self._wakes[call.id]
        while True:
            if (step := call.next()) is not None:
                await self._perform(call, step)
            elif call.is_over:
                return
            else:
                await self._wait(call, wake)

    async def _wait(self, call: PlacedCall, wake: asyncio.Event) -> None:
        """Wait for the next moment at which something happens, or for the client."""
        delay_s = call.flows.delay_s()
        if delay_s is not None and not delay_s * self._pace:
            await asyncio.sleep(0)
            call.flows.pass_time(delay_s)
            return
        if delay_s is None and call.id in self._sidebands:
            for frame in call.stream.rest():
                await self._sidebands[call.id].socket.send_str(frame)
        started = self._clock()
        try:
            async with asyncio.timeout(None if delay_s is None else delay_s * self._pace):
                await wake.wait()
        except TimeoutError:
            call.flows.pass_time(delay_s or 0.0)
        else:
            wake.clear()
            if self._pace:
                call.flows.pass_time((self._clock() - started) / self._pace)

    async def _perform(self, call: PlacedCall, step: Outgoing) -> None:
        sideband = self._sidebands.get(call.id)
        if isinstance(step, EndCall):
            call.state = State.OVER
        if sideband is not None:
            await self._send(call, sideband, step)
        self._changed.set()

    async def _send(self, call: PlacedCall, sideband: "_Sideband", step: Outgoing) -> None:
        if isinstance(step, Mapping):
            self._inspect(self._inspect_sent, call.note, "event", step)
        try:
            for frame in call.frames(step):
                await sideband.socket.send_str(frame)
                await self._overhear(call, frame)
        except ConnectionError:
            # The client has closed its end meanwhile; the reader of the socket sees that too.
            return
        if isinstance(step, CloseSideband | EndCall):
            self._sidebands.pop(call.id, None)
            call.detach()
            await sideband.end(step.close_code)
        if isinstance(step, EndCall):
            for older in self._older.pop(call.id, []):
                await older.end(step.close_code)

    async def _overhear(self, call: PlacedCall, frame: str) -> None:
        if (send := self._channels.get(call.id)) is not None:
            send(frame)
        for older in self._older.get(call.id, ()):
            with suppress(ConnectionError):
                await older.socket.send_str(frame)

    def _inspect(self, inspect: Inspect | None, note: Callable[[str], None], kind: str, value: Any) -> None:
        complaint = inspect(kind, value) if inspect is not None else None
        if complaint is not None:
            note(complaint)

    def _pulse(self, call: PlacedCall) -> None:
        self._wakes[call.id].set()
        self._changed.set()


@dataclass(frozen=True, slots=True)
class _Sideband:
    """An open sideband, with the connection below it."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport | None

    async def end(self, code: int) -> None:
        """Close it, or cut it for 1006, which no close frame can carry (RFC 6455, 7.4.1)."""
        if code != 1006:
            await self.socket.close(code=code)
        elif self.transport is not None:
            self.transport.abort()


def _json(reply: RestReply) -> web.Response:
    if reply.body is None:
        return web.Response(status=reply.status)
    return web.json_response(dict(reply.body), status=reply.status)


def _faulty(request: web.Request, fault: HttpFault | None) -> web.Response | None:
    """The answer of a fault; None when the connection was cut instead."""
    if fault is None or fault.status is None:
        if request.transport is not None:
            request.transport.abort()
        return None
    if fault.status == 200:
        return web.Response()
    return _json(
        _error(fault.status, "server_error", "The server had an error while processing your request.")
    )


def _error(status: int, code: str, message: str) -> RestReply:
    details: JsonObject = {"message": message, "type": "invalid_request_error", "code": code, "param": None}
    return RestReply(status, {"error": details})
