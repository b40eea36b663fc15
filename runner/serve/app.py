"""The HTTP side of a runner: which path is answered by whom."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from runner.serve.metrics import CONTENT_TYPE, Metrics

WEBHOOK_PATH = "/webhooks/openai"
MOST_BODY_BYTES = 256 * 1024
"""A call's webhook is its SIP headers: a few kilobytes."""

LINGER_S = 0.5
"""How long the rest of a body that nobody wants is read, so that its sender gets to see the answer."""
SHUTDOWN_S = 1.0
"""How long requests may still take when the server is closed; no call depends on them by then."""


def create_app(
    *,
    webhook: Callable[[web.Request], Awaitable[web.StreamResponse]],
    is_ready: Callable[[], bool],
    troubles: Callable[[], Sequence[str]] = tuple,
    metrics: Metrics,
) -> web.Application:
    """The application. `is_ready` and `troubles` are asked whenever somebody wants to know.

    Troubles are told and change no status: calls are answered all the same, and a load balancer that took
    out every runner because their store fails would turn callers away.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        if not is_ready():
            return web.Response(status=503, text="not ready\n")
        return web.Response(text="".join(f"{line}\n" for line in ("ready", *troubles())))

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application(client_max_size=MOST_BODY_BYTES)
    app.add_routes(
        [
            web.post(WEBHOOK_PATH, webhook),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", show_metrics),
        ]
    )
    return app


def create_server(app: web.Application) -> web.AppRunner:
    """What serves the application, not yet listening. Signals are the command's business."""
    return web.AppRunner(
        app,
        # What was signed are the bytes as they were sent; nothing is ever unpacked.
        auto_decompress=False,
        access_log=None,
        lingering_time=LINGER_S,
        shutdown_timeout=SHUTDOWN_S,
    )
