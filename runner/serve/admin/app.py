"""The admin listener's application: admits each request, checks it against the document, and answers it.

Checks run in this order: host, path and method, origin, identity, permission, form.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from runner.errors import StoreError
from runner.model.settings import May
from runner.model.values import Instant, Json
from runner.serve.addresses import ClientAddress
from runner.serve.admin.access import COOKIE, SESSION_S, Access, Identity
from runner.serve.admin.document import AdminOperation, InvalidRequestError, document
from runner.serve.admin.pages import Pages
from runner.serve.admin.problem import AdminProblem, not_found
from runner.serve.forwarding import FORWARDED
from runner.serve.listener import Handler, refuse_long_body
from runner.serve.metrics import CONTENT_TYPE, Metrics

log = logging.getLogger("runner.serve.admin")

MOST_BODY_BYTES = 64 * 1024
BODY_S = 10.0
"""For the body of a request to arrive."""
_COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_WATCHING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminRequest:
    """A request that was admitted and fits the document."""

    http: web.Request
    identity: Identity
    arguments: Mapping[str, Json]
    """The parameters by name."""
    body: dict[str, Json]
    raw: bytes
    """The body's bytes."""

    @property
    def cookie(self) -> str | None:
        """The console session, if there is one."""
        return self.http.cookies.get(COOKIE)

    @property
    def is_forwarded(self) -> bool:
        """Whether another runner has forwarded it."""
        return FORWARDED in self.http.headers


AdminHandler = Callable[[AdminRequest], Awaitable[web.StreamResponse]]


class AdminApp:
    """Makes the application from its handlers, by the ids of the document's operations."""

    def __init__(
        self,
        access: Access,
        handlers: Mapping[str, AdminHandler],
        metrics: Metrics,
        *,
        clock: Callable[[], Instant] = time.time,
    ) -> None:
        self._access = access
        self._metrics = metrics
        self._clock = clock
        self._pages = Pages()
        self._handlers: dict[str, AdminHandler] = {
            "openapi": _openapi,
            "signIn": self._sign_in,
            "signOut": self._sign_out,
            "readSession": self._session,
            **handlers,
        }

    def create(self) -> web.Application:
        app = web.Application(client_max_size=MOST_BODY_BYTES, middlewares=[self._guard])
        for operation in document().operations.values():
            handler = self._answering(operation, self._handlers[operation.id])
            app.router.add_route(operation.method.upper(), operation.path, handler)
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_get("/console", self._to_console)
        app.router.add_get("/", self._to_console)
        # Not where the document has a path with another method.
        app.router.add_get("/console/{path:(?!sign-(?:in|out)$).*}", self._pages.serve)
        app.on_response_prepare.append(_harden)
        return app

    def _identify(self, request: web.Request) -> Identity:
        return self._access.identify(
            request.headers, request.cookies.get(COOKIE), _source(request), self._clock()
        )

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._access.check_host(request.headers.get("Host"))
            return await handler(request)
        except AdminProblem as problem:
            if problem.status in {401, 429, 403, 421}:
                log.info(
                    "admin request refused",
                    extra={
                        "reason": problem.reason,
                        "address": _source(request).address,
                        "method": request.method,
                    },
                )
            return problem.response()
        except InvalidRequestError as error:
            return AdminProblem(
                400, "invalid-request", str(error), errors=[each.as_json for each in error.mistakes]
            ).response()
        except StoreError as error:
            return AdminProblem(503, "store", f"the store fails: {error}").response()
        except web.HTTPNotFound:
            return not_found("there is no such path; /admin/openapi.json has them all").response()
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            detail = f"this path takes {allowed}"
            return AdminProblem(405, "method", detail, headers={"Allow": allowed}).response()
        except web.HTTPRequestEntityTooLarge:
            detail = f"the body is longer than {MOST_BODY_BYTES} bytes"
            return AdminProblem(413, "too-large", detail).response()

    def _answering(self, operation: AdminOperation, answer: AdminHandler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            headers = request.headers
            # A page of another site can have a browser send the cookie, but no Authorization header.
            self._access.check_origin(request.method, headers, by_browser="Authorization" not in headers)
            identity = Identity(by="", may=May.WATCH) if operation.is_open else self._identify(request)
            is_act = request.method not in _WATCHING
            if is_act and not operation.is_open and identity.may is not May.STEER:
                raise AdminProblem(403, "forbidden", f'the token "{identity.by}" may only watch')
            raw = await _body(request)
            # A form of another page can send a request without a body, but not with this type.
            is_of_type = request.content_type == "application/json"
            if is_act and not is_of_type and (raw or COOKIE in request.cookies):
                raise AdminProblem(415, "media-type", "send Content-Type: application/json")
            arguments = operation.arguments(request.match_info, list(request.query.items()), request.headers)
            body = operation.read_body(raw)
            return await answer(
                AdminRequest(http=request, identity=identity, arguments=arguments, body=body, raw=raw)
            )

        return handle

    # Console sessions

    async def _sign_in(self, request: AdminRequest) -> web.StreamResponse:
        now = self._clock()
        source = _source(request.http)
        try:
            identity = self._access.by_token(request.body["token"], source, now)
        except AdminProblem as problem:
            if problem.status == 401:
                log.warning("console sign-in failed", extra={"address": source.address})
            raise
        cookie, session = self._access.session(identity, now)
        log.info("console session begins", extra={"by": identity.by, "address": source.address})
        response = web.json_response(_session(session))
        response.set_cookie(
            COOKIE, cookie, max_age=int(SESSION_S), path="/", secure=True, httponly=True, samesite="Strict"
        )
        return response

    async def _sign_out(self, request: AdminRequest) -> web.StreamResponse:
        response = web.Response(status=204)
        response.del_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
        return response

    async def _session(self, request: AdminRequest) -> web.StreamResponse:
        return web.json_response(_session(request.identity))

    # Without a token

    async def _show_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _to_console(self, _: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/console/"})


def _source(request: web.Request) -> ClientAddress:
    return ClientAddress.of(request.remote or "", request.headers.get("X-Forwarded-For", ""))


async def _openapi(_: AdminRequest) -> web.StreamResponse:
    return web.Response(text=document().text, content_type="application/json")


def _session(identity: Identity) -> dict[str, Json]:
    return {"by": identity.by, "may": identity.may.value, "expires_at": identity.expires_at}


async def _body(request: web.Request) -> bytes:
    refuse_long_body(request, MOST_BODY_BYTES)
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise AdminProblem(400, "invalid-request", "the body did not arrive in time", errors=[]) from None


async def _harden(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_COMMON_HEADERS)
    if "Content-Security-Policy" not in response.headers:
        response.headers["Content-Security-Policy"] = _API_POLICY
    if "Cache-Control" not in response.headers or request.path.startswith("/admin/"):
        response.headers["Cache-Control"] = "no-store"
