"""The served half of a call's machine, and its table: which event does what in which phase.

An event changes nothing in a phase that its row leaves out: a live API sends late, twice and out of order,
and none of that is an error.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, assert_never

from runner.call.machine.intent import End, Intent
from runner.call.machine.phase import CONNECTED, LIVE, NOT_GONE, NOT_OVER, Phase
from runner.call.machine.session import Session
from runner.call.machine.speech import Speech
from runner.call.records.bill import Bill
from runner.model.action import Action, HangUp, TimerKind
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    ApprovalAsked,
    CallerSpeaks,
    Ignored,
    ItemPlaced,
    KeyPressed,
    McpCallEnded,
    McpCallStarted,
    McpListed,
    OutputTaken,
    PlaybackEnded,
    PlaybackStarted,
    ResponseEnded,
    ResponseStarted,
    SessionUpdated,
    SilenceNudge,
    ToolCalled,
    Transcribed,
    TranscriptGrew,
    TurnTruncated,
)
from runner.model.event import (
    AnswerReplied,
    CallerConnected,
    CallEvent,
    CallGone,
    ClaimReplied,
    EndRequested,
    HangUpFailed,
    ReferAnswered,
    RejectReplied,
    Replied,
    SidebandLost,
    SidebandOpened,
    Steered,
    TakenOver,
    TimerFired,
    ToolCallMissed,
    Unreachable,
)
from runner.model.values import Instant

EventHandler: TypeAlias = Callable[[Session, Any, Instant], list[Intent]]
# Any: each handler takes events of just the type of its row, which no signature can say.
HandlersByPhase: TypeAlias = Mapping[Phase, EventHandler]

_BILLED, _SPOKEN = Bill.hears, Speech.hears
"""Looked up once, and not at each event."""

_ROWS: dict[type[CallEvent], HandlersByPhase] = {}
"""The rows of the types of events that have come."""


def handle(session: Session, event: CallEvent, now: Instant) -> list[Action]:
    """Decide on the actions for `event`, in this order."""
    kind, speech = type(event), session.speech
    fulfil = session.fulfilment.actions
    session.builder.note(event, now)
    actions: list[Action] = []
    # Thousands of calls are live: what an event does not concern is not even looked at.
    if kind in _BILLED:
        session.consumption.bill.note(event)
    if kind in _SPOKEN:
        # For a response that begins, since it is not known by one look.
        sees_all = kind is not ResponseStarted or session.are_all_placed
        actions += speech.handle(event, now, sees_all=sees_all)
    tampering = session.tampering
    may_be_tampered = session.phase.now in CONNECTED or kind is TakenOver
    if tampering is not None and kind in tampering.hears and may_be_tampered:
        whole = session.serving.whole_session("switch_mend")
        actions += fulfil(tampering.handle(event, whole), now)
    by_phase = _ROWS.get(kind)
    if by_phase is None:
        by_phase = _ROWS[kind] = row(event)
    handler = by_phase.get(session.phase.now)
    if handler is not None and (intents := handler(session, event, now)):
        actions += fulfil(intents, now)
    for part in session.serving.parts:
        if kind in part.hears and (intents := part.handle(event, now)):
            actions += fulfil(intents, now)
    while speech.unheard.ends:
        for key, end in speech.unheard.take_ends():
            session.steering.sentence_ended(key, end, now)
            actions += fulfil([*session.ending.sentence_ended(key, end, now), *session.tools.go_on()], now)
    session.connection.lived_until = now
    return actions + speech.ask(now)


def row(event: CallEvent) -> HandlersByPhase:  # noqa: C901, PLR0912 - a table
    """What an event does in each phase. It depends on nothing but the event's type."""
    match event:
        case SidebandOpened():
            return {
                Phase.WAITING: lambda session, _, now: session.connection.opened(now),
                **_in(CONNECTED, lambda session, _, now: session.connection.reopened(now)),
            }
        case CallerConnected():
            return _in(LIVE, lambda session, _, now: session.connection.media_connected())
        case Unreachable():
            return _in(LIVE, _unreachable)
        case CallGone():
            return _in(NOT_GONE, lambda session, _, now: [*session.ending.gone(now)])
        case ToolCalled():
            return _in(CONNECTED, _called)
        case ToolCallMissed():
            return _in(CONNECTED, _missed)
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
            return {
                **_in(LIVE, _end_requested),
                Phase.DRAINING_REQUESTS: lambda session, _, now: [*session.ending.finish()],
            }
        case Steered():
            return _in(NOT_OVER, _steered)
        case TakenOver():
            return _in(NOT_OVER, lambda session, _, now: session.connection.taken_over(now))
        case (
            SidebandLost()
            | ResponseStarted()
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


def _in(phases: Iterable[Phase], handler: EventHandler) -> dict[Phase, EventHandler]:
    return dict.fromkeys(phases, handler)


def _unreachable(_: Session, unreachable: Unreachable, now: Instant) -> list[Intent]:
    """A call that cannot be served is hung up, and not left talking to nobody."""
    return [End(reason="failed", at_once=True, detail=unreachable.detail)]


def _called(session: Session, called: ToolCalled, now: Instant) -> list[Intent]:
    return session.dispatch.called(called, now)


def _missed(session: Session, missed: ToolCallMissed, now: Instant) -> list[Intent]:
    return session.dispatch.called(missed.called, now, was_missed=True)


def _response_ended(session: Session, ended: ResponseEnded, now: Instant) -> list[Intent]:
    intents = [intent for called in ended.calls for intent in session.dispatch.called(called, now)]
    session.tools.responses.ended(ended.response_id)
    return intents + session.tools.go_on()


def _output_taken(session: Session, output: OutputTaken, now: Instant) -> list[Intent]:
    session.tools.outputs.confirmed(output.call_id)
    return []


def _item_placed(session: Session, placed: ItemPlaced, now: Instant) -> list[Intent]:
    session.messages.placed(placed.item_id)
    return [*session.greeting.placed(placed, now)]


def _replied(session: Session, replied: Replied, now: Instant) -> list[Intent]:
    intents = session.tools.replied(replied, now, may_retry=True)
    return [*intents, *session.tools.go_on(), *session.ending.tools_ended(now)]


def _last_reply(session: Session, replied: Replied, now: Instant) -> list[Intent]:
    """The model waits for this output no more, but the record says what the request did."""
    session.tools.replied(replied, now, may_retry=False)
    return [*session.ending.cleared()]


def _session_updated(session: Session, updated: SessionUpdated, now: Instant) -> list[Intent]:
    if session.serving.expects(updated.update_id):
        return session.dispatch.handed_off(now, is_confirmed=True)
    return session.refresh.confirmed(updated.update_id, now)


def _refused(session: Session, error: ApiError, now: Instant) -> list[Intent]:
    if error.kind is ApiErrorKind.SESSION_EXPIRED:
        return [End(reason="session_expired", at_once=True)]
    return [*session.dispatch.not_handed_off(error, now), *session.refresh.refused(error, now)]


def _timer_fired(session: Session, fired: TimerFired, now: Instant) -> list[Intent]:
    match fired.timer.kind:
        case TimerKind.RETRY:
            return [*session.tools.again(fired.timer.key, now)]
        case TimerKind.HANDOFF:
            return session.dispatch.handed_off(now, is_confirmed=False)
        case TimerKind.LEAD:
            return session.steering.lease_is_over(now)
        case TimerKind.REFRESH:
            return session.refresh.not_refused(now)
        case TimerKind.CONNECTED:
            return session.connection.stop_waiting_for_media()
        case TimerKind.WAITING:
            return session.tools.still_waiting(fired.timer.key, now)
        case TimerKind.LAST_WORDS:
            return session.ending.not_heard_in_time(now) + session.tools.go_on()
        case TimerKind.TRANSFER:
            return session.transfers.overdue(now) + session.tools.go_on()
        case _:
            # It belongs to the speech or to a part.
            return []


def _steered(session: Session, steered: Steered, now: Instant) -> list[Intent]:
    return session.steering.steered(steered, now)


def _refer_answered(session: Session, answered: ReferAnswered, now: Instant) -> list[Intent]:
    return session.transfers.answered(answered.ok, answered.detail, now) + session.tools.go_on()


def _end_requested(_: Session, requested: EndRequested, now: Instant) -> list[Intent]:
    return [End(reason=requested.reason, at_once=True)]


def _hang_up_failed(session: Session, failed: HangUpFailed, now: Instant) -> list[Intent]:
    """A call that stays up talks to nobody and costs money: try again, unless the failure is final."""
    return [*session.ending.hang_up_failed(failed, now)]


def _hang_up_again(_: Session, fired: TimerFired, now: Instant) -> list[Intent]:
    return [HangUp()] if fired.timer.kind is TimerKind.HANG_UP_AGAIN else []
