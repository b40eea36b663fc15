"""Writes down what happens to a call while it happens, and builds its record at the end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from runner.call.recent_ids import NO_IDS
from runner.call.records.bill import Bill
from runner.call.records.deeds import Deeds
from runner.call.records.spans import Spans
from runner.call.records.transcript import Transcript
from runner.model.call import Role
from runner.model.event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    CallEvent,
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
from runner.model.http import HttpReply
from runner.model.record import Attempt, CallRecord, Handoff, ToolUse
from runner.model.usage import TranscriptionUsage, Usage
from runner.model.values import Instant, Json

_COMPLAINTS = frozenset({ApiErrorKind.OTHER, ApiErrorKind.RATE_LIMITED, ApiErrorKind.OUT_OF_QUOTA})
SHORT = 500
"""Turns and tool calls of a record that is written in a few milliseconds."""


class RecordBuilder:
    """Collects the content of a call's record. The machine writes here and reads nothing back."""

    __slots__ = (
        "_accepted_at",
        "_attached_at",
        "_bill",
        "_complaints",
        "_deeds",
        "_detail",
        "_ended",
        "_ended_at",
        "_faults",
        "_handoffs",
        "_malformed",
        "_response_id",
        "_start",
        "_tools",
        "_unheard",
        "_unknown",
        "private",
        "spans",
        "tools_ended",
        "transcript",
    )

    def __init__(
        self,
        start: CallRecord,
        bill: Bill,
        deeds: Deeds,
        is_persons: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`bill` and `deeds` are kept by the machine, and only read here. `is_persons`: see `Spans`."""
        self.spans = Spans(is_persons)
        self._response_id = ""
        self._unheard: dict[str, str] = {}
        """By response, the agent's first item in it, until the caller hears it."""
        self._bill = bill
        self._deeds = deeds
        self.transcript = Transcript()
        self.private: frozenset[str] = NO_IDS
        """Values that the record may not hold: from tools' replies, and keys pressed in private."""
        self._start = start
        self._tools: dict[str, ToolUse] = {}
        self.tools_ended: list[ToolUse] = []
        """The tool calls that have ended, in the order of their ends."""
        self._handoffs: list[Handoff] = []
        self._faults: list[str] = list(start.faults)
        self._ended = ""
        self._detail = ""
        self._accepted_at: Instant | None = None
        self._attached_at: Instant | None = None
        self._ended_at: Instant | None = None
        self._complaints = 0
        self._unknown = 0
        self._malformed = 0

    @property
    def is_long(self) -> bool:
        """Whether writing the record takes longer than a few milliseconds. Masking it is another matter."""
        return len(self.transcript) + len(self._tools) > SHORT

    @property
    def ended(self) -> str:
        """Why the call ends, as far as that is known."""
        return self._ended

    @property
    def usage(self) -> Usage:
        """The tokens that the model has used so far."""
        return self._bill.usage

    @property
    def transcription(self) -> TranscriptionUsage:
        """What transcribing the caller has used so far."""
        return self._bill.transcription

    @property
    def tools(self) -> Mapping[str, ToolUse]:
        """The tool calls so far, by id and in order."""
        return self._tools

    @property
    def handoffs(self) -> Sequence[Handoff]:
        """The hand-offs so far."""
        return self._handoffs

    def accepted(self, now: Instant) -> None:
        """The API has answered the call."""
        self._accepted_at = now

    def attached(self, now: Instant) -> None:
        """The sideband has opened for the first time."""
        self._attached_at = now

    def gone(self, now: Instant) -> None:
        """The call has left the API."""
        self._ended_at = now

    def fault(self, text: str) -> None:
        """Something could not be done as declared."""
        self._faults.append(text)

    def handed_off(self, handoff: Handoff) -> None:
        """The call was handed off to another agent."""
        self._handoffs.append(handoff)

    def tool_began(self, call_id: str, name: str, arguments: Json, now: Instant) -> None:
        """The model has called a tool; the result is unknown yet."""
        self._tools[call_id] = ToolUse(
            name=name, call_id=call_id, arguments=arguments, started_at=now, took_s=None, status="unfinished"
        )

    def tool_ended(
        self,
        call_id: str,
        status: str,
        now: Instant,
        *,
        attempts: int = 0,
        http_status: int | None = None,
        error: str | None = None,
        reply: Json = None,
    ) -> None:
        """A tool call has ended with this output for the model."""
        use = self._tools[call_id]
        self._tools[call_id] = replace(
            use,
            took_s=round(now - use.started_at, 3),
            status=status,
            http_status=http_status,
            attempts=attempts,
            error=error,
            reply=reply,
        )
        self.tools_ended.append(self._tools[call_id])

    def tool_tried(self, call_id: str, now: Instant) -> None:
        """An attempt of the tool's request begins."""
        use = self._tools[call_id]
        self._tools[call_id] = replace(use, tries=(*use.tries, Attempt(at=now)))

    def tool_replied(self, call_id: str, reply: HttpReply, now: Instant) -> None:
        """The last attempt has ended."""
        use = self._tools[call_id]
        *before, last = use.tries
        ended = replace(
            last,
            took_s=round(now - last.at, 3),
            http_status=reply.status,
            error=reply.failure.value if reply.failure is not None else None,
        )
        self._tools[call_id] = replace(use, tries=(*before, ended))

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

    def _complained(self, error: ApiError, _: Instant) -> None:
        self._complaints += error.kind in _COMPLAINTS

    def _ignored(self, ignored: Ignored, _: Instant) -> None:
        self._unknown += ignored.because is IgnoredBecause.UNKNOWN
        self._malformed += ignored.because is IgnoredBecause.MALFORMED

    def end(self, reason: str, detail: str = "") -> None:
        """Set why the call ends; the first reason counts."""
        if not self._ended:
            self._ended, self._detail = reason, detail

    def record(self) -> CallRecord:
        """The record as it stands now."""
        return replace(
            self.outline(),
            turns=self.transcript.turns(),
            spans=self.spans.all(),
            tools=tuple(self._tools.values()),
        )

    def outline(self) -> CallRecord:
        """The same without turns, spans and tools, of which there may be thousands."""
        return replace(
            self._start,
            accepted_at=self._accepted_at,
            attached_at=self._attached_at,
            ended_at=self._ended_at,
            ended=self._ended,
            detail=self._detail,
            handoffs=tuple(self._handoffs),
            deeds=self._deeds.all,
            faults=tuple(self._faults),
            served_by=self._bill.real_model,
            usage=self._bill.usage,
            transcription=self._bill.transcription,
            cost_usd=self._bill.cost_usd,
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
    ApiError: RecordBuilder._complained,
    Ignored: RecordBuilder._ignored,
}
"""What an event means for the record. By type, since most events mean nothing to it."""
