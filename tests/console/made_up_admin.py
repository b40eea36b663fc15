"""An admin API that tells whatever a test wants: 500 calls, lost answers, hostile texts in every field.

Every request, answer and event is held against `schemas/admin.openapi.json`: it cannot tell what the real one
never would, nor take what the real one would refuse. What does not fit stands in `misfits`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web
from jsonschema import ValidationError

from runner.serve.admin.calls import ACTS
from runner.serve.admin.document import InvalidRequestError, document
from runner.serve.admin.pages import POLICY
from tests.chromium import PATIENCE_MS
from tests.serve.admin.fits import answer_fits, event_fits

FILES = Path(__file__).parents[2] / "runner" / "console"
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
TOKEN = "a-token-of-at-least-32-characters"

JsonObject = dict[str, Any]


@dataclass
class MadeUpAdmin:
    """Tells of `calls`, `records` and `day`; keeps the acts that were asked for in `acts`."""

    calls: dict[str, JsonObject] = field(default_factory=dict)
    rows: list[JsonObject] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Runners that cannot be reached."""
    records: dict[str, JsonObject] = field(default_factory=dict)
    day: JsonObject = field(default_factory=dict)
    scenario: str = ""
    may: str = "steer"
    needs_token: bool = True
    is_signed_in: bool = False
    refuse_sign_in: int | None = None
    answers: dict[str, tuple[int, JsonObject]] = field(default_factory=dict)
    """What an act is answered with, by its name, instead of 202."""
    drop_next: int = 0
    """So many requests for an act lose their answer."""
    acts: list[tuple[str, str, JsonObject, str]] = field(default_factory=list)
    """Call, act, body, id."""
    resumed: list[str | None] = field(default_factory=list)
    """The `Last-Event-ID` of each stream."""
    streams: set[tuple[str | None, asyncio.Queue[str | None]]] = field(default_factory=set)
    may_follow: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, streams wait to be answered."""
    has_acted: asyncio.Condition = field(default_factory=asyncio.Condition)
    misfits: list[str] = field(default_factory=list)
    """What the real one would neither tell nor take."""
    sequence: int = 0
    now: float = 0.0

    def __post_init__(self) -> None:
        self.may_follow.set()

    def tell(self, event: str, data: JsonObject, call: str | None = None) -> None:
        """Send an event to whoever follows this call; None: to whoever follows all."""
        text = self._event(event, data)
        for of, queue in self.streams:
            if of == call:
                queue.put_nowait(text)

    async def asked(self, acts: int) -> None:
        """Wait until so many acts were asked for."""
        async with asyncio.timeout(PATIENCE_MS / 1000), self.has_acted:
            await self.has_acted.wait_for(lambda: len(self.acts) >= acts)

    def cut(self) -> None:
        """Break every stream off."""
        for _, queue in self.streams:
            queue.put_nowait(None)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Break every stream off, and answer no other meanwhile."""
        self.may_follow.clear()
        self.cut()
        yield
        self.may_follow.set()

    def _event(self, name: str, data: JsonObject) -> str:
        self._fits(name, lambda: event_fits(name, data))
        self.sequence += 1
        return f"id: 1.{self.sequence}\nevent: {name}\ndata: {json.dumps(data)}\n\n"

    def _answer(self, operation: str, body: JsonObject, status: int = 200) -> web.Response:
        self._fits(operation, lambda: answer_fits(operation, status, body))
        return web.json_response(body, status=status)

    def _problem(self, operation: str, status: int, reason: str, detail: str) -> web.Response:
        return self._answer(operation, problem(status, reason, detail), status)

    def _fits(self, what: str, check: Callable[[], object]) -> None:
        try:
            check()
        except (ValidationError, InvalidRequestError, AssertionError) as error:
            self.misfits.append(f"{what}: {getattr(error, 'message', error)}")

    async def _asked(self, operation: str, request: web.Request) -> JsonObject:
        """The body of a request that fits."""
        declared, raw = document().operations[operation], await request.read()
        arguments = (request.match_info, list(request.query.items()), request.headers)
        self._fits(operation, lambda: declared.arguments(*arguments))
        self._fits(operation, lambda: declared.read_body(raw))
        return dict(json.loads(raw)) if raw else {}

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/console/sign-in", self._sign_in)
        app.router.add_post("/console/sign-out", self._sign_out)
        app.router.add_get("/console/session", self._read_session)
        app.router.add_get("/console/{path:.*}", self._file)
        app.router.add_get("/admin/events", self._events)
        app.router.add_post("/admin/calls/{id}/{act}", self._act)
        app.router.add_get("/admin/records", self._records)
        app.router.add_get("/admin/records/{id}", self._record)
        app.router.add_get("/admin/records/{id}/scenario", self._scenario)
        app.router.add_get("/admin/day", self._day)
        return app

    async def _file(self, request: web.Request) -> web.Response:
        path = FILES / (request.match_info["path"] or "index.html")
        if not path.is_file():
            path = FILES / "index.html"
        return web.Response(
            body=path.read_bytes(),
            content_type=TYPES[path.suffix],
            headers={"Content-Security-Policy": POLICY},
        )

    def _who(self) -> JsonObject:
        return {"by": "shift-lead", "may": self.may}

    def _session(self) -> JsonObject:
        return {**self._who(), "expires_at": self.now + 43200}

    @property
    def _is_stranger(self) -> bool:
        return self.needs_token and not self.is_signed_in

    async def _sign_in(self, request: web.Request) -> web.Response:
        given = await self._asked("signIn", request)
        if self.refuse_sign_in == 429:
            return self._problem("signIn", 429, "too-many-attempts", "wait a minute")
        if given["token"] != TOKEN:
            return self._problem("signIn", 401, "token", "not a valid token")
        self.is_signed_in = True
        return self._answer("signIn", self._session())

    async def _sign_out(self, request: web.Request) -> web.Response:
        await self._asked("signOut", request)
        self.is_signed_in = False
        return web.Response(status=204)

    async def _read_session(self, request: web.Request) -> web.Response:
        await self._asked("readSession", request)
        if self._is_stranger:
            return self._problem("readSession", 401, "token", "sign in")
        return self._answer("readSession", self._session())

    async def _events(self, request: web.Request) -> web.StreamResponse:
        await self._asked("followEvents", request)
        if self._is_stranger:
            return self._problem("followEvents", 401, "token", "sign in")
        of = request.query.get("call")
        if of is not None and of not in self.calls:
            return self._problem("followEvents", 404, "not-found", "there is no such live call")
        await self.may_follow.wait()
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await reply.prepare(request)
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.resumed.append(request.headers.get("Last-Event-ID"))
        if of is None:
            snapshot: JsonObject = {
                "now": self.now,
                **self._who(),
                "agents": [],
                "runners": ["host-1", *self.missing],
                "missing": self.missing,
                "calls": self.rows,
            }
        else:
            snapshot = {"now": self.now, **self._who(), "call": self.calls[of]}
        queue.put_nowait(self._event("snapshot", snapshot))
        self.streams.add((of, queue))
        try:
            while (text := await queue.get()) is not None:
                await reply.write(text.encode())
        except ConnectionResetError:
            pass
        finally:
            self.streams.discard((of, queue))
        return reply

    async def _act(self, request: web.Request) -> web.Response:
        call, act = request.match_info["id"], request.match_info["act"]
        operation = next(name for name, what in ACTS.items() if what == act)
        body, key = await self._asked(operation, request), request.headers["Idempotency-Key"]
        if self._is_stranger:
            return self._problem(operation, 401, "token", "sign in")
        async with self.has_acted:
            if (call, act, body, key) not in self.acts:
                self.acts.append((call, act, body, key))
            self.has_acted.notify_all()
        if self.drop_next:
            self.drop_next -= 1
            assert request.transport is not None
            request.transport.close()
        status, answer = self.answers.get(act, (202, {"deed": key, "result": "waiting"}))
        return self._answer(operation, answer, status)

    async def _records(self, request: web.Request) -> web.Response:
        await self._asked("listRecords", request)
        if self._is_stranger:
            return self._problem("listRecords", 401, "token", "sign in")
        lines = [summary(stored) for stored in self.records.values()]
        return self._answer("listRecords", {"records": lines, "next": None})

    async def _record(self, request: web.Request) -> web.Response:
        await self._asked("readRecord", request)
        if self._is_stranger:
            return self._problem("readRecord", 401, "token", "sign in")
        if (record := self.records.get(request.match_info["id"])) is None:
            return self._problem("readRecord", 404, "not-found", "there is no such record")
        return self._answer("readRecord", {"record": record, "outcome": None, "jobs": []})

    async def _scenario(self, request: web.Request) -> web.Response:
        await self._asked("readScenario", request)
        if self._is_stranger:
            return self._problem("readScenario", 401, "token", "sign in")
        return web.Response(text=self.scenario, content_type="application/yaml")

    async def _day(self, request: web.Request) -> web.Response:
        await self._asked("readDay", request)
        if self._is_stranger:
            return self._problem("readDay", 401, "token", "sign in")
        return self._answer("readDay", self.day)


def problem(status: int, reason: str, detail: str) -> JsonObject:
    """What a refusal is answered with."""
    title = HTTPStatus(status).phrase
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, "reason": reason}


def summary(record: JsonObject) -> JsonObject:
    shared = {
        key: record[key] for key in ("id", "agent", "caller", "called", "ended_at", "ended", "cost_usd")
    }
    return {**shared, "started_at": record["created_at"]}


@asynccontextmanager
async def serving(admin: MadeUpAdmin, port: int = 0) -> AsyncIterator[str]:
    """The address of this admin API."""
    runner = web.AppRunner(admin.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        admin.cut()
        await runner.cleanup()
