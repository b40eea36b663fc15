"""The stand-in for the voice API as an HTTP server. `runner.standin.played_calls` carries its sidebands."""

import json
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiohttp import web

from runner.model.values import Json, JsonObject
from runner.standin import web_calls
from runner.standin.account import Account
from runner.standin.faults import FINE, Faults, HttpFault
from runner.standin.http_replies import json_response, or_cut, reply
from runner.standin.placed_call import PlacedCall, RestReply, RestRequest, error_reply
from runner.standin.played_calls import PATIENCE_S, Inspect, Inspection, PlayedCalls, note_complaint
from runner.standin.script import ScriptStep
from runner.standin.text_model import TextModel

ACTIONS = ("accept", "reject", "refer", "hangup")
API_KEY = "sk-simulated"
AnswerOffer = Callable[[PlacedCall, str], Awaitable[str]]
"""Answers the offer of a call's browser, and carries the call's sound from then on."""


class StandIn:
    """Serves the API's side on a loopback port while the `async with` lasts; `port` 0 is one of the system's
    choice.

    `pace` is real seconds for each second of the call: 0 plays as fast as the sockets carry it, 1 as slowly
    as people speak. `inspect_received` gets everything that the client sends, `inspect_sent` everything that
    it is sent; their complaints are noted as violations of the call. With `tls` it is served over TLS, as the
    API is.
    """

    def __init__(
        self,
        *,
        pace: float = 0.0,
        clock: Callable[[], float] = time.time,
        inspect_received: Inspect | None = None,
        inspect_sent: Inspect | None = None,
        tls: ssl.SSLContext | None = None,
        answer_offer: "AnswerOffer | None" = None,
        port: int = 0,
    ) -> None:
        """`answer_offer` answers a browser's offer; without it nobody speaks to the browser."""
        self.calls: dict[str, PlacedCall] = {}
        self.violations: list[str] = []
        """Clients' mistakes outside of any call."""
        self.text_model = TextModel(violations=self.violations)
        self.text_faults: deque[HttpFault] = deque()
        """Faults for the next requests to the text model."""
        self.account = Account()
        self.api_key = API_KEY
        self.secrets: dict[str, JsonObject] = {}
        """The secrets for clients' own calls, each with its session."""
        self._answer_offer = answer_offer
        self._expected: deque[PlacedCall] = deque()
        self.base_url = ""
        """The API's URL, for `provider.base_url`."""
        self._clock = clock
        self._inspection = Inspection(received=inspect_received, sent=inspect_sent)
        self._tls = tls
        self._port = port
        self._played = PlayedCalls(pace=pace, inspection=self._inspection, clock=clock)
        self.wake, self.open_channel = self._played.wake, self._played.open_channel
        self.until = self._played.until
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
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http{'s' if self._tls else ''}://{host}:{port}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._played.close()
        finally:
            if self._runner is not None:
                await self._runner.cleanup()

    def place_call(
        self, *script: ScriptStep, faults: Faults = FINE, call_id: str | None = None
    ) -> PlacedCall:
        """A new call rings. Send the webhook separately: see `runner.standin.webhook`."""
        number = str(len(self.calls) + 1)
        call = PlacedCall(call_id or f"rtc_simulated{number}", script, faults, short_id=number)
        self.calls[call.id] = call
        self._played.add(call)
        return call

    def expect_offer(self, *script: ScriptStep, faults: Faults = FINE) -> PlacedCall:
        """The call that the next browser's offer creates. An offer that nobody expects has no script."""
        call = self.place_call(*script, faults=faults)
        self._expected.append(call)
        return call

    async def until_over(self, call: PlacedCall, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the call is over and its sideband is closed.

        Raises: TimeoutError when it is not over in time.
        """
        await self.until(lambda: call.is_over and not self._played.is_attached(call), timeout_s)

    # REST.

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        call, action = self.calls.get(request.match_info["call_id"]), request.match_info["action"]
        if action not in ACTIONS:
            return json_response(
                error_reply(404, "unknown_url", f"Unknown request URL: POST {request.path}.")
            )
        refusal = self._check_headers(request, call)
        if refusal is not None:
            return json_response(refusal)
        if call is None:
            return json_response(error_reply(404, "call_id_not_found", "No session found for this call_id."))
        body = await self._body(request, call)

        async def answer() -> web.Response:
            answered = call.answer(action, body, self._clock())
            if action == "accept" and answered.status == 200:
                self._played.start(call)
            return json_response(answered)

        response = await reply(request, call.take_fault(action), answer)
        return self._noted(call, action, body, response)

    def _noted(
        self, call: PlacedCall, action: str, body: Json, response: web.Response | None
    ) -> web.Response:
        """The response to a request of this call, once the call has noted it."""
        call.requests.append(RestRequest(action, body, None if response is None else response.status))
        self._played.pulse(call)
        return or_cut(response)

    # Calls of browsers.

    async def _create(self, request: web.Request) -> web.StreamResponse:
        """Create a call from an offer: of the client's server, or of a page that has a secret for it."""
        raw = await request.read()
        session = self.secrets.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        form: web_calls.CallForm | RestReply
        if session is not None:
            form = web_calls.CallForm(sdp=raw.decode("utf-8", "replace"), session=session)
        else:
            refusal = self._check_headers(request, None)
            if refusal is not None:
                return json_response(refusal)
            form = web_calls.read_form(request.headers.get("Content-Type", ""), raw)
        call = self._expected.popleft() if self._expected else self.place_call()
        if isinstance(form, RestReply):
            call.note(f"create: {(form.body or {})['error']['message']}")
            return json_response(form)
        for complaint in form.complaints:
            call.note(complaint)
        note_complaint(
            self._inspection.received, call.note, "create", {"sdp": form.sdp, "session": form.session}
        )
        response = await reply(request, call.take_fault("create"), lambda: self._make(call, form))
        return self._noted(call, "create", form.session, response)

    async def _make(self, call: PlacedCall, form: web_calls.CallForm) -> web.Response:
        reply = call.answer("create", form.session, self._clock())
        if reply.status != 200:
            return json_response(reply)
        call.offer = form.sdp
        sdp = web_calls.ANSWER if self._answer_offer is None else await self._answer_offer(call, form.sdp)
        self._played.start(call)
        location = f"/v1/realtime/calls/{call.id}"
        return web.Response(
            status=201, text=sdp, content_type="application/sdp", headers={"Location": location}
        )

    async def _body(self, request: web.Request, call: PlacedCall) -> Json:
        action, raw = request.match_info["action"], await request.read()
        if not raw:
            note_complaint(self._inspection.received, call.note, action, {})
            return None
        if request.content_type != "application/json":
            call.note(f"{action}: content type '{request.content_type}', not 'application/json'")
        try:
            body = json.loads(raw)
        except ValueError:
            call.note(f"{action}: the body is not JSON")
            return "not JSON"
        note_complaint(self._inspection.received, call.note, action, body)
        return body

    def _check_headers(self, request: web.Request, call: PlacedCall | None) -> RestReply | None:
        note = call.note if call is not None else self.violations.append
        if "OpenAI-Beta" in request.headers:
            note("the header 'OpenAI-Beta' asks for a protocol that was switched off")
            return error_reply(
                400, "beta_api_shape_disabled", "The Realtime Beta API is no longer supported."
            )
        if request.headers.get("Authorization") != f"Bearer {self.api_key}":
            note("the header 'Authorization' is missing or holds another key")
            return error_reply(401, "invalid_api_key", "Incorrect API key provided.")
        return None

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        """A question to the text model, which belongs to no call that the API knows."""
        refusal = self._check_headers(request, None)
        if refusal is not None:
            return json_response(refusal)
        try:
            body = await request.json()
        except ValueError:
            body = None
        note_complaint(self._inspection.received, self.violations.append, "responses", body)

        async def answer() -> web.Response:
            now = self._clock()
            reply = self.text_model.answer(body, now, datetime.fromtimestamp(now, UTC).date())
            note_complaint(self._inspection.sent, self.violations.append, "responses", reply.body)
            return json_response(reply)

        response = await reply(request, self.text_faults.popleft() if self.text_faults else None, answer)
        self._played.pulse()
        return or_cut(response)

    # The account.

    async def _models(self, request: web.Request) -> web.StreamResponse:
        return json_response(self._check_headers(request, None) or self.account.list_models())

    async def _client_secret(self, request: web.Request) -> web.StreamResponse:
        refusal = self._check_headers(request, None)
        if refusal is not None:
            return json_response(refusal)
        body = await request.json()
        reply = self.account.make_client_secret(body)
        if reply.status == 200 and reply.body is not None:
            self.secrets[reply.body["value"]] = body["session"]
        return json_response(reply)

    # The sideband.

    async def _sideband(self, request: web.Request) -> web.StreamResponse:
        call = self.calls.get(request.query.get("call_id", ""))
        refusal = self._check_headers(request, call)
        if refusal is not None:
            return json_response(refusal)
        if "model" in request.query:
            (call.note if call else self.violations.append)(
                "'model' stands beside 'call_id' in the sideband's URL"
            )
            return json_response(
                error_reply(400, "invalid_request_error", "Pass either 'model' or 'call_id'.")
            )
        if call is None or call.attach() is None:
            self._played.pulse()
            return json_response(error_reply(404, "call_id_not_found", "No session found for this call_id."))
        return await self._played.serve(call, request)
