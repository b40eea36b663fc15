"""The admin API and the console of one process, behind a listener of their own."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import aiohttp

from runner.errors import CannotRunError
from runner.model.settings import Admin
from runner.model.values import Instant
from runner.serve.addresses import is_loopback, parsed
from runner.serve.admin.access import MIN_TOKEN, Access, Token
from runner.serve.admin.app import AdminApp
from runner.serve.admin.calls import CallRequests
from runner.serve.admin.followed import FollowedCalls
from runner.serve.admin.peers import Peers
from runner.serve.admin.record_requests import RecordRequests, ScenarioOf
from runner.serve.admin.streams import Streams
from runner.serve.fleet.service import FleetService
from runner.serve.listen_address import open_port, url_of
from runner.serve.listener import Listener
from runner.serve.live_call import LiveCall
from runner.serve.live_calls import LiveCalls
from runner.serve.metrics import Metrics
from runner.serve.secrets import FoundSecrets
from runner.serve.timeouts import Timeouts
from runner.serve.versions import Versions
from runner.store.store import Store

MOST_CONNECTIONS = 128
"""Of the admin listener: streams, browsers and other runners."""


def check_tokens(admin: Admin, secrets: FoundSecrets) -> None:
    """A token that can be guessed is worse than none. Raises CannotRunError."""
    tokens = secrets.admin_tokens()
    for name, token in tokens.items():
        if len(token) < MIN_TOKEN:
            ref = admin.tokens[name].ref if name in admin.tokens else name
            raise CannotRunError(
                f'{ref} holds {len(token)} characters, and admin token "{name}" needs at least {MIN_TOKEN};'
                " make one with: openssl rand -hex 32"
            )
    for name, token in tokens.items():
        same = [other for other, value in tokens.items() if value == token and other != name]
        if same:
            raise CannotRunError(f'the admin tokens "{name}" and "{same[0]}" are the same; give each its own')


def check_dev(admin: Admin) -> None:
    """Without a token only this machine may ask. Raises CannotRunError."""
    if not is_loopback(admin.host):
        raise CannotRunError(
            f'--dev asks for no token, and server.admin.host is "{admin.host}"; listen at 127.0.0.1'
        )


def address_of(declared: str | None, host: str, port: int) -> str:
    """The URL at which other runners reach a listener with this host and port."""
    if declared is not None:
        return declared
    address = parsed(host)
    is_any = address is not None and address.is_unspecified
    return url_of(_own_name() if is_any else host, port)


def _own_name() -> str:
    """The address of this machine; its name where the address is only a loopback's, as on Debian.

    A pod's name means nothing outside the pod, but its address does.
    """
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        return name
    return name if is_loopback(address) else address


async def open_admin(
    admin: Admin,
    secrets: FoundSecrets,
    *,
    owner: AsyncExitStack,
    fleet: FleetService,
    live_calls: LiveCalls[LiveCall],
    store: Store,
    versions: Versions,
    most_connections: int,
    metrics: Metrics,
    timeouts: Timeouts,
    is_dev: bool,
    clock: Callable[[], Instant],
    scenario_of: ScenarioOf | None,
) -> str:
    """Open the listener, let the other runners know where it is, and return its URL here.

    `owner` closes it. Raises CannotRunError when it cannot listen.
    """
    session = await owner.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar())
    )
    runner = fleet.keeper.info.id
    followed = FollowedCalls(live_calls, runner, clock)
    peers = Peers(store, runner, session)
    streams = Streams(followed, peers, store, lambda: sorted(versions.current.configuration.agents), clock)
    access = Access(_tokens_of(admin, secrets), hosts=_hosts(admin), is_dev=is_dev)
    calls = CallRequests(live_calls, followed, peers, streams, access=access, clock=clock)
    records = RecordRequests(store, versions, clock=clock, scenario_of=scenario_of)
    app = AdminApp(access, {**calls.handlers(), **records.handlers()}, metrics, clock=clock).create()
    most = min(MOST_CONNECTIONS, most_connections)
    listener = Listener(app, most=most, metrics=metrics, timeouts=timeouts)
    owner.push_async_callback(listener.close)
    host, port = await open_port(listener, admin.host, admin.port, most, "server.admin.port")
    fleet.reached_at(await asyncio.to_thread(address_of, admin.address, host, port))
    return url_of(host, port)


def _hosts(admin: Admin) -> frozenset[str]:
    """The names under which we can be reached; addresses need no name."""
    named = {admin.host.lower(), socket.gethostname().lower(), *admin.hosts}
    if admin.address is not None:
        named.add((urlsplit(admin.address).hostname or "").lower())
    return frozenset(named)


def _tokens_of(admin: Admin, secrets: FoundSecrets) -> Callable[[], Mapping[str, Token]]:
    """The current tokens: one in a file may rotate."""

    def now() -> Mapping[str, Token]:
        return {
            name: Token(value=value, may=admin.tokens[name].may)
            for name, value in secrets.admin_tokens().items()
            if name in admin.tokens
        }

    return now
