"""The table of a served call: which event does what in which phase.

An event changes nothing in a phase that its row leaves out: a live API sends late, twice and out of order,
and none of that is an error.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, assert_never

from runner.call.machine.intent import End, Intent
from runner.call.machine.phase import CONNECTED, LIVE, NOT_GONE, Phase
from runner.call.machine.session_parts import SessionParts
from runner.model.action import HangUp, TimerKind
from runner.model.event import (
    AnswerReplied,
    ApiError,
    ApiErrorKind,
    ApprovalAsked,
    CallerConnected,
    CallerSpeaks,
    CallEvent,
    CallGone,
    ClaimReplied,
    EndRequested,
    HangUpFailed,
    Ignored,
    ItemPlaced,
    KeyPressed,
    McpCallEnded,
    McpCallStarted,
    McpListed,
    OutputTaken,
    PlaybackEnded,
    PlaybackStarted,
    ReferAnswered,
    RejectReplied,
    Replied,
    ResponseEnded,
    ResponseStarted,
    SessionUpdated,
    SidebandLost,
    SidebandOpened,
    SilenceNudge,
    Steered,
    TakenOver,
    TimerFired,
    ToolCalled,
    Transcribed,
    TranscriptGrew,
    TurnTruncated,
    Unreachable,
)
from runner.model.values import Instant


def _opened(parts: SessionParts, _: SidebandOpened, now: Instant) -> list[Intent]:
    return parts.connection.opened(now)


def _reopened(parts: SessionParts, _: SidebandOpened, now: Instant) -> list[Intent]:
    return parts.connection.reopened(now)


def _connected(parts: SessionParts, _: CallerConnected, now: Instant) -> list[Intent]:
    return parts.connection.media_connected()


def _lost(parts: SessionParts, _: SidebandLost, now: Instant) -> list[Intent]:
    return parts.connection.lost()


def _taken_over(parts: SessionParts, _: TakenOver, now: Instant) -> list[Intent]:
    return parts.connection.taken_over(now)


def _unreachable(_: SessionParts, unreachable: Unreachable, now: Instant) -> list[Intent]:
    """A call that cannot be served is hung up, and not left talking to nobody."""
    return [End(reason="failed", at_once=True, detail=unreachable.detail)]


def _called(parts: SessionParts, called: ToolCalled, now: Instant) -> list[Intent]:
    return parts.dispatch.called(called, now)


def _response_ended(parts: SessionParts, ended: ResponseEnded, now: Instant) -> list[Intent]:
    intents = [intent for called in ended.calls for intent in parts.dispatch.called(called, now)]
    parts.tools.response_ended(ended.response_id)
    return intents + parts.tools.go_on()


def _output_taken(parts: SessionParts, taken: OutputTaken, now: Instant) -> list[Intent]:
    parts.tools.outputs.confirmed(taken.call_id)
    return []


def _item_placed(parts: SessionParts, placed: ItemPlaced, now: Instant) -> list[Intent]:
    parts.messages.placed(placed.item_id)
    return []


def _replied(parts: SessionParts, replied: Replied, now: Instant) -> list[Intent]:
    intents = parts.tools.replied(replied, now, may_retry=True)
    return [*intents, *parts.tools.go_on(), *parts.ending.tools_ended(now)]


def _last_reply(parts: SessionParts, replied: Replied, now: Instant) -> list[Intent]:
    """The model waits for this output no more, but the record says what the request did."""
    parts.tools.replied(replied, now, may_retry=False)
    return [*parts.ending.cleared()]


def _session_updated(parts: SessionParts, updated: SessionUpdated, now: Instant) -> list[Intent]:
    if parts.serving.expects(updated.update_id):
        return parts.dispatch.handed_off(now, told=True)
    return parts.refresh.confirmed(updated.update_id, now)


def _refused(parts: SessionParts, error: ApiError, now: Instant) -> list[Intent]:
    if error.kind is ApiErrorKind.SESSION_EXPIRED:
        return [End(reason="session_expired", at_once=True)]
    return [*parts.dispatch.not_handed_off(error, now), *parts.refresh.refused(error, now)]


def _timer_fired(parts: SessionParts, fired: TimerFired, now: Instant) -> list[Intent]:
    match fired.timer.kind:
        case TimerKind.RETRY:
            return [*parts.tools.again(fired.timer.key, now)]
        case TimerKind.HANDOFF:
            return parts.dispatch.handed_off(now, told=False)
        case TimerKind.LEAD:
            return parts.steering.lease_is_over(now)
        case TimerKind.REFRESH:
            return parts.refresh.not_refused(now)
        case TimerKind.CONNECTED:
            return parts.connection.stop_waiting_for_media()
        case TimerKind.WAITING:
            return parts.tools.still_waiting(fired.timer.key, now)
        case kind:
            return parts.ending.overdue(kind, now) + parts.tools.go_on()


def _steered(parts: SessionParts, steered: Steered, now: Instant) -> list[Intent]:
    return parts.steering.steered(steered, now)


def _refer_answered(parts: SessionParts, answered: ReferAnswered, now: Instant) -> list[Intent]:
    return parts.ending.refer_answered(answered.ok, answered.detail, now) + parts.tools.go_on()


def _end_requested(_: SessionParts, requested: EndRequested, now: Instant) -> list[Intent]:
    return [End(reason=requested.reason, at_once=True)]


def _hang_up_failed(parts: SessionParts, failed: HangUpFailed, now: Instant) -> list[Intent]:
    """A call that stays up talks to nobody and costs money: try again, unless the failure is final."""
    return [*parts.ending.hang_up_failed(failed, now)]


def _hang_up_again(_: SessionParts, fired: TimerFired, now: Instant) -> list[Intent]:
    return [HangUp()] if fired.timer.kind is TimerKind.HANG_UP_AGAIN else []


def _gone(parts: SessionParts, _: CallGone, now: Instant) -> list[Intent]:
    return [*parts.ending.gone(now)]


def _finish(parts: SessionParts, _: EndRequested, now: Instant) -> list[Intent]:
    return [*parts.ending.finish()]


Handler: TypeAlias = Callable[[SessionParts, Any, Instant], list[Intent]]
# Any: each handler takes events of just the type of its row, which no signature can say.
Row: TypeAlias = Mapping[Phase, Handler]


def row(event: CallEvent) -> Row:  # noqa: C901, PLR0912 - a table
    """What an event does in each phase. It depends on nothing but the event's type."""
    match event:
        case SidebandOpened():
            return {Phase.WAITING: _opened, **_in(CONNECTED, _reopened)}
        case CallerConnected():
            return _in((Phase.WAITING, *CONNECTED), _connected)
        case SidebandLost():
            return _in(CONNECTED, _lost)
        case Unreachable():
            return _in(LIVE, _unreachable)
        case CallGone():
            return _in(NOT_GONE, _gone)
        case ToolCalled():
            return _in(CONNECTED, _called)
        case ResponseEnded():
            return _in(CONNECTED, _response_ended)
        case OutputTaken():
            return _in(CONNECTED, _output_taken)
        case ItemPlaced():
            return _in(CONNECTED, _item_placed)
        case SessionUpdated():
            return _in(CONNECTED, _session_updated)
        case ApiError():
            return _in(LIVE, _refused)
        case Replied():
            return {
                **_in(CONNECTED, _replied),
                **_in((Phase.HANGING_UP, Phase.DRAINING_REQUESTS), _last_reply),
            }
        case ReferAnswered():
            return {Phase.REFERRED: _refer_answered}
        case HangUpFailed():
            return {Phase.HANGING_UP: _hang_up_failed}
        case TimerFired():
            return {**_in(LIVE, _timer_fired), Phase.HANGING_UP: _hang_up_again}
        case EndRequested():
            return {**_in(LIVE, _end_requested), Phase.DRAINING_REQUESTS: _finish}
        case Steered():
            return _in((*NOT_GONE, Phase.DRAINING_REQUESTS), _steered)
        case TakenOver():
            return _in((*NOT_GONE, Phase.DRAINING_REQUESTS), _taken_over)
        case (
            ResponseStarted()
            | PlaybackStarted()
            | PlaybackEnded()
            | CallerSpeaks()
            | Transcribed()
            | TranscriptGrew()
            | TurnTruncated()
            | SilenceNudge()
            | KeyPressed()
            | McpListed()
            | McpCallStarted()
            | McpCallEnded()
            | ApprovalAsked()
            | Ignored()
        ):
            # They concern the record, the speech or a part, and no phase.
            return {}
        case ClaimReplied() | AnswerReplied() | RejectReplied():
            # They concern a call that rings.
            return {}
        case _:
            assert_never(event)


def _in(phases: Iterable[Phase], handler: Handler) -> dict[Phase, Handler]:
    return dict.fromkeys(phases, handler)
