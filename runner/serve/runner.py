"""Builds the serving side from a configuration, starts it in order, and lets go of it in the reverse order.

The one place where the parts meet. It reads no file of the user's and installs no signal handler.
"""

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from enum import Enum
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web

from runner import __version__
from runner.api.port import Authentication
from runner.api.realtime import api as realtime
from runner.api.realtime import text_model
from runner.api.webhook import MIN_KEY_BYTES, is_secret
from runner.call.machine.call_counts import DAY_S, CallCounts, day_of
from runner.call.machine.machine import CallMachine
from runner.call.machine.world import World
from runner.config.version import ConfigurationVersion
from runner.errors import CannotRunError, StoreError
from runner.model.call import Ringing
from runner.model.settings import Admin, Configuration
from runner.model.values import Instant
from runner.serve.admin.record_requests import ScenarioOf
from runner.serve.admin.service import (
    MOST_CONNECTIONS,
    address_of,
    check_dev,
    check_tokens,
    create_admin_app,
)
from runner.serve.api_client import ApiClient
from runner.serve.app import WEBHOOK_PATH, create_app
from runner.serve.browser.calls import NewCall as NewBrowserCall
from runner.serve.browser.calls import Serving, browser_calls
from runner.serve.browser.client_secret import SecretMaker
from runner.serve.call_answerer import CallAnswerer
from runner.serve.call_watch import CallWatch
from runner.serve.descriptors import DescriptorShares, limit
from runner.serve.egress import GuardedConnector
from runner.serve.fleet.hold import CallHold
from runner.serve.fleet.service import FleetService, NewCall
from runner.serve.fleet.takeover import LeftCall
from runner.serve.head_first import read_heads_first
from runner.serve.jobs import JobWorker
from runner.serve.listener import Listener
from runner.serve.live_call import LiveCall
from runner.serve.live_calls import LiveCalls
from runner.serve.loop_lag import watch_loop
from runner.serve.metrics import Metrics
from runner.serve.names import Names
from runner.serve.oauth import TokenSender
from runner.serve.secrets import FoundSecrets
from runner.serve.sideband import Sidebands
from runner.serve.storage import Storage
from runner.serve.timeouts import Timeouts
from runner.serve.tls import client_context
from runner.serve.tool_client import ToolClient
from runner.serve.tracing.tracing import Tracing
from runner.serve.versions import Source, Version, Versions
from runner.serve.webhooks import Webhooks
from runner.store.journal.seal import Seal
from runner.store.store import Store

log = logging.getLogger("runner.serve.runner")

API_LOOKUPS = 4
"""Threads that look up the names of the API's hosts, and no others."""
FULL = "no descriptors are left for another call; raise the limit (ulimit -n, LimitNOFILE) or add a runner"


class Phase(Enum):
    """How far the runner has come."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    """No new calls; the live ones have their time."""


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
        shares: DescriptorShares | None = None,
        version: ConfigurationVersion | None = None,
        source: Source | None = None,
        shares_port: bool = False,
        is_dev: bool = False,
        scenario_of: ScenarioOf | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """`new_connector` makes what tools connect through; by default it keeps to `egress`.

        `clock` is what routes, templates and records go by. `shares` bounds connections and calls; by
        default they follow from the limit of descriptors in force. `version` is what the configuration was
        loaded from, `source` where a reload loads it again. `shares_port`: other runners listen at the same
        port (SO_REUSEPORT). `is_dev`: the admin API asks for no token.
        `scenario_of` makes a test of a record. Without `tracing` no call is traced.

        Raises CannotRunError when no webhook could ever be verified, and no call answered.
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
        self._scenario_of = scenario_of
        self._configuration = configuration
        self._secrets = secrets
        self._timeouts = timeouts or Timeouts()
        self._new_connector = new_connector
        self._clock = clock
        self._tracing = tracing
        self._shares = shares or DescriptorShares.of(limit())
        self._metrics = Metrics()
        self._metrics.watch_ready(lambda: not self._obstacles())
        self.versions = Versions(Version.of(configuration, secrets, version), source, self._metrics)
        """The configuration that new calls get."""
        self._phase = Phase.STARTING
        self._owned = AsyncExitStack()
        self._live_calls: LiveCalls | None = None
        self._webhooks: Webhooks | None = None
        self._storage: Storage | None = None
        self._jobs: JobWorker | None = None
        self._fleet: FleetService | None = None
        self._api_client: ApiClient | None = None
        self.url = ""
        """Where we listen, once started."""
        self.admin_url: str | None = None
        """Where the admin API and the console are; None without them."""

    async def start(self) -> None:
        """Listen first, so that `/healthz` answers from the first moment; then everything else.

        Raises CannotRunError, with one sentence that says what would help.
        """
        if self._tracing is not None:
            self._owned.push_async_callback(self._tracing.close)
        watch = asyncio.create_task(watch_loop(self._metrics.loop_lag_seconds.observe), name="loop lag")
        self._owned.callback(watch.cancel)
        app = create_app(
            webhook=self._webhook,
            obstacles=self._obstacles,
            troubles=self._troubles,
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
        server = self._configuration.settings.server
        bound = await _listen(
            listener, server.host, server.port, self._shares.backlog, "--port or server.port"
        )
        self.url = url_of(*bound)
        settings = self._configuration.settings
        storage = await Storage.open(
            self._secrets.store() or str(settings.store),
            keep_s=settings.records.keep_s,
            metrics=self._metrics,
            clock=self._clock,
            on_jobs=self._wake_jobs,
        )
        self._storage = storage
        self._owned.push_async_callback(storage.close)
        call_counts = CallCounts()
        now = self._clock()
        call_counts.remember(await storage.count_calls(day_of(now) * float(DAY_S)), now)
        provider, tls = self._configuration.settings.provider, client_context()
        names = Names(threads=API_LOOKUPS)
        # No limit: with aiohttp's own of 100, callers would keep ringing until others are answered.
        connector = aiohttp.TCPConnector(limit=0, ssl=tls, resolver=names, use_dns_cache=False)
        read_heads_first(connector)
        api_session = await self._owned.enter_async_context(aiohttp.ClientSession(connector=connector))
        new_connector = self._new_connector or partial(
            GuardedConnector, self._configuration.settings.egress, tls=tls
        )
        client = await self._owned.enter_async_context(
            ToolClient(new_connector(), places=self._shares.tool_requests, metrics=self._metrics)
        )
        tools = TokenSender(client, timeouts=self._timeouts, clock=self._clock)
        self._owned.push_async_callback(tools.close)
        endpoints = tools if self._tracing is None else self._tracing.sender(tools)
        api_client = ApiClient(
            api_session,
            api=realtime,
            text_model=text_model,
            base_url=provider.base_url or realtime.base_url,
            api_key=self._secrets.api_key,
            authentication=Authentication.by(provider.key_header),
            timeouts=self._timeouts,
            metrics=self._metrics,
        )
        self._api_client = api_client
        sidebands = Sidebands(api_client, self._timeouts, tls=tls, names=names)
        jobs = JobWorker(
            store=storage.store,
            model=api_client,
            endpoints=endpoints,
            secrets=lambda: self.versions.current.secrets.tools,
            metrics=self._metrics,
            timeouts=self._timeouts,
            clock=self._clock,
        )
        self._jobs = jobs
        self._owned.push_async_callback(jobs.close)
        jobs.start()
        self._live_calls = LiveCalls(saver=storage.saver, metrics=self._metrics, timeouts=self._timeouts)

        live_calls = self._live_calls
        fleet = FleetService(
            storage.store,
            Seal(self._secrets.webhook_secrets),
            self.versions,
            live_calls,
            self._metrics,
            version=__version__,
            clock=self._clock,
            lease_s=self._timeouts.runner_lease_s,
            heartbeat_s=self._timeouts.heartbeat_s,
            spool=storage.journal_spool(),
        )
        self._fleet = fleet

        def live_call(
            ringing: Ringing,
            world: World,
            hold: CallHold,
            machine: CallMachine | None = None,
            watches: Sequence[CallWatch] = (),
        ) -> LiveCall:
            return LiveCall(
                ringing=ringing,
                world=world,
                hold=hold,
                taken_over=machine,
                api=api_client,
                sidebands=sidebands,
                tools=endpoints,
                counts=call_counts,
                metrics=self._metrics,
                timeouts=self._timeouts,
                watches=(*self._traced(ringing), *watches),
                clock=self._clock,
            )

        async def new_call(
            ringing: Ringing, world: World | None = None, watches: Sequence[CallWatch] = ()
        ) -> LiveCall:
            hold = await fleet.hold(ringing)
            return live_call(ringing, world or self.versions.current.world, hold, watches=watches)

        def take_up(left: LeftCall, hold: CallHold) -> None:
            live_calls.serve(live_call(left.ringing, left.world, hold, left.machine))

        answerer = CallAnswerer(live_calls=live_calls, new_call=new_call, is_open=self._takes_calls)
        self._webhooks = Webhooks(
            api=realtime,
            secrets=self._secrets.webhook_secrets,
            answer=answerer.answer,
            metrics=self._metrics,
            timeouts=self._timeouts,
            clock=self._clock,
        )
        self._open_to_browsers(live_calls, new_call, api_client)
        await self._join(fleet, live_calls, storage.store, take_up)
        self._phase = Phase.READY
        log.info(
            "ready",
            extra={
                "url": self.url,
                "agents": len(self._configuration.agents),
                "most_calls": self._shares.calls,
                "most_connections": self._shares.connections,
            },
        )

    def _traced(self, ringing: Ringing) -> Sequence[CallWatch]:
        return () if self._tracing is None else self._tracing.watches(ringing.call_id)

    def _open_to_browsers(self, live_calls: LiveCalls, new_call: NewBrowserCall, client: ApiClient) -> None:
        if self._browser is not None:
            self._browser.open(
                Serving(
                    live_calls=live_calls,
                    new_call=new_call,
                    is_open=self._takes_calls,
                    world=lambda: self.versions.current.world,
                    make_secret=SecretMaker(client),
                )
            )

    async def _join(self, fleet: FleetService, live_calls: LiveCalls, store: Store, take_up: NewCall) -> None:
        """Be one of the runners. Raises CannotRunError."""
        if self._admin is not None:
            await self._open_admin(self._admin, fleet, live_calls, store)
        try:
            await fleet.start(take_up)
        except StoreError as error:
            raise CannotRunError(f"the store cannot say which calls are live: {error}") from None
        self._owned.push_async_callback(fleet.close)

    async def _open_admin(
        self, admin: Admin, fleet: FleetService, live_calls: LiveCalls, store: Store
    ) -> None:
        """Open the admin listener, and tell the other runners where it is."""
        session = await self._owned.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
            )
        )
        app = create_admin_app(
            admin,
            self._secrets,
            runner=fleet.member.info.id,
            live_calls=live_calls,
            store=store,
            versions=self.versions,
            session=session,
            metrics=self._metrics,
            is_dev=self._is_dev,
            clock=self._clock,
            scenario_of=self._scenario_of,
        )
        most = min(MOST_CONNECTIONS, self._shares.connections // 4)
        listener = Listener(app, most=most, metrics=self._metrics, timeouts=self._timeouts)
        self._owned.push_async_callback(listener.close)
        host, port = await _listen(listener, admin.host, admin.port, most, "server.admin.port")
        self.admin_url = url_of(host, port)
        fleet.reached_at(await asyncio.to_thread(address_of, admin, host, port))

    async def drain(self, hurry: asyncio.Event) -> None:
        """Take no new calls, give the live ones `server.drain_timeout`, or until `hurry`, and end the rest.

        A call that is still live then is hung up: without us it would talk to nobody. The jobs
        after calls are attempted once more, and stay in the store where that is not enough.
        """
        self._phase = Phase.DRAINING
        if self._live_calls is None or self._webhooks is None:
            return
        log.info("draining", extra={"live_calls": len(self._live_calls)})
        if self._fleet is not None:
            await self._fleet.hand_over()
        await _unless(hurry, self._until_quiet(), self._configuration.settings.server.drain_timeout_s)
        # A decision that is still being carried out may yet begin a call.
        await self._webhooks.settle()
        if len(self._live_calls):
            log.warning("live calls are ended", extra={"live_calls": len(self._live_calls)})
        await self._live_calls.end("shutdown")
        if self._jobs is not None:
            await _unless(hurry, self._jobs.settle(), self._timeouts.after_call_s)

    async def close(self) -> None:
        """Let go of everything, last in first out, under one deadline. Safe at any time, and twice."""
        try:
            async with asyncio.timeout(self._timeouts.close_s):
                await self._owned.aclose()
        except TimeoutError:
            log.error("not everything could be closed in time")
        except Exception:
            log.exception("not everything could be closed")

    async def _until_quiet(self) -> None:
        if self._webhooks is not None and self._live_calls is not None:
            await self._webhooks.settle()
            await self._live_calls.idle()

    def _takes_calls(self) -> bool:
        """Whether another call can be served to its end."""
        is_full = self._is_full()
        if is_full:
            log.warning("call refused", extra={"reason": FULL, "live_calls": self._shares.calls})
        return self._phase is Phase.READY and not is_full

    def _is_full(self) -> bool:
        return self._live_calls is not None and self._live_calls.held >= self._shares.calls

    def _wake_jobs(self) -> None:
        if self._jobs is not None:
            self._jobs.wake()

    def _obstacles(self) -> list[str]:
        """What keeps us from answering calls."""
        obstacles = [] if self._phase is Phase.READY else [self._phase.value]
        if self._is_full():
            obstacles.append(FULL)
        if self._api_client is not None and self._api_client.obstacle is not None:
            obstacles.append(self._api_client.obstacle)
        return obstacles

    def _troubles(self) -> list[str]:
        """The configuration in force, and what is wrong, though calls are answered."""
        configuration = f"configuration {self.versions.current.source.hash}"
        storage = [] if self._storage is None else self._storage.troubles
        jobs = None if self._jobs is None else self._jobs.trouble
        fleet = [] if self._fleet is None else self._fleet.troubles
        return [configuration, *storage, *fleet, *([jobs] if jobs is not None else [])]

    async def _webhook(self, request: web.Request) -> web.StreamResponse:
        if self._webhooks is None:
            return web.Response(status=503, text="no calls are taken yet\n")
        return await self._webhooks.handle(request)


def check_webhook_secrets(configuration: Configuration, secrets: FoundSecrets) -> None:
    """No secret means no start: whoever knew our address could have us accept calls.

    Raises CannotRunError.
    """
    references = configuration.settings.provider.webhook_secrets
    if not references:
        raise CannotRunError("provider.webhook_secrets names no secret, so that no webhook could be verified")
    for reference, secret in zip(references, secrets.webhook_secrets(), strict=True):
        if not is_secret(secret):
            raise CannotRunError(
                f'{reference} holds no webhook secret; it would be "whsec_" and base64 of at least '
                f"{MIN_KEY_BYTES} bytes, as the API shows it"
            )


def check_api_key(configuration: Configuration, secrets: FoundSecrets) -> None:
    """A key that no header can hold would have every call ring unanswered. Raises CannotRunError."""
    key = secrets.api_key()
    if not (key.isascii() and key.isprintable()) or " " in key:
        reference = configuration.settings.provider.api_key
        raise CannotRunError(f"{reference} is not an API key; it would be printable ASCII without spaces")


async def _unless(hurry: asyncio.Event, work: Coroutine[Any, Any, None], longest_s: float) -> None:
    """Wait for the work, but no longer than so many seconds, nor when there is a hurry."""
    waits = (asyncio.create_task(work), asyncio.create_task(hurry.wait()))
    await asyncio.wait(waits, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    for result in await asyncio.gather(*waits, return_exceptions=True):
        if isinstance(result, Exception):
            log.error("work that the end of the process waited for has failed", exc_info=result)


async def _listen(listener: Listener, host: str, port: int, backlog: int, option: str) -> tuple[str, int]:
    """Open the port; the address that was opened. `option` chooses another port."""
    try:
        return await listener.listen(host, port, backlog)
    except socket.gaierror as error:
        raise CannotRunError(f'host "{host}" cannot be resolved; write an address of this machine') from error
    except OSError as error:
        raise CannotRunError(_cannot_listen(host, port, option, error)) from error


def url_of(host: str, port: int) -> str:
    """The address of a listener."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _cannot_listen(host: str, port: int, option: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f'port {port} of "{host}" is in use; choose another with {option}'
        case errno.EACCES | errno.EPERM:
            return f"port {port} may not be opened by this user; choose one above 1023"
        # From Python 3.13 on, asyncio passes over addresses of others and at the end names no errno.
        case errno.EADDRNOTAVAIL | None:
            return (
                f'"{host}" is not an address of this machine; write one in {option.replace("port", "host")}'
            )
        case _:
            return f'"{host}" port {port} cannot be opened: {error.strerror or error}'


def webhook_url(runner_url: str) -> str:
    """Where webhooks arrive at this machine."""
    return runner_url + WEBHOOK_PATH
