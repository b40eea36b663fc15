"""Finds a call that a given agent answers: candidates made from its routes, tried on the real table. Pure."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from runner.call.addresses.incoming import incoming_call
from runner.call.routes.routing import RouteTable
from runner.call.routes.schedule import is_open
from runner.model.call import IncomingCall, Ringing, SipOrigin, Transport
from runner.model.route import (
    Anonymous,
    AnyOf,
    Conditions,
    Country,
    ExactAddress,
    ExactNumber,
    Glob,
    Matcher,
    Prefix,
    RoutingSettings,
    Text,
)
from runner.model.settings import Configuration
from runner.model.values import Instant
from runner.standin.webhook import Headers, sip_headers

CALLER = "+14155550100"
CALLED = "+18005550100"
MOST_TRIED = 400
QUARTER_OF_AN_HOUR_S = 900
LONGEST_CLOSED_S = 14 * 86400
"""Schedules are weekly, and a week may be closed by holidays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleCall:
    """Who calls which number with which further headers, and when."""

    caller: str
    called: str
    headers: Headers = ()
    at: Instant
    waits_for: str | None = None
    """The schedule that is closed now and open at `at`."""

    def sip_headers(self, call_id: str) -> Headers:
        """All headers, as a carrier would send them."""
        return sip_headers(caller=self.caller, called=self.called, call_id=call_id, more=self.headers)

    def incoming(self, routing: RoutingSettings) -> IncomingCall:
        """The call as the runner will read it."""
        call_id = "rtc_example"
        headers = self.sip_headers(call_id)
        origin = SipOrigin(headers=tuple(headers))
        return incoming_call(Ringing(call_id=call_id, created_at=self.at, origin=origin), routing)


def agent_of(example: ExampleCall, configuration: Configuration, table: RouteTable) -> str | None:
    """The agent that answers; None when the call is turned away."""
    return table.match(example.incoming(configuration.settings.routing), example.at).agent


def example_call(
    agent: str,
    configuration: Configuration,
    table: RouteTable,
    now: Instant,
    *,
    caller: str | None = None,
    called: str | None = None,
) -> ExampleCall | None:
    """A call that `agent` answers, as soon as its schedules allow; None when none was found.

    A `caller` or `called` that is given is kept.
    """
    routes = configuration.agents[agent].routes
    wanted = [route.conditions for route in routes if route.conditions.transport is not Transport.WEBRTC]
    candidates = (
        example
        for conditions in [*wanted, Conditions()]
        for example in _candidates(conditions, configuration, now, caller, called)
    )
    fitting = (
        example
        for example in itertools.islice(candidates, MOST_TRIED)
        if agent_of(example, configuration, table) == agent
    )
    return min(fitting, key=lambda example: example.at, default=None)


def _candidates(
    conditions: Conditions, configuration: Configuration, now: Instant, caller: str | None, called: str | None
) -> Iterator[ExampleCall]:
    headers = tuple(
        (name, value)
        for name, matcher in conditions.headers
        if (value := next(_texts(matcher), None)) is not None
    )
    opening = _opening(conditions.during, configuration, now)
    calleds = [called] if called else [*_addresses(conditions.called), CALLED]
    # A share is of callers, so several are tried.
    spread = 40 if conditions.share is not None else 3
    others = [f"+1415555{number:04d}" for number in range(100, 100 + spread)]
    callers = [caller] if caller else [*_addresses(conditions.caller), CALLER, *others, "anonymous"]
    for one_called, one_caller in itertools.product(calleds, callers):
        yield ExampleCall(
            caller=one_caller,
            called=one_called,
            headers=headers,
            at=opening,
            waits_for=conditions.during if opening != now else None,
        )


def _opening(name: str | None, configuration: Configuration, now: Instant) -> Instant:
    """Now, or the next quarter of an hour at which the schedule is open."""
    schedule = configuration.settings.schedules.get(name) if name else None
    if schedule is None or is_open(schedule, now):
        return now
    first = now - now % QUARTER_OF_AN_HOUR_S + QUARTER_OF_AN_HOUR_S
    quarters = (
        first + step * QUARTER_OF_AN_HOUR_S for step in range(LONGEST_CLOSED_S // QUARTER_OF_AN_HOUR_S)
    )
    return next((quarter for quarter in quarters if is_open(schedule, quarter)), now)


def _addresses(matcher: Matcher | None) -> Iterator[str]:
    """Addresses that a matcher likely matches; none for patterns that cannot be turned round."""
    match matcher:
        case ExactNumber(number=number):
            yield number
        case ExactAddress(user=user, host=host):
            yield f"sip:{user}@{host}" if user else f"sip:{host}"
        case Prefix(prefix=prefix):
            # Eleven digits with the country code are a valid number in most plans.
            missing = max(0, len(CALLER) - len(prefix))
            yield prefix + CALLER[len(CALLER) - missing :]
        case Country(codes=codes):
            yield from _numbers_of(codes)
        case Glob(user=user, host=host):
            yield f"sip:{(user or '1001').replace('*', '')}@{(host or 'pbx.example').replace('*', 'pbx')}"
        case Anonymous(anonymous=True):
            yield "anonymous"
        case AnyOf(matchers=matchers):
            for inner in matchers[:10]:
                yield from _addresses(inner)


def _numbers_of(codes: frozenset[str]) -> Iterator[str]:
    import phonenumbers  # noqa: PLC0415 - its metadata takes long to load, and few routes name countries

    for code in sorted(codes):
        number = phonenumbers.example_number(code)
        if number is not None:
            yield phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _texts(matcher: Matcher) -> Iterator[str]:
    """Values of a header that a matcher likely matches."""
    match matcher:
        case Text(pattern=pattern):
            yield pattern.replace("*", "example")
        case AnyOf(matchers=matchers):
            for inner in matchers:
                yield from _texts(inner)
        case _:
            yield from _addresses(matcher)
