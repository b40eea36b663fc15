"""What is to be done about an event: a call is admitted or turned away, everything else passed over. Pure."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from runner.call.addresses.incoming import incoming_call
from runner.call.reception.webhook import WebhookEvent
from runner.call.routes.routing import RouteTable
from runner.model.call import IncomingCall, Ringing, SipOrigin
from runner.model.route import RejectRule, Route
from runner.model.settings import Settings
from runner.model.values import Instant

DECLINE = 603
"""What the API answers with when it is told no status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """This agent answers. `route` is None when `otherwise` chose; `why` is one sentence."""

    call: IncomingCall
    agent: str
    route: Route | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnAway:
    """Nobody answers; the caller is told this SIP status."""

    call: IncomingCall
    status: int
    why: str
    rule: RejectRule | None = None
    """The reject rule that decided, if one did."""


class Ignore(Enum):
    """Nothing is to be done."""

    OTHER_EVENT = "other_event"
    """It announces no call that could be accepted."""
    LATE = "late"
    """OnceById are repeated for up to 72 hours; the caller of an old one is long gone."""


Decision: TypeAlias = Admit | TurnAway | Ignore


def decide(event: WebhookEvent, *, table: RouteTable, settings: Settings, now: Instant) -> Decision:
    """The decision about a verified event."""
    if event.call_id is None:
        return Ignore.OTHER_EVENT
    if now - event.created_at > settings.server.max_call_age_s:
        return Ignore.LATE
    origin = SipOrigin(headers=event.sip_headers)
    ringing = Ringing(call_id=event.call_id, created_at=event.created_at, origin=origin)
    return admit(incoming_call(ringing, settings.routing), table, now)


def admit(call: IncomingCall, table: RouteTable, now: Instant) -> Admit | TurnAway:
    """Who answers the call, going by the routes alone."""
    match = table.match(call, now)
    if match.agent is not None:
        return Admit(call=call, agent=match.agent, route=match.route, why=match.why)
    return TurnAway(call=call, status=match.reject or DECLINE, why=match.why, rule=match.rule)
