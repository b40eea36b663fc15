"""The table of what is sent beyond each bound: a row is a function, and the bounds that it goes beyond."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

from tests.serve.bounds.service import Service

Send = Callable[[Service], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Sends what is beyond these bounds, and asserts what the sender gets to see of it."""

    bounds: tuple[str, ...]
    """By the names that the page about operating has for them."""
    send: Send

    @property
    def name(self) -> str:
        """What is sent."""
        return self.send.__name__


TABLE: list[Row] = []
WAITING: list[Row] = []
"""Rows that mostly wait. They are played together."""

ALONE: dict[str, tuple[str, ...]] = {}
"""Tests that need a runner of their own, with the bounds that they go beyond."""

Test = TypeVar("Test", bound=Callable[..., Coroutine[Any, Any, None]])


def alone_beyond(*bounds: str) -> Callable[[Test], Test]:
    """Declare a test with a runner of its own."""

    def declare(test: Test) -> Test:
        ALONE[test.__name__] = bounds
        return test

    return declare


def tried() -> set[str]:
    """Every bound that something goes beyond."""
    return {bound for row in (*TABLE, *WAITING) for bound in row.bounds} | {*chain(*ALONE.values())}


def beyond(*bounds: str) -> Callable[[Send], Send]:
    """Declare a row that is played by itself: it costs work."""
    return _into(TABLE, bounds)


def waits_beyond(*bounds: str) -> Callable[[Send], Send]:
    """Declare a row that waits for a deadline."""
    return _into(WAITING, bounds)


def _into(table: list[Row], bounds: tuple[str, ...]) -> Callable[[Send], Send]:
    def declare(send: Send) -> Send:
        table.append(Row(bounds=bounds, send=send))
        return send

    return declare
