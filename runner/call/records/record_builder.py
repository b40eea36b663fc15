"""Writes down what happens to a call while it happens, and builds its record at the end."""

from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field, replace
from itertools import islice
from typing import Any, TypeAlias

from runner.call.recent_ids import NO_IDS
from runner.call.records.bill import Bill
from runner.call.records.deeds import Deeds
from runner.call.records.spans import Spans
from runner.call.records.transcript import Transcript
from runner.model.call import Role
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    Ignored,
    IgnoredBecause,
    ItemPlaced,
    PlaybackEnded,
    PlaybackStarted,
    ResponseStarted,
    SilenceNudge,
    Transcribed,
    TurnTruncated,
)
from runner.model.event import CallEvent
from runner.model.http import HttpReply
from runner.model.record import Attempt, CallRecord, Handoff, ToolUse
from runner.model.values import Instant, Json

_COMPLAINTS = frozenset({ApiErrorKind.OTHER, ApiErrorKind.RATE_LIMITED, ApiErrorKind.OUT_OF_QUOTA})
SHORT = 500
"""Turns and tool calls of a record that is written in a few milliseconds."""


@dataclass(slots=True, eq=False)
class RecordBuilder:
    """Collects the content of a call's record. The machine writes here and reads nothing back."""

    start: CallRecord
    """The record before the call is answered."""
    bill: Bill
    """Kept by the machine, and only read here, as the deeds are."""
    deeds: Deeds
    is_persons: InitVar[Callable[[str], bool]] = lambda _: False
    """See `Spans`."""
    spans: Spans = field(init=False)
    _response_id: str = field(default="", init=False)
    _unheard: dict[str, str] = field(default_factory=dict, init=False)
    """By response, the agent's first item in it, until the caller hears it."""
    transcript: Transcript = field(default_factory=Transcript, init=False)
    private: frozenset[str] = field(default=NO_IDS, init=False)
    """Values that the record may not hold: from tools' replies, and keys pressed in private."""
    tools: dict[str, ToolUse] = field(default_factory=dict, init=False)
    """The tool calls so far, by id and in order."""
    tools_ended: list[ToolUse] = field(default_factory=list, init=False)
    """The tool calls that have ended, in the order of their ends."""
    handoffs: list[Handoff] = field(default_factory=list, init=False)
    faults: list[str] = field(init=False)
    ended: str = field(default="", init=False)
    """Why the call ends, as far as that is known."""
    detail: str = field(default="", init=False)
    accepted_at: Instant | None = field(default=None, init=False)
    """When the API answered the call."""
    attached_at: Instant | None = field(default=None, init=False)
    """When the sideband opened for the first time."""
    ended_at: Instant | None = field(default=None, init=False)
    """When the call left the API."""
    _complaints: int = field(default=0, init=False)
    _unknown: int = field(default=0, init=False)
    _malformed: int = field(default=0, init=False)

    def __post_init__(self, is_persons: Callable[[str], bool]) -> None:
        self.spans = Spans(is_persons)
        self.faults = [*self.start.faults]

    @property
    def is_long(self) -> bool:
        """Whether writing the record takes longer than a few milliseconds. Masking it is another matter."""
        return len(self.transcript) + len(self.tools) > SHORT

    def fault(self, text: str) -> None:
        """Something could not be done as declared."""
        self.faults.append(text)

    def tool_began(self, call_id: str, name: str, arguments: Json, now: Instant) -> None:
        """The model has called a tool; the result is unknown yet."""
        self.tools[call_id] = ToolUse(
            name=name, call_id=call_id, arguments=arguments, started_at=now, took_s=None, status="unfinished"
        )

    def tool_ended(
        self,
        call_id: str,
        status: str,
        now: Instant,
        *,
        http_status: int | None = None,
        error: str | None = None,
        reply: Json = None,
    ) -> None:
        """A tool call has ended with this output for the model."""
        use = self.tools[call_id]
        self.tools[call_id] = replace(
            use,
            took_s=round(now - use.started_at, 3),
            status=status,
            http_status=http_status,
            error=error,
            reply=reply,
        )
        self.tools_ended.append(self.tools[call_id])

    def tool_tried(self, call_id: str, now: Instant) -> None:
        """An attempt of the tool's request begins."""
        use = self.tools[call_id]
        self.tools[call_id] = replace(use, attempts=use.attempts + 1, tries=(*use.tries, Attempt(at=now)))

    def tool_replied(self, call_id: str, reply: HttpReply, now: Instant) -> None:
        """The last attempt has ended."""
        use = self.tools[call_id]
        *before, last = use.tries
        ended = replace(
            last,
            took_s=round(now - last.at, 3),
            http_status=reply.status,
            error=reply.failure.value if reply.failure is not None else None,
        )
        self.tools[call_id] = replace(use, tries=(*before, ended))

    def note(self, event: CallEvent, now: Instant) -> None:
        """Note what an event means for the record, apart from what it means for the call."""
        noted = _NOTED.get(type(event))
        if noted is not None:
            noted(self, event, now)

    def _placed(self, placed: ItemPlaced, now: Instant) -> None:
        self.transcript.place(placed, now)
        if placed.role is Role.AGENT:
            self._unheard.setdefault(self._response_id, placed.item_id)

    def _heard(self, started: PlaybackStarted, now: Instant) -> None:
        waited_s = self.spans.heard(started.response_id, now)
        item_id = self._unheard.pop(started.response_id, None)
        self._unheard = self._unheard or {}  # An emptied one keeps its table.
        if waited_s is not None and item_id is not None:
            self.transcript.waited(item_id, waited_s)

    def _began(self, started: ResponseStarted, _: Instant) -> None:
        self._response_id = started.response_id

    def _note_api_error(self, error: ApiError, _: Instant) -> None:
        self._complaints += error.kind in _COMPLAINTS

    def _ignored(self, ignored: Ignored, _: Instant) -> None:
        self._unknown += ignored.because is IgnoredBecause.UNKNOWN
        self._malformed += ignored.because is IgnoredBecause.MALFORMED

    def end(self, reason: str, detail: str = "") -> None:
        """Set why the call ends; the first reason counts."""
        if not self.ended:
            self.ended, self.detail = reason, detail

    def give_up(self, now: Instant) -> None:
        """The call is left before the API has said that it is over."""
        self.fault("the call was given up before the API said that it is over")
        self.ended_at = now

    def fail(self, now: Instant) -> None:
        """A bug of ours has ended the call, whatever the reason was until then."""
        self.ended, self.detail = "failed", "a bug of ours; the log has its traceback"
        self.ended_at = self.ended_at or now

    def record(self) -> CallRecord:
        """The record as it stands now."""
        return replace(
            self.outline(),
            turns=self.transcript.turns(),
            spans=self.spans.all(),
            tools=tuple(self.tools.values()),
        )

    def recent(self, most: int) -> CallRecord:
        """The same with the last turns and tool calls alone, and without replies: short, however long the
        call."""
        return replace(
            self.outline(),
            turns=tuple(turn for _, turn in self.transcript.latest(most)),
            tools=tuple(replace(use, reply=None) for use in islice(reversed(self.tools.values()), most))[
                ::-1
            ],
        )

    def outline(self) -> CallRecord:
        """The same without turns, spans and tools, of which there may be thousands."""
        return replace(
            self.start,
            accepted_at=self.accepted_at,
            attached_at=self.attached_at,
            ended_at=self.ended_at,
            ended=self.ended,
            detail=self.detail,
            handoffs=tuple(self.handoffs),
            deeds=self.deeds.all,
            faults=tuple(self.faults),
            served_by=self.bill.real_model,
            usage=self.bill.usage,
            transcription=self.bill.transcription,
            cost_usd=self.bill.cost_usd,
            complaints=self._complaints,
            unknown_events=self._unknown,
            malformed_events=self._malformed,
        )


_Noted: TypeAlias = Callable[[RecordBuilder, Any, Instant], None]
# Any: each row pairs a type of event with a function of just that type, which no signature can say.

_NOTED: Mapping[type[CallEvent], _Noted] = {
    ItemPlaced: RecordBuilder._placed,
    Transcribed: lambda builder, event, now: builder.transcript.write(event, now),
    TurnTruncated: lambda builder, event, now: builder.transcript.truncate(event, now),
    SilenceNudge: lambda builder, event, now: builder.transcript.leave_out(event.item_id, now),
    ResponseStarted: RecordBuilder._began,
    CallerSpeaks: lambda builder, event, now: builder.spans.caller_speaks(began=event.began, now=now),
    PlaybackStarted: RecordBuilder._heard,
    PlaybackEnded: lambda builder, event, now: builder.spans.ended(
        event.response_id, now, is_interrupted=event.interrupted
    ),
    ApiError: RecordBuilder._note_api_error,
    Ignored: RecordBuilder._ignored,
}
"""What an event means for the record. By type, since most events mean nothing to it."""
