"""Starts the serving side of a configuration in order, drains it, and closes it in reverse order.

The one place where all parts meet. It reads none of the user's files and installs no signal handler.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import aiohttp
from aiohttp import web

from runner.config.version import ConfigurationVersion
from runner.model.call import Ringing
from runner.model.settings import Configuration
from runner.model.values import Instant
from runner.serve.admin.record_requests import ScenarioOf
from runner.serve.admin.service import check_dev, check_tokens, open_admin
from runner.serve.app import create_app
from runner.serve.browser.calls import browser_calls
from runner.serve.browser.service import open_to_browsers
from runner.serve.call_watch import CallWatch
from runner.serve.descriptors import DescriptorShares, limit
from runner.serve.drain import drain
from runner.serve.listen_address import open_port, url_of
from runner.serve.listener import Listener
from runner.serve.loop_lag import watch_loop
from runner.serve.metrics import Metrics
from runner.serve.process import Process
from runner.serve.provider_secrets import check_api_key, check_webhook_secrets
from runner.serve.readiness import Readiness, RunnerPhase
from runner.serve.secrets import FoundSecrets
from runner.serve.service import Service
from runner.serve.timeouts import Timeouts
from runner.serve.tracing.tracing import Tracing
from runner.serve.versions import DirectorySource, Version, Versions

log = logging.getLogger("runner.serve.runner")

HURRIED_S = 1.0
"""For each thing that is still to be closed when the time for all of them is up."""


class Runner:
    """Serves the agents of one configuration: `start` it once, `drain` it, and `close` it in any case."""

    def __init__(
        self,
        configuration: Configuration,
        secrets: FoundSecrets,
        *,
        timeouts: Timeouts | None = None,
        new_connector: Callable[[], aiohttp.BaseConnector] | None = None,
        clock: Callable[[], Instant] = time.time,
        version: ConfigurationVersion | None = None,
        source: DirectorySource | None = None,
        shares_port: bool = False,
        name: str | None = None,
        dead: str | None = None,
        is_dev: bool = False,
        scenario_of: ScenarioOf | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """`new_connector` makes the connections of tools; by default it keeps to `egress`.

        Routes, templates and records use `clock`. `version` is what the configuration was loaded from, a
        reload uses `source`. `shares_port`: other runners listen at the same port (SO_REUSEPORT). `name` is
        that of this runner among all that share the store; `dead` is that of one which is certain to be
        dead: its calls do not wait for the end of its lease. `is_dev`: the admin API needs no token.
        `scenario_of` turns a record into a test. Without `tracing` no call is traced.

        Raises CannotRunError when no webhook could ever be verified, or no call answered.
        """
        check_webhook_secrets(configuration, secrets)
        check_api_key(configuration, secrets)
        self._admin = configuration.settings.server.admin
        if self._admin is not None:
            check_tokens(self._admin, secrets.admin_tokens())
            if is_dev:
                check_dev(self._admin)
        self._is_dev = is_dev
        self._browser = browser_calls(
            configuration.settings.server, secrets.browser, clock=clock, is_dev=is_dev
        )
        self._shares_port = shares_port
        self._name = name
        self._dead = dead
        self._scenario_of = scenario_of
        self._configuration = configuration
        self._secrets = secrets
        self._new_connector = new_connector
        self._tracing = tracing
        shares = DescriptorShares.of(limit())
        self._process = process = Process(
            owner=AsyncExitStack(),
            metrics=Metrics(),
            timeouts=timeouts or Timeouts(),
            clock=clock,
            shares=shares,
            readiness=Readiness(shares.calls),
        )
        process.metrics.ready.set_function(lambda: not process.readiness.obstacles())
        self.versions = Versions(Version.of(configuration, secrets, version), source, process.metrics, clock)
        """The configuration that new calls get."""
        process.readiness.add_troubles(lambda: [self.versions.shown])
        self.service: Service | None = None
        """None before the start."""
        self.url = ""
        """Where we listen, once started."""
        self.admin_url: str | None = None
        """Where the admin API and the console are; None without them."""

    async def start(self) -> None:
        """Listen first, so that `/healthz` answers from the first moment; then start everything else.

        Raises CannotRunError, with one sentence that says what would help.
        """
        process, settings = self._process, self._configuration.settings
        if self._tracing is not None:
            process.owner.push_async_callback(self._tracing.close)
        watch = asyncio.create_task(watch_loop(process.metrics.loop_lag_seconds.observe), name="loop lag")
        process.owner.callback(watch.cancel)
        bound = await self._listen()
        self.url = url_of(*bound)
        self.service = service = await Service.open(
            process,
            settings,
            self._secrets,
            self.versions,
            name=self._name,
            dead=self._dead,
            new_connector=self._new_connector,
            tracing=self._tracing,
            watches=self._watches,
        )
        if self._browser is not None:
            await open_to_browsers(
                self._browser, process, service, settings.server, bound=bound, shares_port=self._shares_port
            )
        if self._admin is not None:
            self.admin_url = await open_admin(
                self._admin,
                process,
                service,
                secrets=self._secrets,
                versions=self.versions,
                is_dev=self._is_dev,
                scenario_of=self._scenario_of,
            )
        await service.start(process)
        process.readiness.phase = RunnerPhase.READY
        log.info(
            "ready",
            extra={
                "url": self.url,
                "agents": len(self._configuration.agents),
                "most_calls": process.shares.calls,
                "most_connections": process.shares.connections,
            },
        )

    async def _listen(self) -> tuple[str, int]:
        """Open the port for webhooks and pages; returns the host and port in use."""
        process, server = self._process, self._configuration.settings.server
        app = create_app(
            webhook=self._webhook,
            obstacles=process.readiness.obstacles,
            troubles=process.readiness.troubles,
            metrics=process.metrics,
            shows_metrics=self._admin is None,
            more=() if self._browser is None else self._browser.routes(),
        )
        listener = Listener(
            app,
            most=process.shares.connections,
            metrics=process.metrics,
            timeouts=process.timeouts,
            shares_port=self._shares_port,
        )
        process.owner.push_async_callback(listener.close)
        option = "--port or server.port"
        return await open_port(listener, server.host, server.port, process.shares.backlog, option)

    def _watches(self, ringing: Ringing) -> Sequence[CallWatch]:
        traces = () if self._tracing is None else self._tracing.watches(ringing.call_id)
        pages = () if self._browser is None else self._browser.pages.watches(ringing)
        return (*traces, *pages)

    async def drain(self, hurry: asyncio.Event) -> None:
        """Take no new calls, give the live ones `server.drain_timeout`, or until `hurry`, and end the rest.

        A call that is still live then is hung up: without us it would talk to nobody. The jobs after calls
        are attempted once more, and otherwise stay in the store.
        """
        self._process.readiness.phase = RunnerPhase.DRAINING
        if self.service is not None:
            drain_timeout_s = self._configuration.settings.server.drain_timeout_s
            after_call_s = self._process.timeouts.after_call_s
            await drain(self.service, hurry, drain_timeout_s, after_call_s=after_call_s)

    async def close(self) -> None:
        """Close everything, last in first out, under one deadline. Safe at any time, and twice."""
        closing = asyncio.create_task(self._process.owner.aclose(), name="close")
        _, late = await asyncio.wait((closing,), timeout=self._process.timeouts.close_s)
        if late:
            log.error("not everything could be closed in time")
        while late:
            # Cancels what is being closed, and not what is to be closed after it.
            closing.cancel()
            _, late = await asyncio.wait(late, timeout=HURRIED_S)
        try:
            await closing
        except asyncio.CancelledError:
            return  # It was late, and is in the log.
        except Exception:
            log.exception("not everything could be closed")

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        if self.service is None:
            return web.Response(status=503, text="no calls are accepted yet\n")
        return await self.service.webhooks.handle(request)
