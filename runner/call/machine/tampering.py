"""Watches a call whose page can write into its session, and undoes the first change that we did not request.

Whoever holds the data channel may change instructions and tools, and forge the outputs of tools or our
messages to the model. None of that can be prevented; it can be seen.
"""

from dataclasses import dataclass, field

from runner.call.machine.added_messages import AddedMessages
from runner.call.machine.intent import End, Intent
from runner.call.machine.sentence import wish_id
from runner.call.machine.speech import Speech
from runner.call.machine.tool_calls import ToolCalls
from runner.call.records.record_builder import RecordBuilder
from runner.model.action import Log, LogEvent, LogLevel, RemoveItem
from runner.model.call import Role
from runner.model.conversation_event import (
    ItemPlaced,
    OutputTaken,
    ResponseEnded,
    SessionUpdated,
    SilenceNudge,
)
from runner.model.event import CallEvent, TakenOver


@dataclass(slots=True, kw_only=True, eq=False)
class TamperWatch:
    """Compares the session that the API reports with the one that we requested."""

    hears = frozenset({SessionUpdated, ItemPlaced, OutputTaken, SilenceNudge, ResponseEnded, TakenOver})

    speech: Speech
    messages: AddedMessages
    tools: ToolCalls
    record: RecordBuilder
    _nudges: int = field(default=0, init=False)
    """Messages that the API is about to add by itself."""
    _times: int = field(default=0, init=False)
    _requested_before: int | None = field(default=None, init=False)
    """After a takeover, how many responses had been requested by then. The process before us may still live,
    and be attached: what we did not send may be its own, until it has seen a response of ours, by which it
    knows that it has lost the call.
    """
    _was_changed: bool = field(default=False, init=False)
    """Whether the session was changed in that time."""

    def handle(self, event: CallEvent, whole_session: Intent) -> list[Intent]:
        """Inspect an event before any other part handles it. `whole_session` restores the session."""
        match event:
            case TakenOver():
                self._requested_before = self.speech.requested
                return []
            case ResponseEnded(wish=wish):
                return self._former_is_gone(whole_session) if self._is_since(wish) else []
            case SessionUpdated(is_unasked=True) if self._requested_before is not None:
                self._was_changed = True
                return []
            case ItemPlaced() | OutputTaken() if self._requested_before is not None:
                return []
            case SilenceNudge():
                self._nudges += 1
                return []
            case SessionUpdated(is_unasked=True):
                return self._tampered("the session was changed", whole_session)
            case ItemPlaced(item_id=item_id, role=Role.SYSTEM) if not self.messages.is_ours(item_id):
                if self._nudges:
                    self._nudges -= 1
                    return []
                return self._tampered(
                    "a system message was added", RemoveItem(item_id=item_id, is_foreign=True)
                )
            case OutputTaken(call_id=call_id, item_id=item_id) if not self.tools.outputs.was_sent(call_id):
                return self._tampered(
                    "a tool's output was added", RemoveItem(item_id=item_id, is_foreign=True)
                )
            case _:
                return []

    def _is_since(self, wish: str | None) -> bool:
        """Whether we have requested this response since a takeover: the process before has seen it too."""
        before = self._requested_before
        return before is not None and any(
            wish == wish_id(number) for number in range(before + 1, self.speech.requested + 1)
        )

    def _former_is_gone(self, whole_session: Intent) -> list[Intent]:
        """Whoever has changed the session in the meantime, ours counts."""
        was_changed, self._was_changed, self._requested_before = self._was_changed, False, None
        return [whole_session] if was_changed else []

    def _tampered(self, how: str, mend: Intent) -> list[Intent]:
        self._times += 1
        detail = f"{how}, and not by us"
        self.record.fault(detail)
        entry = Log(event=LogEvent.TAMPERED, level=LogLevel.WARNING, fields={"detail": detail})
        if self._times > 1:
            return [entry, End(reason="tampered", at_once=True, detail=detail)]
        return [entry, mend]
