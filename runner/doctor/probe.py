"""Connects to a host as far as TLS and sends nothing: finds where the way to it ends, and why."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias
from urllib.parse import urlsplit

from runner.call.tools.egress import refuse_address
from runner.doctor.finding import Finding, Topic
from runner.model.settings import Egress
from runner.model.values import Instant

CONNECT_S = 5.0
"""For each of the name, the connection and the handshake."""
EXPIRES_SOON_S = 14 * 86400.0

LookUp: TypeAlias = Callable[[str, int], list[str]]
"""The addresses of a name, as text. Raises OSError."""


class Obstacle(Enum):
    """Where the way to a host ends. The value is what to do."""

    EGRESS = (
        "if it is meant to be reached, name the host in egress.allow of runner.yaml; else have its name lead "
        "to a public address"
    )
    NAME = "is the name right, and can this machine look up names?"
    REFUSED = "is the service up, is the port right, and does a firewall let it be reached?"
    TIMEOUT = "does a firewall between here and there drop connections?"
    UNREACHABLE = "is this machine's network up, and is there a route to that address?"
    CERTIFICATE = (
        "have the server send its whole chain, for this name; for an authority of your own set SSL_CERT_FILE"
    )
    TLS = "does that port speak TLS? If not, write http:// or its TLS port"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A connection was made, over TLS where the URL says so."""

    address: str
    took_s: float
    expires_at: Instant | None = None
    """When the server's certificate ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReached:
    """No connection was made."""

    obstacle: Obstacle
    detail: str

    def finding(self, topic: Topic, what: str = "") -> Finding:
        """The finding for it. `what` comes before the detail."""
        text = f"{what}: {self.detail}" if what else self.detail
        return topic.error(text, self.obstacle.value)


async def probe(
    url: str,
    tls: ssl.SSLContext,
    *,
    egress: Egress | None = None,
    look_up: LookUp | None = None,
    connect_s: float = CONNECT_S,
) -> Reached | NotReached:
    """Connect to the host of a URL. `egress`: what a tool may reach; None: everything."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_secure = parts.scheme == "https"
    port = parts.port or (443 if is_secure else 80)
    clock = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(connect_s):
            addresses = await asyncio.to_thread(look_up or _addresses, host, port)
    except TimeoutError:
        return NotReached(
            obstacle=Obstacle.NAME, detail=f'the name "{host}" was not looked up in {connect_s:g} s'
        )
    except (OSError, UnicodeError) as error:
        return NotReached(obstacle=Obstacle.NAME, detail=f'the name "{host}" is not known ({_words(error)})')
    if egress is not None:
        refusals = [refuse_address(host, address, egress) for address in addresses]
        allowed = [address for address, refusal in zip(addresses, refusals, strict=True) if refusal is None]
        if not allowed:
            return NotReached(obstacle=Obstacle.EGRESS, detail=next(filter(None, refusals)))
        addresses = allowed
    unreachable = NotReached(obstacle=Obstacle.NAME, detail=f'the name "{host}" has no address')
    for address in addresses:
        began = clock()
        where = f"{address} port {port}"
        try:
            async with asyncio.timeout(connect_s):
                _, writer = await asyncio.open_connection(
                    address,
                    port,
                    ssl=tls if is_secure else None,
                    server_hostname=host if is_secure else None,
                )
        except (OSError, TimeoutError) as error:
            unreachable = _unreachable(error, host, where, connect_s)
            continue
        expires_at = _expiry(writer.get_extra_info("peercert")) if is_secure else None
        writer.transport.abort()
        return Reached(address=address, took_s=clock() - began, expires_at=expires_at)
    return unreachable


def _unreachable(error: OSError, host: str, where: str, connect_s: float) -> NotReached:
    match error:
        case ssl.SSLCertVerificationError():
            reason = error.verify_message.rstrip(".")
            return NotReached(
                obstacle=Obstacle.CERTIFICATE, detail=f'the certificate of "{host}" is not valid: {reason}'
            )
        case ssl.SSLError():
            reason = (error.reason or "the handshake failed").replace("_", " ").lower()
            return NotReached(obstacle=Obstacle.TLS, detail=f"{where} does not speak TLS ({reason})")
        case ConnectionRefusedError():
            return NotReached(obstacle=Obstacle.REFUSED, detail=f"{where} refuses connections")
        case TimeoutError():
            return NotReached(obstacle=Obstacle.TIMEOUT, detail=f"{where} does not answer in {connect_s:g} s")
        case ConnectionError():
            return NotReached(obstacle=Obstacle.TLS, detail=f"{where} closes the connection")
        case _:
            code = errno.errorcode.get(error.errno or 0, "")
            return NotReached(
                obstacle=Obstacle.UNREACHABLE,
                detail=f"{where} cannot be reached ({_words(error)}{f', {code}' if code else ''})",
            )


def _addresses(host: str, port: int) -> list[str]:
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(address[0]) for *_, address in addresses))


def _expiry(certificate: dict[str, object] | None) -> Instant | None:
    end = (certificate or {}).get("notAfter")
    return float(ssl.cert_time_to_seconds(end)) if isinstance(end, str) else None


def _words(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).lower()
