"""A look-up in tables of 10, 1,000 and 100,000 routes: it must not cost more in a larger one."""

import time
from collections.abc import Iterator

from runner.call.addresses.address import read_address
from runner.call.routes.routing import RouteTable
from runner.model.call import IncomingCall
from runner.model.route import AnyOf, Conditions, ExactNumber, Prefix, Route
from runner.model.values import Place
from tests.benchmarks.row import Row

SIZES = (10, 1_000, 100_000)
LOOK_UPS = 2_000
TIMES = 5
LIMIT = 3.0
"""Larger tables miss the processor's caches more often; a scan would be thousands of times slower."""


def rows() -> Iterator[Row]:
    """Microseconds of one look-up, against the same look-up in the smallest table."""
    floor_us: float | None = None
    for size in SIZES:
        table = RouteTable(_routes(size))
        calls = _calls(size)
        best_us = min(_seconds(table, calls) for _ in range(TIMES)) / LOOK_UPS * 1e6
        floor_us = floor_us or best_us
        yield Row(
            name=f"route look-up, {size:,} routes", ours=best_us, unit="µs", floor=floor_us, limit=LIMIT
        )


def _routes(size: int) -> list[Route]:
    """Of ten routes, six name a number, two a prefix, one a caller, one a list of numbers."""
    return [
        Route(agent=f"agent-{i}", conditions=_conditions(i), place=Place("a.yaml", i + 1, 1))
        for i in range(size)
    ]


def _conditions(i: int) -> Conditions:
    kind = i % 10
    if kind < 6:
        return Conditions(called=ExactNumber(_number(i)))
    if kind < 8:
        return Conditions(called=Prefix(_prefix(i)))
    if kind == 8:
        return Conditions(caller=ExactNumber(_number(i)))
    return Conditions(called=AnyOf(tuple(ExactNumber(_number(i * 10 + 5_000_000 + j)) for j in range(5))))


def _calls(size: int) -> list[IncomingCall]:
    """Every second call is to a number that a route names, the others to one under a prefix."""
    calls = []
    for look_up in range(LOOK_UPS):
        i = (look_up * 7919) % size // 10 * 10
        number = _number(i) if look_up % 2 else _prefix(i + 6) + "0123"
        calls.append(
            IncomingCall(
                id="rtc_1",
                caller=read_address("sip:+442079460958@carrier.example"),
                called=read_address(f"sip:{number}@carrier.example"),
                called_found_in="Diversion",
            )
        )
    return calls


def _number(i: int) -> str:
    return f"+4930{i:08}"


def _prefix(i: int) -> str:
    return f"+1{i:06}"


def _seconds(table: RouteTable, calls: list[IncomingCall]) -> float:
    started = time.process_time()
    for call in calls:
        if table.match(call, 0.0).agent is None:
            raise AssertionError("every call of the benchmark has a route")
    return time.process_time() - started
