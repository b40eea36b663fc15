"""Collects the keys pressed on the telephone into entries, and adds them to the conversation."""

from runner.call.machine.intent import AddMessage, GoOn, Intent, Part
from runner.call.records.record_builder import RecordBuilder
from runner.model.action import ClearTimer, SetTimer, Timer, TimerKind
from runner.model.agent import Keys
from runner.model.conversation_event import KeyPressed
from runner.model.event import CallEvent, TimerFired
from runner.model.values import Instant

ENTRY = Timer(TimerKind.KEYS)


class Keypad(Part):
    """Collects keys until the ending key, the longest entry, or a pause.

    The API reports each key by itself and adds none to the conversation.
    """

    hears = frozenset({KeyPressed, TimerFired})

    def __init__(self, keys: Keys, record: RecordBuilder) -> None:
        self._keys = keys
        self._record = record
        self._pressed = ""
        self._closed_at: Instant | None = None
        """When the last entry was closed without the ending key, if no key has followed."""

    def handle(self, event: CallEvent, now: Instant) -> list[Intent]:
        """Take one key, or close the entry."""
        match event:
            case KeyPressed(key=key) if key == self._keys.until:
                closed_at, self._closed_at = self._closed_at, None
                # A caller whose entry was closed as too long or too slow presses the ending key all the same.
                belongs_to_it = closed_at is not None and now < closed_at + self._keys.timeout_s
                return [] if belongs_to_it else self._close()
            case KeyPressed(key=key):
                self._closed_at = None
                self._pressed += key
                if len(self._pressed) == self._keys.max_keys:
                    self._closed_at = now
                    return self._close()
                return [SetTimer(timer=ENTRY, at=now + self._keys.timeout_s)]
            case TimerFired(timer=Timer(kind=TimerKind.KEYS)):
                self._closed_at = now
                return self._close()
            case _:
                return []

    def stop(self, now: Instant) -> list[Intent]:
        """Add what was pressed so far: the next agent begins an entry of its own."""
        return self._close() if self._pressed else []

    def _close(self) -> list[Intent]:
        pressed, self._pressed = self._pressed, ""
        if self._keys.private:
            # The model repeats it, in the arguments of tools and aloud.
            self._record.private |= {pressed}
        message = f"pressed {pressed}" if pressed else f"pressed only {self._keys.until}"
        return [
            ClearTimer(timer=ENTRY),
            AddMessage(text=f"(On the telephone I {message}.)", as_caller=True, private=self._keys.private),
            GoOn(),
        ]
