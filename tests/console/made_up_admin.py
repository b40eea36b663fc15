"""An admin API that tells whatever a test wants: 500 calls, lost answers, hostile texts in every field.

`fits` holds what it tells against `schemas/admin.openapi.json`, so that it cannot
tell what the real one never would.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from jsonschema import Draft202012Validator

FILES = Path(__file__).parents[2] / "runner" / "console"
DOCUMENT = json.loads((Path(__file__).parents[2] / "schemas" / "admin.openapi.json").read_text())
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
TOKEN = "a-token-of-at-least-32-characters"

JsonObject = dict[str, Any]


def fits(schema: str, value: object) -> None:
    """The value is what the document says of this schema."""
    Draft202012Validator({**DOCUMENT, "$ref": f"#/components/schemas/{schema}"}).validate(value)


@dataclass
class MadeUpAdmin:
    """Tells of `calls`, `records` and `day`; keeps the acts that were asked for in `acts`."""

    calls: dict[str, JsonObject] = field(default_factory=dict)
    rows: list[JsonObject] = field(default_factory=list)
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
    has_acted: asyncio.Condition = field(default_factory=asyncio.Condition)
    sequence: int = 0
    now: float = 0.0

    def tell(self, event: str, data: JsonObject, call: str | None = None) -> None:
        """Send an event to whoever follows this call; None: to whoever follows all."""
        self.sequence += 1
        for of, queue in self.streams:
            if of == call:
                queue.put_nowait(sse(event, data, self.sequence))

    async def asked(self, acts: int) -> None:
        """Wait until so many acts were asked for."""
        async with asyncio.timeout(10), self.has_acted:
            await self.has_acted.wait_for(lambda: len(self.acts) >= acts)

    def cut(self) -> None:
        """Break every stream off."""
        for _, queue in self.streams:
            queue.put_nowait(None)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/console/sign-in", self._sign_in)
        app.router.add_post("/console/sign-out", self._sign_out)
        app.router.add_get("/console/session", self._session)
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

    def _may(self) -> None:
        if self.needs_token and not self.is_signed_in:
            raise web.HTTPUnauthorized(text=json.dumps({"detail": "sign in", "status": 401}))

    async def _sign_in(self, request: web.Request) -> web.Response:
        if self.refuse_sign_in == 429:
            return web.json_response({"title": "Too Many Requests", "detail": "wait a minute"}, status=429)
        if (await request.json())["token"] != TOKEN:
            return web.json_response({"title": "Unauthorized", "detail": "not a valid token"}, status=401)
        self.is_signed_in = True
        return web.json_response(self._who())

    async def _sign_out(self, _: web.Request) -> web.Response:
        self.is_signed_in = False
        return web.Response(status=204)

    async def _session(self, _: web.Request) -> web.Response:
        self._may()
        return web.json_response(self._who())

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self._may()
        of = request.query.get("call")
        if of is not None and of not in self.calls:
            return web.json_response({"detail": "there is no such live call"}, status=404)
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await reply.prepare(request)
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.resumed.append(request.headers.get("Last-Event-ID"))
        self.sequence += 1
        if of is None:
            snapshot: JsonObject = {
                "now": self.now,
                **self._who(),
                "agents": [],
                "runners": [],
                "calls": self.rows,
            }
        else:
            snapshot = {"now": self.now, **self._who(), "call": self.calls[of]}
        await reply.write(sse("snapshot", snapshot, self.sequence).encode())
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
        self._may()
        call, act, key = (
            request.match_info["id"],
            request.match_info["act"],
            request.headers["Idempotency-Key"],
        )
        body = await request.json()
        async with self.has_acted:
            if (call, act, body, key) not in self.acts:
                self.acts.append((call, act, body, key))
            self.has_acted.notify_all()
        if self.drop_next:
            self.drop_next -= 1
            assert request.transport is not None
            request.transport.close()
        status, answer = self.answers.get(act, (202, {"deed": key, "result": "waiting"}))
        return web.json_response(answer, status=status)

    async def _records(self, _: web.Request) -> web.Response:
        self._may()
        lines = [summary(stored) for stored in self.records.values()]
        return web.json_response({"records": lines, "next": None})

    async def _record(self, request: web.Request) -> web.Response:
        self._may()
        if (record := self.records.get(request.match_info["id"])) is None:
            return web.json_response({"detail": "there is no such record"}, status=404)
        return web.json_response({"record": record, "outcome": None, "jobs": []})

    async def _scenario(self, _: web.Request) -> web.Response:
        self._may()
        return web.Response(text=self.scenario, content_type="application/yaml")

    async def _day(self, _: web.Request) -> web.Response:
        self._may()
        return web.json_response(self.day)


def sse(event: str, data: JsonObject, sequence: int) -> str:
    return f"id: 1.{sequence}\nevent: {event}\ndata: {json.dumps(data)}\n\n"


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
