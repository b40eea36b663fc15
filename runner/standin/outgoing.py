"""The API's frames over a sideband, with stream faults: twice, late, lost. Pure."""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from runner.model.json_text import compact_json
from runner.model.values import JsonObject
from runner.standin.faults import Late, Lost, Noise, StreamFault, Twice
from runner.standin.items import Event


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A text frame that is sent unchanged."""

    text: str


@dataclass(frozen=True, slots=True)
class CloseSideband:
    """The sideband ends, the call does not. 1006 cuts the connection without a closing frame."""

    close_code: int


@dataclass(frozen=True, slots=True)
class CloseCall:
    """The call is over, and its sideband ends."""

    close_code: int


Outgoing: TypeAlias = Event | RawFrame | CloseSideband | CloseCall
"""A dict is an event to send."""


@dataclass(slots=True)
class _Held:
    frame: str
    events: int


class SidebandStream:
    """Turns events into text frames, with the faults of one call."""

    def __init__(self, faults: tuple[StreamFault, ...] = ()) -> None:
        self._faults = faults
        self._held: list[_Held] = []

    def frames(self, event: JsonObject) -> list[str]:
        """The frames to send for one event, including those that waited for it."""
        kind = event["type"]
        frame = compact_json(event)
        copies, late, before = 1, 0, []
        for fault in self._faults:
            match fault:
                case Noise(before=wanted) if wanted == kind:
                    before.append(fault.frame)
                case Twice(type=wanted) if wanted == kind:
                    copies = 2
                case Lost(type=wanted) if wanted == kind:
                    copies = 0
                case Late(type=wanted) if wanted == kind:
                    late = fault.events
                case Noise() | Twice() | Lost() | Late():
                    pass
                case _:
                    assert_never(fault)
        if late:
            self._held.extend(_Held(frame, late) for _ in range(copies))
            return before
        return before + [frame] * copies + self._released()

    def rest(self) -> list[str]:
        """The frames held back, when nothing else is left to come."""
        frames = [held.frame for held in self._held]
        self._held.clear()
        return frames

    def _released(self) -> list[str]:
        for held in self._held:
            held.events -= 1
        ready = [held.frame for held in self._held if held.events <= 0]
        self._held = [held for held in self._held if held.events > 0]
        return ready
