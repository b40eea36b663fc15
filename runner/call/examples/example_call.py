"""A made-up call: who calls which number, when, and the headers that a carrier would send."""

from dataclasses import dataclass

from runner.call.addresses.incoming import incoming_call
from runner.call.browser.sdp import EXAMPLE_OFFER
from runner.model.call import WEB, Headers, IncomingCall, Origin, Ringing, SipOrigin, Transport, WebRtcOrigin
from runner.model.route import RoutingSettings
from runner.model.values import Instant

CALLER = "+14155550100"
CALLED = "+18005550100"

CARRIER_HOST = "pstn.carrier.example"
EXAMPLE_ID = "rtc_example"

WEB_CALLER = f"{WEB}user-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleCall:
    """A call at an instant, as its headers announce it."""

    called: str
    caller: str
    headers: Headers = ()
    """Headers other than those of the parties."""
    at: Instant

    @property
    def transport(self) -> Transport:
        """How the caller reaches the voice API, which follows from the parties."""
        is_from_browser = self.caller.startswith(WEB) or self.called.startswith(WEB)
        return Transport.WEBRTC if is_from_browser else Transport.SIP

    def sip_headers(self, routing: RoutingSettings, call_id: str = EXAMPLE_ID) -> Headers:
        """All headers, as a carrier would send them."""
        return sip_headers(
            caller=self.caller,
            called=self.called,
            call_id=call_id,
            project=project_address(routing),
            more=self.headers,
        )

    def incoming(self, routing: RoutingSettings) -> IncomingCall:
        """The call as a runner with these settings reads it."""
        origin: Origin
        if self.transport is Transport.WEBRTC:
            origin = browser_origin(self.caller, self.called)
        else:
            origin = SipOrigin(headers=self.sip_headers(routing))
        return incoming_call(Ringing(call_id=EXAMPLE_ID, created_at=self.at, origin=origin), routing)


def browser_origin(caller: str, called: str) -> WebRtcOrigin:
    """The origin of a browser's call between these parties; without an agent it asks for none."""
    return WebRtcOrigin(
        subject=(caller.removeprefix(WEB) if caller.startswith(WEB) else "") or WEB_CALLER.removeprefix(WEB),
        agent=called.removeprefix(WEB) or None if called.startswith(WEB) else None,
        offer=EXAMPLE_OFFER,
    )


def project_address(routing: RoutingSettings) -> str | None:
    """The content of `To` when the dialled number is in another header; None where the project is unknown."""
    prefix = routing.project_prefix
    return None if prefix is None else f"sip:{prefix}example@voice-api.example"


def sip_headers(
    *, caller: str, called: str, call_id: str, project: str | None = None, more: Headers = ()
) -> Headers:
    """The headers of an INVITE that a carrier forwards to the API.

    `To` is the API's project, and the dialled number is in `Diversion`, as carriers really send it. A
    `called` that is a whole `sip:` address goes into `To` itself: it comes from one's own exchange.
    """
    dialled_directly = called.startswith(("sip:", "sips:"))
    to = called if dialled_directly else project or f"sip:{called}@{CARRIER_HOST}"
    diversion = (("Diversion", f"<sip:{called}@{CARRIER_HOST}>;reason=unconditional"),)
    return (
        ("Via", f"SIP/2.0/TLS {CARRIER_HOST}:5061;branch=z9hG4bK{call_id[-8:]}"),
        ("From", _from(caller)),
        ("To", f"<{to};transport=tls>" if to == project else f"<{to}>"),
        ("Call-ID", f"{call_id}@{CARRIER_HOST}"),
        ("CSeq", "1 INVITE"),
        *(diversion if to == project else ()),
        *more,
    )


def _from(caller: str) -> str:
    if caller.startswith(("sip:", "sips:", "tel:")):
        return f"<{caller}>;tag=example"
    if caller == "anonymous":
        return '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=example'
    return f'"{caller}" <sip:{caller}@{CARRIER_HOST}>;tag=example'
