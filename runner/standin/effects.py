"""What the stand-in's side of a call does to its sideband. Values only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from runner.standin.items import Event


@dataclass(frozen=True, slots=True)
class Frame:
    """A text frame that is sent just as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Break:
    """The sideband ends, the call does not. 1006 cuts the connection without a closing frame."""

    close_code: int


@dataclass(frozen=True, slots=True)
class Leave:
    """The call is over, and its sideband ends."""

    close_code: int


Effect: TypeAlias = Event | Frame | Break | Leave
"""A dict is an event to send."""

Flow: TypeAlias = Iterator[float | Callable[[], bool] | Effect]
"""See `runner.standin.flows`."""
