"""The table of what is sent beyond each bound: a row is a function, and the bounds that it goes beyond."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

from tests.serve.bounds.service import LoopHeldError, Service

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

ATTEMPTS = 4
"""How often something is sent at most: code holds a loop each time, and a busy machine now and then."""

ALONE: dict[str, tuple[str, ...]] = {}
"""Tests that need a runner of their own, with the bounds that they go beyond."""

Test = TypeVar("Test", bound=Callable[..., Coroutine[Any, Any, None]])


def alone_beyond(*bounds: str) -> Callable[[Test], Test]:
    """Declare a test with a runner of its own.

    It is played again where the loop was held: see `ATTEMPTS`.
    """

    def declare(test: Test) -> Test:
        ALONE[test.__name__] = bounds

        @wraps(test)
        async def played(*, tmp_path: Path, **fixtures: Any) -> None:
            for attempt in range(ATTEMPTS):
                folder = tmp_path / str(attempt)
                folder.mkdir()
                try:
                    await test(tmp_path=folder, **fixtures)
                    return
                except LoopHeldError:
                    if attempt == ATTEMPTS - 1:
                        raise

        return cast(Test, played)

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
