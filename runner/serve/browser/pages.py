"""Serves `/talk/AGENT` and `/talk.js`: static files, with headers that isolate the page."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from aiohttp import web

from runner.serve.listener import Handler

STATIC = files(__package__) / "static"
KINDS = {"html": "text/html", "js": "text/javascript", "css": "text/css"}

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self' blob:; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
PAGE_HEADERS: Mapping[str, str] = {
    **HEADERS,
    "Content-Security-Policy": PAGE_POLICY,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
}
ANYWHERE: Mapping[str, str] = {**HEADERS, "Access-Control-Allow-Origin": "*"}
"""`/talk.js` is for pages of other sites, and holds nothing private."""


def page_routes() -> list[web.RouteDef]:
    """The routes to add to the server."""
    return [
        web.get("/talk/{agent}", _handler("talk.html", PAGE_HEADERS)),
        web.get("/talk.js", _handler("talk.js", ANYWHERE)),
        web.get("/talk-page.js", _handler("talk-page.js", HEADERS)),
        web.get("/talk.css", _handler("talk.css", HEADERS)),
    ]


def _handler(name: str, headers: Mapping[str, str]) -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        kind = KINDS[name.rpartition(".")[2]]
        return web.Response(body=_content(name), content_type=kind, charset="utf-8", headers=headers)

    return handle


@cache
def _content(name: str) -> bytes:
    return (STATIC / name).read_bytes()
