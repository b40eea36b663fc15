"""Builds the serving side from a configuration, starts it in order, and closes it in reverse order.

The one place where all parts meet. It reads none of the user's files and installs no signal handler.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import aiohttp
from aiohttp import web

from runner import __version__
from runner.api.realtime import api as realtime
from runner.call.machine.call_counts import DAY_S, CallCounts, day_of
from runner.config.version import ConfigurationVersion
from runner.errors import CannotRunError, StoreError
from runner.model.call import Ringing
from runner.model.settings import Configuration
from runner.model.values import Instant
from runner.serve.admin.record_requests import ScenarioOf
from runner.serve.admin.service import address_of, check_dev, check_tokens, open_admin
from runner.serve.app import create_app
from runner.serve.browser.calls import BrowserCalls, Serving, browser_calls
from runner.serve.browser.client_secret import SecretMaker
from runner.serve.browser.peers import PeerRunners, peer_host
from runner.serve.call_actions import Shared
from runner.serve.call_answerer import CallAnswerer
from runner.serve.call_factory import CallFactory
from runner.serve.call_watch import CallWatch
from runner.serve.clients import Clients
from runner.serve.descriptors import DescriptorShares, limit
from runner.serve.drain import Service, drain
from runner.serve.fleet.service import FleetService
from runner.serve.jobs import JobWorker
from runner.serve.listen_address import open_port, url_of
from runner.serve.listener import Listener
from runner.serve.live_call import LiveCall
from runner.serve.live_calls import LiveCalls
from runner.serve.loop_lag import watch_loop
from runner.serve.metrics import Metrics
from runner.serve.provider_secrets import check_api_key, check_webhook_secrets
from runner.serve.readiness import Phase, Readiness
from runner.serve.secrets import FoundSecrets
from runner.serve.storage import Storage
from runner.serve.timeouts import Timeouts
from runner.serve.tracing.tracing import Tracing
from runner.serve.versions import Source, Version, Versions
from runner.serve.webhooks import Webhooks
from runner.store.journal.seal import Seal
from runner.store.store import Store

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
        source: Source | None = None,
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
            check_tokens(self._admin, secrets)
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
        self._timeouts = timeouts or Timeouts()
        self._new_connector = new_connector
        self._clock = clock
        self._tracing = tracing
        self._shares = DescriptorShares.of(limit())
        self._metrics = Metrics()
        self._readiness = Readiness(self._shares.calls)
        self._metrics.ready.set_function(lambda: not self._readiness.obstacles())
        self.versions = Versions(Version.of(configuration, secrets, version), source, self._metrics)
        """The configuration that new calls get."""
        self._readiness.add_troubles(lambda: [f"configuration {self.versions.current.source.hash}"])
        self._owned = AsyncExitStack()
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
        if self._tracing is not None:
            self._owned.push_async_callback(self._tracing.close)
        watch = asyncio.create_task(watch_loop(self._metrics.loop_lag_seconds.observe), name="loop lag")
        self._owned.callback(watch.cancel)
        app = create_app(
            webhook=self._webhook,
            obstacles=self._readiness.obstacles,
            troubles=self._readiness.troubles,
            metrics=self._metrics,
            shows_metrics=self._admin is None,
            more=() if self._browser is None else self._browser.routes(),
        )
        listener = Listener(
            app,
            most=self._shares.connections,
            metrics=self._metrics,
            timeouts=self._timeouts,
            shares_port=self._shares_port,
        )
        self._owned.push_async_callback(listener.close)
        settings = self._configuration.settings
        host, port = settings.server.host, settings.server.port
        bound = await open_port(listener, host, port, self._shares.backlog, "--port or server.port")
        self.url = url_of(*bound)
        storage = await Storage.open(
            self._secrets.store() or str(settings.store),
            keep_s=settings.records.keep_s,
            metrics=self._metrics,
            clock=self._clock,
            on_jobs=self._wake_jobs,
        )
        self._owned.push_async_callback(storage.close)
        self._readiness.add_troubles(lambda: storage.troubles)
        call_counts = CallCounts()
        now = self._clock()
        call_counts.remember(await storage.count_calls(day_of(now) * float(DAY_S)), now)
        clients = await Clients.open(
            settings,
            self._secrets,
            owner=self._owned,
            new_connector=self._new_connector,
            tracing=self._tracing,
            tool_requests=self._shares.tool_requests,
            metrics=self._metrics,
            timeouts=self._timeouts,
            clock=self._clock,
        )
        self._readiness.add_obstacle(lambda: clients.api.obstacle)
        jobs = JobWorker(
            store=storage.store,
            model=clients.api,
            endpoints=clients.endpoints,
            secrets=lambda: self.versions.current.secrets.tools,
            metrics=self._metrics,
            timeouts=self._timeouts,
            clock=self._clock,
        )
        self._owned.push_async_callback(jobs.close)
        jobs.start()
        live_calls = LiveCalls[LiveCall](saver=storage.saver, metrics=self._metrics, timeouts=self._timeouts)
        self._readiness.count_calls(lambda: live_calls.held)
        fleet = FleetService(
            storage.store,
            Seal(self._secrets.webhook_secrets),
            self.versions,
            live_calls,
            self._metrics,
            version=__version__,
            name=self._name,
            dead=self._dead,
            clock=self._clock,
            lease_s=self._timeouts.runner_lease_s,
            heartbeat_s=self._timeouts.heartbeat_s,
            spool=storage.journal_spool(),
        )
        self._readiness.add_troubles(lambda: fleet.troubles)
        self._readiness.add_troubles(lambda: [] if jobs.trouble is None else [jobs.trouble])
        shared = Shared(
            clients=clients,
            counts=call_counts,
            metrics=self._metrics,
            timeouts=self._timeouts,
            clock=self._clock,
        )
        calls = CallFactory(
            shared=shared, fleet=fleet, world=lambda: self.versions.current.world, watches=self._watches
        )
        answerer = CallAnswerer(
            live_calls=live_calls,
            new_call=calls.ringing,
            has_call=fleet.member.has,
            is_open=self._readiness.takes_calls,
        )
        webhooks = Webhooks(
            api=realtime,
            secrets=self._secrets.webhook_secrets,
            answer=answerer.answer,
            metrics=self._metrics,
            timeouts=self._timeouts,
            clock=self._clock,
        )
        self.service = Service(
            storage=storage, webhooks=webhooks, live_calls=live_calls, fleet=fleet, jobs=jobs
        )
        if self._browser is not None:
            serving = Serving(
                live_calls=live_calls,
                new_call=calls.ringing,
                is_open=self._readiness.takes_calls,
                world=lambda: self.versions.current.world,
                make_secret=SecretMaker(clients.api),
            )
            await self._open_to_browsers(self._browser, serving, fleet, storage.store, bound)
        if self._admin is not None:
            self.admin_url = await open_admin(
                self._admin,
                self._secrets,
                owner=self._owned,
                fleet=fleet,
                live_calls=live_calls,
                store=storage.store,
                versions=self.versions,
                most_connections=self._shares.connections // 4,
                metrics=self._metrics,
                timeouts=self._timeouts,
                is_dev=self._is_dev,
                clock=self._clock,
                scenario_of=self._scenario_of,
            )
        try:
            await fleet.start(lambda left, hold: live_calls.serve(calls.left(left, hold)))
        except StoreError as error:
            raise CannotRunError(f"the store cannot say which calls are live: {error}") from None
        self._owned.push_async_callback(fleet.close)
        self._readiness.phase = Phase.READY
        log.info(
            "ready",
            extra={
                "url": self.url,
                "agents": len(self._configuration.agents),
                "most_calls": self._shares.calls,
                "most_connections": self._shares.connections,
            },
        )

    def _watches(self, ringing: Ringing) -> Sequence[CallWatch]:
        traces = () if self._tracing is None else self._tracing.watches(ringing.call_id)
        pages = () if self._browser is None else self._browser.pages.watches(ringing)
        return (*traces, *pages)

    async def _open_to_browsers(
        self,
        browser: BrowserCalls,
        serving: Serving,
        fleet: FleetService,
        store: Store,
        bound: tuple[str, int],
    ) -> None:
        """Take calls of pages. A page may ask any runner about its call, so runners ask each other."""
        browser.open(serving)
        session = await self._owned.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
            )
        )
        browser.pages.open(serving.live_calls, PeerRunners(store, fleet.keeper.info.id, session))
        own_host = peer_host(self._configuration.settings.server, shares_port=self._shares_port)
        if own_host is not None:
            app = web.Application()
            app.add_routes(browser.peer_routes())
            most = self._shares.connections // 4
            listener = Listener(app, most=most, metrics=self._metrics, timeouts=self._timeouts)
            self._owned.push_async_callback(listener.close)
            bound = await open_port(listener, own_host, 0, most, "server.host")
        fleet.pages_reached_at(await asyncio.to_thread(address_of, None, *bound))

    async def drain(self, hurry: asyncio.Event) -> None:
        """Take no new calls, give the live ones `server.drain_timeout`, or until `hurry`, and end the rest.

        A call that is still live then is hung up: without us it would talk to nobody. The jobs after calls
        are attempted once more, and otherwise stay in the store.
        """
        self._readiness.phase = Phase.DRAINING
        if self.service is not None:
            drain_timeout_s = self._configuration.settings.server.drain_timeout_s
            await drain(self.service, hurry, drain_timeout_s, after_call_s=self._timeouts.after_call_s)

    async def close(self) -> None:
        """Close everything, last in first out, under one deadline. Safe at any time, and twice."""
        closing = asyncio.create_task(self._owned.aclose(), name="close")
        _, late = await asyncio.wait((closing,), timeout=self._timeouts.close_s)
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

    def _wake_jobs(self) -> None:
        if self.service is not None:
            self.service.jobs.wake()

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        if self.service is None:
            return web.Response(status=503, text="no calls are accepted yet\n")
        return await self.service.webhooks.handle(request)
