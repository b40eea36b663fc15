"""Shows a caller's page its own call: the turns, as the record will have them, and who speaks.

Idle while no page looks; then at most four states a second.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from runner.call.machine.machine import CallMachine
from runner.model.action import Action
from runner.model.conversation_event import CallerSpeaks, PlaybackEnded, PlaybackStarted
from runner.model.event import CallEvent
from runner.model.record import CallRecord
from runner.model.values import Instant, JsonObject

PAUSE_S = 0.25
MOST_TURNS = 50
"""The last turns are shown."""


class BrowserWatch:
    """Watches one call that this process serves, for one page or a few; a `CallWatch`."""

    def __init__(self, *, with_tools: bool, on_end: Callable[[], None]) -> None:
        """`with_tools`: tool calls are shown too, to the developer of the agent."""
        self.is_moved = False
        """Whether another runner serves the call from now on."""
        self.readers = 0
        """How many pages look."""
        self._with_tools = with_tools
        self._on_end = on_end
        self._machine: CallMachine | None = None
        self._record: CallRecord | None = None
        self._is_over = False
        self._speaking: str | None = None
        self._changes = 0
        self._changed = asyncio.Event()

    def begins(self, machine: CallMachine, now: Instant) -> None:
        self._machine = machine
        self._note_change()

    def handled(self, event: CallEvent, actions: Sequence[Action], now: Instant) -> None:
        match event:
            case CallerSpeaks(began=began):
                self._speaking = "caller" if began else None
            case PlaybackStarted():
                self._speaking = "agent"
            case PlaybackEnded() if self._speaking == "agent":
                self._speaking = None
            case _:
                pass
        self._note_change()

    def ends(self, record: CallRecord | None, now: Instant) -> None:
        self._record, self._is_over, self._speaking = record, True, None
        self.is_moved = record is None
        self._machine = None
        self._on_end()
        self._note_change()

    async def states(self, quiet_s: float) -> AsyncGenerator[JsonObject | None]:
        """The call's state now, and again whenever it has changed, until it ends or moves to another runner.

        None when nothing has changed for `quiet_s`.
        """
        last: JsonObject | None = None
        while True:
            seen = self._changes
            state = self._state()
            if state is not None and state != last:
                last = state
                yield state
            if self._is_over and seen == self._changes:
                return
            if seen == self._changes:
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), quiet_s)
                except TimeoutError:
                    yield None
                    continue
            await asyncio.sleep(PAUSE_S)

    def _note_change(self) -> None:
        self._changes += 1
        self._changed.set()

    def _state(self) -> JsonObject | None:
        record = self._record
        if record is None and self._machine is not None:
            record = self._machine.recent(MOST_TURNS)
        if record is None:
            return None
        turns = [{"role": turn.role, "text": turn.text} for turn in record.turns[-MOST_TURNS:]]
        state: dict[str, object] = {
            "turns": turns,
            "speaking": self._speaking,
            "ended": (record.ended or "failed") if self._is_over else "",
        }
        if self._with_tools:
            state["agent"] = record.handoffs[-1].agent if record.handoffs else record.agent
            state["tools"] = [
                {
                    "name": tool.name,
                    "arguments": tool.arguments,
                    "status": tool.status,
                    "took_s": tool.took_s,
                    "error": tool.error,
                }
                for tool in record.tools[-MOST_TURNS:]
            ]
        return state
