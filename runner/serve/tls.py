"""TLS as a client: one context for all connections, and buffers that fit thousands of quiet ones."""

import ssl
import time
from asyncio import sslproto
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

RECORD_BYTES = 16 * 1024
"""The largest TLS record (RFC 8446, 5.1): a connection never decrypts more than that at once."""
VERIFIED_S = 3600.0
"""How long a host's certificate is trusted before it is verified again."""
MOST_HOSTS = 64


def client_context(clock: Callable[[], float] = time.monotonic) -> ssl.SSLContext:
    """A context that verifies servers against the system's authorities. Share it: one costs 30 ms and 1 MB.

    Its connections to one host resume a session (RFC 8446, 2.2), which takes a third of the CPU of a whole
    handshake. `SSL_CERT_FILE` and `SSL_CERT_DIR` name other authorities, as everywhere.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    hosts = _Hosts(clock)

    class Resuming(ssl.SSLObject):
        """Offers the session of an earlier connection."""

        # Event loops call these for each record, and always say how much to read: what `ssl` adds is then
        # nothing but another call.
        read = property(attrgetter("_sslobj.read"))
        pending = property(attrgetter("_sslobj.pending"))

        _has_begun = False
        _has_offered = False

        def do_handshake(self) -> None:
            """Called again whenever bytes of the server have come."""
            if not self._has_begun:
                self._has_begun = True
                session = hosts.session(self.server_hostname)
                if session is not None:
                    self.session, self._has_offered = session, True
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError:
                if self._has_offered:
                    # The session may be why: the next handshake is a whole one.
                    hosts.forget(self.server_hostname)
                raise
            hosts.connected(self, offered=self._has_offered)

    context.sslobject_class = Resuming
    return context


@dataclass(slots=True)
class _Host:
    verified_at: float
    latest: ssl.SSLObject
    """The last connection: its tickets come after its handshake, with the first bytes."""
    session: ssl.SSLSession | None = None
    has_resumed: bool = False
    """Whether the server has taken the session."""
    renews: bool = False
    """Whether each connection offers the session of the latest one, since the server takes none twice, or for
    long. Otherwise one session serves all, as reading another costs as much as resuming it; that it lets an
    onlooker link connections (RFC 8446, C.4) tells nobody more than the address they come from.
    """


class _Hosts:
    """The sessions of one context, by the name that the host's certificate was verified for."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._hosts: dict[str | None, _Host] = {}

    def session(self, name: str | None) -> ssl.SSLSession | None:
        """What a new connection offers; None for a whole handshake, in which the certificate is verified."""
        host = self._hosts.get(name)
        if host is None or self._clock() - host.verified_at >= VERIFIED_S:
            return None
        if host.session is None or host.renews:
            session = host.latest.session
            if session is not None and session.has_ticket:
                host.session = session
        return host.session

    def connected(self, connection: ssl.SSLObject, *, offered: bool) -> None:
        """A handshake is over, in which a session was `offered` or not."""
        name = connection.server_hostname
        host = self._hosts.get(name)
        if host is not None and connection.session_reused:
            host.latest, host.has_resumed = connection, True
            return
        renews = host is not None and offered and (host.has_resumed or host.renews)
        self._hosts.pop(name, None)
        self._hosts[name] = _Host(verified_at=self._clock(), latest=connection, renews=renews)
        if len(self._hosts) > MOST_HOSTS:
            del self._hosts[next(iter(self._hosts))]

    def forget(self, name: str | None) -> None:
        """Offer no session that is known so far."""
        self._hosts.pop(name, None)


def shrink_read_buffers() -> None:
    """Have asyncio keep a buffer of one record for each TLS connection, instead of 256 KiB.

    `max_size` is a class attribute of asyncio's protocol, and neither a parameter of the loop nor of the
    connection. Frames of the voice API are a few hundred bytes; larger ones are read in several turns.
    """
    sslproto.SSLProtocol.max_size = RECORD_BYTES
