"""The HTTP side of a runner: webhooks, health, readiness, metrics."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from runner.serve.listener import Handler
from runner.serve.metrics import CONTENT_TYPE, Metrics

log = logging.getLogger("runner.serve.app")

WEBHOOK_PATH = "/webhooks/openai"
MOST_BODY_BYTES = 256 * 1024
"""A call's webhook is its SIP headers: a few kilobytes."""
MOST_PATH = 200
"""Characters of a path in the log; the sender has chosen them."""


def create_app(
    *,
    webhook: Callable[[web.Request], Awaitable[web.StreamResponse]],
    obstacles: Callable[[], Sequence[str]],
    troubles: Callable[[], Sequence[str]] = tuple,
    metrics: Metrics,
    shows_metrics: bool = True,
    more: Sequence[web.RouteDef] = (),
) -> web.Application:
    """The application. `obstacles` and `troubles` are called for each `/readyz`.

    `shows_metrics`: nothing else, such as the admin listener, shows them.

    With an obstacle we are not ready. Troubles are shown and change no status: calls are answered all the
    same, and a load balancer that took out every runner because their store fails would turn callers away.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        reasons = obstacles()
        status, lines = (503, ("not ready", *reasons)) if reasons else (200, ("ready", *troubles()))
        return web.Response(status=status, text="".join(f"{line}\n" for line in lines))

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    @web.middleware
    async def tell_wrong_paths(request: web.Request, handler: Handler) -> web.StreamResponse:
        """A webhook that is sent elsewhere is a call that nobody answers; only the log can say so."""
        try:
            return await handler(request)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            if request.method == "POST":
                metrics.webhooks.labels(result="wrong_path").inc()
                path = request.path[:MOST_PATH]
                log.warning("webhook path not found", extra={"path": path, "webhook_path": WEBHOOK_PATH})
            return web.Response(status=error.status, text=f"{error.reason.lower()}\n")

    app = web.Application(client_max_size=MOST_BODY_BYTES, middlewares=[tell_wrong_paths])
    app.add_routes(
        [
            web.post(WEBHOOK_PATH, webhook),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
        ]
    )
    app.add_routes(more)
    if shows_metrics:
        app.router.add_get("/metrics", show_metrics)
    return app


def webhook_url(runner_url: str) -> str:
    """Where webhooks arrive at this machine."""
    return runner_url + WEBHOOK_PATH
