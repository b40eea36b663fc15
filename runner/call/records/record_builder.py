"""Writes down what happens to a call while it happens, and makes the record of it at the end."""

from dataclasses import dataclass, replace

from runner.call.records.cost import cost_usd
from runner.model.call import Role
from runner.model.event import (
    ApiError,
    ApiErrorKind,
    CallEvent,
    Ignored,
    IgnoredBecause,
    ItemPlaced,
    ResponseEnded,
    SilenceNudge,
    Transcribed,
    TranscriptionUsage,
    Usage,
)
from runner.model.record import CallRecord, Handoff, ToolUse, Turn
from runner.model.values import Instant


@dataclass(slots=True)
class _Item:
    """One item of the conversation, in its place. `text` None: nothing was transcribed (yet)."""

    role: Role | None = None
    text: str | None = None
    at: Instant = 0.0
    is_turn: bool = True
    is_hidden: bool = False


class Transcript:
    """The conversation in its own order, whatever order its parts arrive in.

    Transcription of the caller comes late and out of order, so text is put to its item, and items stand
    where the API says: after the item that it names.
    """

    def __init__(self) -> None:
        self._items: dict[str, _Item] = {}
        self._order: list[str] = []

    def place(self, placed: ItemPlaced, now: Instant) -> None:
        """Give an item its place. Placed twice, it stays where it was first."""
        item = self._items.setdefault(placed.item_id, _Item())
        item.role = item.role or placed.role
        if not item.is_hidden:
            item.text = item.text or placed.text or None
        if item.at:
            return
        item.at = now
        last = self._order[-1] if self._order else None
        if placed.after not in {None, last} and placed.after in self._order:
            self._order.insert(self._order.index(placed.after) + 1, placed.item_id)
        else:
            self._order.append(placed.item_id)

    def write(self, transcribed: Transcribed) -> None:
        """Put the text of an item in its place, also before the item itself is known."""
        item = self._items.setdefault(transcribed.item_id, _Item())
        item.role = transcribed.role
        if not transcribed.failed:
            item.text = transcribed.text

    def hide(self, item_id: str, shown: str) -> None:
        """Keep this in place of the item's own text, which is nobody's business."""
        self._items[item_id] = _Item(role=Role.CALLER, text=shown, is_hidden=True)

    def leave_out(self, item_id: str) -> None:
        """This item is no turn of anybody's."""
        self._items.setdefault(item_id, _Item()).is_turn = False

    def turns(self) -> tuple[Turn, ...]:
        """What caller and agent said, in order. An item whose place was never told stands at the end."""
        unplaced = [item_id for item_id, item in self._items.items() if not item.at]
        items = [self._items[item_id] for item_id in [*self._order, *unplaced]]
        return tuple(
            Turn(role=item.role.value, text=item.text, at=item.at)
            for item in items
            if item.is_turn
            and item.role in {Role.CALLER, Role.AGENT}
            and item.text != ""
            and item.role is not None
        )


class RecordBuilder:
    """Everything that the record of a call needs, as it comes."""

    def __init__(self, start: CallRecord) -> None:
        self._start = start
        self.transcript = Transcript()
        self.usage = Usage()
        self.tools: dict[str, ToolUse] = {}
        self.handoffs: list[Handoff] = []
        self.faults: list[str] = []
        self.private: set[str] = set()
        """Values that the record may not hold: out of tools' replies, and keys pressed in private."""
        self.ended = ""
        self.detail = ""
        self.accepted_at: Instant | None = None
        self.attached_at: Instant | None = None
        self.ended_at: Instant | None = None
        self._transcription_tokens = 0
        self._transcription_s = 0.0
        self._complaints = 0
        self._unknown = 0
        self._malformed = 0
        self._responses: set[str] = set()
        self._billed: set[str] = set()

    def note(self, event: CallEvent, now: Instant) -> None:
        """Write down what a event means for the record, whatever it means to the call."""
        match event:
            case ItemPlaced():
                self.transcript.place(event, now)
            case Transcribed():
                self.transcript.write(event)
                self._bill(event)
            case SilenceNudge(item_id=item_id):
                self.transcript.leave_out(item_id)
            case ResponseEnded(response_id=response_id) if response_id not in self._responses:
                self._responses.add(response_id)
                self.usage = self.usage + event.usage
            case ApiError(kind=kind):
                self._complaints += kind is ApiErrorKind.OTHER
            case Ignored(because=because):
                self._unknown += because is IgnoredBecause.UNKNOWN
                self._malformed += because is IgnoredBecause.MALFORMED
            case _:
                pass

    @property
    def model(self) -> str:
        """The model that serves the call; it stays the same when the call is handed over."""
        return self._start.model

    def has_more_tool_calls_than(self, most: int | None) -> bool:
        """Whether the model has asked for more tools than these; None sets no bound."""
        return most is not None and len(self.tools) > most

    def end(self, reason: str, detail: str = "") -> None:
        """Why the call ends; the first reason is the one that counts."""
        if not self.ended:
            self.ended, self.detail = reason, detail

    def record(self) -> CallRecord:
        """The record as it stands now."""
        return replace(
            self._start,
            accepted_at=self.accepted_at,
            attached_at=self.attached_at,
            ended_at=self.ended_at,
            ended=self.ended,
            detail=self.detail,
            turns=self.transcript.turns(),
            tools=tuple(self.tools.values()),
            handoffs=tuple(self.handoffs),
            faults=tuple(self.faults),
            usage=self.usage,
            transcription=TranscriptionUsage(
                tokens=self._transcription_tokens, seconds=self._transcription_s
            ),
            cost_usd=cost_usd(self._start.model, self.usage),
            complaints=self._complaints,
            unknown_events=self._unknown,
            malformed_events=self._malformed,
        )

    def _bill(self, transcribed: Transcribed) -> None:
        """Once for each item: an event can be told twice."""
        usage = transcribed.usage
        if usage is not None and transcribed.item_id not in self._billed:
            self._billed.add(transcribed.item_id)
            self._transcription_tokens += usage.tokens
            self._transcription_s += usage.seconds
