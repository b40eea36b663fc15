"""The admin API and the console of one process, behind a listener of their own."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from runner.errors import CannotRunError
from runner.model.settings import Admin
from runner.serve.addresses import is_loopback
from runner.serve.admin.access import MIN_TOKEN, Access, CurrentToken
from runner.serve.admin.app import AdminApp
from runner.serve.admin.calls import CallRequests
from runner.serve.admin.followed import FollowedCalls
from runner.serve.admin.peers import AdminPeers
from runner.serve.admin.record_requests import RecordRequests, ScenarioOf
from runner.serve.admin.streams import Streams
from runner.serve.listen_address import open_port, peer_url, url_of
from runner.serve.listener import Listener
from runner.serve.process import Process
from runner.serve.secrets import FoundSecrets
from runner.serve.service import Service
from runner.serve.versions import Versions

MOST_CONNECTIONS = 128
"""Of the admin listener: streams, browsers and other runners."""


def check_tokens(admin: Admin, tokens: Mapping[str, str]) -> None:
    """A token that can be guessed is worse than none. Raises CannotRunError."""
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


async def open_admin(
    admin: Admin,
    process: Process,
    service: Service,
    *,
    secrets: FoundSecrets,
    versions: Versions,
    is_dev: bool,
    scenario_of: ScenarioOf | None,
) -> str:
    """Open the listener, let the other runners know where it is, and return its URL here.

    Raises CannotRunError when it cannot listen.
    """
    store, fleet, live_calls = service.storage.store, service.fleet, service.live_calls
    clock, runner = process.clock, fleet.keeper.info.id
    followed = FollowedCalls(live_calls, runner, clock)
    peers = AdminPeers(store, runner, await process.peer_session(), service.storage.saver.has)
    streams = Streams(followed, peers, store, lambda: sorted(versions.current.configuration.agents), clock)
    access = Access(_tokens_of(admin, secrets), hosts=_hosts(admin), is_dev=is_dev)
    calls = CallRequests(live_calls, followed, peers, streams, access=access, clock=clock)
    records = RecordRequests(store, versions, clock=clock, scenario_of=scenario_of)
    app = AdminApp(access, {**calls.handlers(), **records.handlers()}, process.metrics, clock=clock).create()
    most = min(MOST_CONNECTIONS, process.shares.connections // 4)
    listener = Listener(app, most=most, metrics=process.metrics, timeouts=process.timeouts)
    process.owner.push_async_callback(listener.close)
    host, port = await open_port(listener, admin.host, admin.port, most, "server.admin.port")
    fleet.reached_at(await asyncio.to_thread(peer_url, admin.address, host, port))
    return url_of(host, port)


def _hosts(admin: Admin) -> frozenset[str]:
    """The names under which we can be reached; addresses need no name."""
    named = {admin.host.lower(), socket.gethostname().lower(), *admin.hosts}
    if admin.address is not None:
        named.add((urlsplit(admin.address).hostname or "").lower())
    return frozenset(named)


def _tokens_of(admin: Admin, secrets: FoundSecrets) -> Callable[[], Mapping[str, CurrentToken]]:
    """The current tokens: one in a file may rotate."""

    def now() -> Mapping[str, CurrentToken]:
        return {
            name: CurrentToken(value=value, may=admin.tokens[name].may)
            for name, value in secrets.admin_tokens().items()
            if name in admin.tokens
        }

    return now
