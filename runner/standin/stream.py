"""What the stream faults do to the events on their way out: twice, late, lost, with noise between. Pure."""

import json
from dataclasses import dataclass

from runner.model.values import JsonObject
from runner.standin.faults import Late, Lost, Noise, StreamFault, Twice


@dataclass(slots=True)
class _Held:
    frame: str
    events: int


class Stream:
    """Turns events into text frames, with the faults of one call."""

    def __init__(self, faults: tuple[StreamFault, ...] = ()) -> None:
        self._faults = faults
        self._held: list[_Held] = []

    def frames(self, event: JsonObject) -> list[str]:
        """The frames to send for one event, those that waited for it included."""
        kind = event["type"]
        frame = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
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
        if late:
            self._held.extend(_Held(frame, late) for _ in range(copies))
            return before
        return before + [frame] * copies + self._released()

    def rest(self) -> list[str]:
        """What is still held back, when nothing else is left to come."""
        frames = [held.frame for held in self._held]
        self._held.clear()
        return frames

    def _released(self) -> list[str]:
        for held in self._held:
            held.events -= 1
        ready = [held.frame for held in self._held if held.events <= 0]
        self._held = [held for held in self._held if held.events > 0]
        return ready
