"""Serves `/talk/AGENT` and `/talk.js`: static files, with headers that isolate the page."""

from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib.resources import files

from aiohttp import web

from runner.config.checking.suggest import or_there_is
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


def page_routes(agents: Callable[[], Collection[str]], *, is_dev: bool) -> list[web.RouteDef]:
    """The routes to add to the server. `agents` are those that there are, as far as they are known yet."""
    page = _handler("talk.html", PAGE_HEADERS)

    async def talk(request: web.Request) -> web.StreamResponse:
        name, known = request.match_info["agent"], agents()
        if not known or name in known:
            return await page(request)
        # Strangers are not told which other agents there are.
        hint = or_there_is(name, known) if is_dev else ""
        text = f'there is no agent "{name[:64]}"{hint}\n'
        return web.Response(status=404, text=text, headers=HEADERS)

    return [
        web.get("/talk/{agent}", talk),
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
