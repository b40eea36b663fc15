"""Checks the hosts of requests: name, address, egress, connection, certificate. None is sent a request."""

import asyncio
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from runner.doctor.finding import Finding, Topic
from runner.doctor.probe import EXPIRES_SOON_S, LookUp, NotReached, Reached, probe
from runner.model.settings import Configuration
from runner.model.tool import ClientCredentials, HttpBinding
from runner.model.values import Instant
from runner.wording import plural

AT_ONCE = 8
ENDPOINT = Topic("endpoint")


async def examine_endpoints(
    configuration: Configuration, tls: ssl.SSLContext, *, now: Instant, look_up: LookUp | None = None
) -> list[Finding]:
    """One finding for each host. No request is sent to any."""
    egress, places = configuration.settings.egress, asyncio.Semaphore(AT_ONCE)

    async def examine(origin: str, users: list[str]) -> Finding:
        async with places:
            result = await probe(origin, tls, egress=egress, look_up=look_up)
        host = urlsplit(origin).hostname or origin
        if isinstance(result, NotReached):
            return result.finding(ENDPOINT, f"{host} for {_users(users)}")
        return reached_finding(host, result, users, now)

    return await asyncio.gather(*(examine(*one) for one in origins(configuration).items()))


def reached_finding(host: str, reached: Reached, users: list[str], now: Instant) -> Finding:
    text = f"{host} for {_users(users)}: {reached.address}, {reached.took_s * 1000:.0f} ms"
    if reached.expires_at is not None and reached.expires_at - now < EXPIRES_SOON_S:
        days = max(0, int((reached.expires_at - now) // 86400))
        return ENDPOINT.warning(f"{text}; its certificate ends in {plural(days, 'day')}", "have it renewed")
    return ENDPOINT.ok(text)


def origins(configuration: Configuration) -> dict[str, list[str]]:
    """Each scheme, host and port of requests, with who sends them.

    The host of a URL is never a template, so it can be read from the text.
    """
    users_by_origin: dict[str, list[str]] = {}
    for user, url in _urls(configuration):
        parts = urlsplit(url)
        users = users_by_origin.setdefault(f"{parts.scheme}://{parts.netloc}", [])
        if user not in users:
            users.append(user)
    return users_by_origin


def _urls(configuration: Configuration) -> Iterator[tuple[str, str]]:
    for agent in configuration.agents.values():
        if agent.lookup is not None:
            yield from _of_binding("lookup", agent.lookup.http)
        for tool in agent.tools:
            if isinstance(tool.binding, HttpBinding):
                yield from _of_binding(tool.name, tool.binding)
        for binding in agent.on_end:
            yield from _of_binding("on_end", binding)


def _of_binding(user: str, binding: HttpBinding) -> Iterator[tuple[str, str]]:
    yield user, binding.url.source
    if isinstance(binding.auth, ClientCredentials):
        yield f"tokens of {user}", binding.auth.token_url


def _users(users: list[str]) -> str:
    return ", ".join(users[:3]) + (f" and {len(users) - 3} more" if len(users) > 3 else "")
