"""The table of what is sent beyond each bound: a row is a function, and the bounds that it goes beyond."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

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
