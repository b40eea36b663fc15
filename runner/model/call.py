"""A call as it arrives: who calls whom, over which transport, with which headers."""

from dataclasses import dataclass
from enum import Enum

from runner.model.values import Instant


class Transport(Enum):
    """How the caller's audio reaches the voice API."""

    SIP = "sip"
    WEBRTC = "webrtc"


class Role(Enum):
    """Who speaks."""

    CALLER = "caller"
    AGENT = "agent"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One party of a call. Whatever could not be read is None; the raw text is kept in `uri`."""

    uri: str
    user: str | None = None
    host: str | None = None
    display_name: str | None = None
    number: str | None = None
    """E.164 with the leading plus, or None when the address is no telephone number."""
    country: str | None = None
    """ISO 3166-1 alpha-2 region of `number`."""
    anonymous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingCall:
    """A call that wants an answer. `caller` is the language's `call.from`, `called` its `call.to`."""

    id: str
    """The API's id for the call: opaque, sent back unchanged."""
    caller: Address
    called: Address
    called_found_in: str
    """The header that `called` was read from, e.g. `To` or `Diversion`."""
    headers: tuple[tuple[str, str], ...] = ()
    """SIP headers as received: in order, repeated names kept. Untrusted."""
    transport: Transport = Transport.SIP
    created_at: Instant = 0.0
