"""The table, with its index and compiled matchers, against a scan that follows the language word by word."""

import fnmatch
import re
from datetime import time
from itertools import combinations
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.call.addresses.address import read_address
from runner.call.routes.routing import RouteTable
from runner.model.call import Address, IncomingCall, SipOrigin, Transport, WebRtcOrigin
from runner.model.route import (
    Anonymous,
    AnyOf,
    Conditions,
    Country,
    ExactAddress,
    ExactNumber,
    Glob,
    Matcher,
    Not,
    Prefix,
    Regex,
    RejectRule,
    Route,
    Text,
    ToAgent,
)
from runner.model.schedule import OpenHours, Schedule
from runner.model.values import Place

SPELLINGS = [
    "sip:+14155550100@a.example",
    "sip:+14155550101@b.example",
    "tel:+16045550123",
    "sip:+442079460958@a.example",
    "sip:desk@a.example",
    "sip:desk@b.example",
    "sip:anonymous@anonymous.invalid",
    "sip:a.example",
    "not readable",
]
ADDRESSES = [read_address(text) for text in SPELLINGS]
NUMBERS = ["+14155550100", "+14155550101", "+16045550123", "+442079460958"]

# Values that are made once, and drawn: hypothesis takes longer to draw their parts than the table to answer.
leaf = st.one_of(
    st.sampled_from([ExactNumber(number) for number in NUMBERS]),
    st.sampled_from(
        [
            ExactAddress(user, host)
            for user in (None, "desk", "+14155550100")
            for host in ("a.example", "B.example")
        ]
    ),
    st.sampled_from([Prefix(number[:length]) for number in NUMBERS for length in range(2, 14)]),
    st.sampled_from(
        [Country(frozenset(some)) for size in (1, 2, 3) for some in combinations(("US", "CA", "GB"), size)]
    ),
    st.sampled_from(
        [
            Glob(user, host)
            for user in (None, "desk", "+1*", "*5*")
            for host in (None, "a.example", "*.example")
        ]
    ),
    st.sampled_from([Regex(pattern) for pattern in ("sip:.*", r".*@a\.example", r"tel:\+1\d+")]),
    st.sampled_from([Anonymous(False), Anonymous(True)]),
)
LISTED: list[Matcher] = [*(ExactNumber(number) for number in NUMBERS), ExactAddress("desk", "a.example")]
listed = st.lists(st.sampled_from(LISTED), max_size=3).map(
    lambda entries: AnyOf(tuple(entries), listed_in="_list.txt")
)
matcher = st.recursive(
    leaf | listed,
    lambda inner: st.lists(inner, max_size=3).map(lambda ms: AnyOf(tuple(ms))) | inner.map(Not),
    max_leaves=5,
)
values = st.sampled_from([Text(text) for text in ("gold", "silver", "g*", "*", "+14155550100")])
listed_values = st.lists(values, max_size=3).map(lambda ms: AnyOf(tuple(ms), listed_in="_values.txt"))
header_leaf = values | listed_values | leaf
header_matcher = st.recursive(
    header_leaf,
    lambda inner: st.lists(inner, max_size=3).map(lambda ms: AnyOf(tuple(ms))) | inner.map(Not),
    max_leaves=4,
)
conditions = st.builds(
    Conditions,
    called=st.none() | matcher,
    caller=st.none() | matcher,
    headers=st.lists(st.tuples(st.sampled_from(["X-Plan", "x-region"]), header_matcher), max_size=2).map(
        tuple
    ),
    during=st.sampled_from([None, None, "morning"]),
    transport=st.sampled_from([None, None, *Transport]),
    share=st.sampled_from([None, None, 0.0, 0.3, 0.7, 1.0]),
)
routes = st.lists(
    st.builds(
        Route,
        agent=st.sampled_from(["a", "b", "c"]),
        conditions=conditions,
        priority=st.sampled_from([0, 0, 0, 1, -1]),
        place=st.sampled_from(
            [Place("a.yaml", line, column) for line in range(1, 10) for column in range(1, 10)]
        ),
    ),
    max_size=12,
)
rejects = st.lists(
    st.builds(
        RejectRule,
        conditions=conditions,
        status=st.integers(400, 699),
        place=st.sampled_from([Place("runner.yaml", line, 1) for line in range(1, 10)]),
    ),
    max_size=1,
)
calls = st.builds(
    IncomingCall,
    id=st.sampled_from(["rtc_1", "rtc_2"]),
    caller=st.sampled_from(ADDRESSES),
    called=st.sampled_from(ADDRESSES),
    called_found_in=st.just("To"),
    origin=st.builds(
        SipOrigin,
        headers=st.lists(
            st.tuples(
                st.sampled_from(["X-Plan", "X-PLAN", "X-Region"]),
                st.sampled_from(["gold", "silver", *SPELLINGS]),
            ),
            max_size=3,
        ).map(tuple),
    )
    | st.builds(WebRtcOrigin, agent=st.sampled_from([None, "a", "b", "z"])),
)
SCHEDULES = {
    "morning": Schedule(
        name="morning", timezone=ZoneInfo("UTC"), week=((OpenHours(start=time(6), end=time(12)),),) * 7
    )
}


def whole(address: Address) -> str:
    if address.user is None and address.host is None:
        return address.uri
    scheme = "tel" if address.uri.startswith("tel:") else "sip"
    return f"{scheme}:" + "@".join(part for part in (address.user, address.host) if part)


def star(pattern: str, text: str | None) -> bool:
    return text is not None and fnmatch.fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))


def how(m: Matcher, texts: list[tuple[str, Address]]) -> tuple[int, int] | None:
    """How specific the matcher is for these values, or None: the language's table, row by row."""
    match m:
        case AnyOf(matchers=inner):
            found = [got for each in inner if (got := how(each, texts)) is not None]
            return max(found, default=None)
        case Not(matcher=inner):
            return (2, 0) if how(inner, texts) is None else None
        case Anonymous(anonymous=True):
            return (3, 0) if any(address.anonymous for _, address in texts) else None
        case Anonymous():
            return None if any(address.anonymous for _, address in texts) else (2, 0)
    found = [got for text, address in texts if (got := how_one(m, text, address)) is not None]
    return max(found, default=None)


def how_one(m: Matcher, text: str, address: Address) -> tuple[int, int] | None:
    match m:
        case ExactNumber(number=number) if address.number == number:
            return (5, 0)
        case ExactAddress(user=user, host=host) if (address.user, address.host) == (user, host.lower()):
            return (6, 0)
        case Prefix(prefix=prefix) if (address.number or "").startswith(prefix):
            return (4, len(prefix))
        case Country(codes=codes) if address.country in codes:
            return (1, 0)
        case Glob(user=user, host=host):
            fits = (user is None or star(user, address.user)) and (host is None or star(host, address.host))
            return (3, 0) if fits else None
        case Regex(pattern=pattern) if re.fullmatch(pattern, text):
            return (3, 0)
        case Text(pattern=pattern) if star(pattern, text):
            return (3, 0) if "*" in pattern else (6, 0)
    return None


def rank(
    c: Conditions, priority: int, owner: str, call: IncomingCall, now: float
) -> tuple[object, ...] | None:
    from hashlib import blake2b

    parts: list[object] = [priority]
    for wanted, address in ((c.called, call.called), (c.caller, call.caller)):
        got = (0, 0) if wanted is None else how(wanted, [(whole(address), address)])
        if got is None:
            return None
        parts.append(got)
    headers = []
    for name, wanted_header in c.headers:
        values = [(v, read_address(v)) for n, v in call.headers if n.lower() == name.lower()]
        got = how(wanted_header, values)
        if got is None:
            return None
        headers.append(got)
    hour = now // 3600 % 24
    who = call.id if call.caller.anonymous else call.caller.number or whole(call.caller)
    position = int.from_bytes(blake2b(f"{owner}\0{who}".encode(), digest_size=8).digest(), "big") / 2**64
    if c.during and not 6 <= hour < 12:
        return None
    if isinstance(call.origin, WebRtcOrigin) and owner != "reject":
        if c.transport is not Transport.WEBRTC or call.origin.agent not in (None, owner):
            return None
    elif c.transport not in (None, call.transport):
        return None
    if c.share is not None and position >= c.share:
        return None
    share = 0.0 if c.share is None else 2.0 - c.share
    return (*parts, sorted(headers, reverse=True), c.during is not None, c.transport is not None, share)


@settings(max_examples=600)
@given(routes, rejects, calls, st.sampled_from([0.0, 8 * 3600.0]))
def test_the_table_answers_as_a_scan_would(
    routes: list[Route], rejects: list[RejectRule], call: IncomingCall, now: float
) -> None:
    table = RouteTable(routes, rejects=rejects, otherwise=ToAgent(agent="nobody"), schedules=SCHEDULES)
    match = table.match(call, now)
    explained = table.explain(call, now)
    assert explained.match == match
    assert len(explained.others) == len(routes) + len(rejects) - (match.route is not None) - (
        match.rule is not None
    )

    if any(rank(rule.conditions, 0, "reject", call, now) for rule in rejects):
        assert match.reject == rejects[0].status
        assert table.best(call, now) == ()
        return
    ranked = [
        (r, route)
        for route in routes
        if (r := rank(route.conditions, route.priority, route.agent, call, now))
    ]
    if not ranked:
        is_from_browser = isinstance(call.origin, WebRtcOrigin)
        assert (match.agent, match.route) == (None if is_from_browser else "nobody", None)
        return
    highest = max(r for r, _ in ranked)
    best = sorted((route for r, route in ranked if r == highest), key=lambda route: route.place)
    assert list(table.best(call, now)) == best
    assert match.route == best[0]
    for other in explained.others:
        assert other.matches is any(route is other.entry for _, route in ranked)
