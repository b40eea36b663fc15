"""A call as it arrives: who calls whom, over which transport, with which headers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from runner.model.values import Instant, Json


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
    """One party of a call. Parts that could not be read are None; the raw text is kept in `uri`."""

    uri: str
    user: str | None = None
    host: str | None = None
    display_name: str | None = None
    number: str | None = None
    """E.164 with the leading plus, or None when the address is not a telephone number."""
    country: str | None = None
    """ISO 3166-1 alpha-2 region of `number`."""
    anonymous: bool = False


Headers: TypeAlias = tuple[tuple[str, str], ...]
"""SIP headers as received: in order, repeated names kept. Untrusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipOrigin:
    """The call came over a telephone line; its headers say who calls whom."""

    headers: Headers = ()


WEB = "web:"
"""Prefix of the parties of a browser's call: `web:SUBJECT` calls `web:AGENT`."""
MOST_SUBJECT = 200
"""Characters of the name of a browser's caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRtcOrigin:
    """The call came from a browser, with a token of the user's backend."""

    subject: str = ""
    """The caller's id in the user's backend."""
    agent: str | None = None
    """The agent that the page requests, among those that its token allows. None: whichever agent's route
    matches.
    """
    vars: Mapping[str, Json] = field(default_factory=dict)
    """The token's values for variables of the agent."""
    offer: str | None = None
    """The SDP from which the call is created. None: the page has created the call itself, with a secret of
    the API, so that it is answered already and has an open data channel.
    """
    made_as: str | None = None
    """The API's id of a call that the page has created itself."""
    has_data_channel: bool = False
    """Whether the page can read the session and change it."""


Origin: TypeAlias = SipOrigin | WebRtcOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing:
    """A call that waits for an answer, as the voice API announces it."""

    call_id: str
    """The API's id for the call: opaque, sent back unchanged."""
    created_at: Instant
    """When the call began to ring."""
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingCall:
    """A ringing call, addresses read. `caller` is the language's `call.from`, `called` its `call.to`."""

    id: str
    caller: Address
    called: Address
    called_found_in: str
    """The header that `called` was read from, e.g. `To` or `Diversion`."""
    origin: Origin = SipOrigin()
    created_at: Instant = 0.0

    @property
    def headers(self) -> Headers:
        """The SIP headers of its origin; none for a call from a browser."""
        return self.origin.headers if isinstance(self.origin, SipOrigin) else ()

    @property
    def transport(self) -> Transport:
        """How the caller's audio reaches the voice API."""
        return Transport.SIP if isinstance(self.origin, SipOrigin) else Transport.WEBRTC
