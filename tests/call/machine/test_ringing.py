"""A call that rings, whatever happens meanwhile: it is answered or turned away once, and nobody rings on."""

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.call.machine.lookup import DEADLINE, RETRY
from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import UNANSWERED, Phase
from runner.model.action import Action, AnswerCall, Finish, OpenSideband, RejectCall
from runner.model.agent import Limits
from runner.model.conversation_event import CallerSpeaks, ResponseStarted
from runner.model.event import (
    AnswerReplied,
    CallerConnected,
    CallEvent,
    CallGone,
    ClaimReplied,
    Decided,
    EndRequested,
    HangUpFailed,
    Limit,
    ReferAnswered,
    RejectReplied,
    Replied,
    SidebandLost,
    SidebandOpened,
    Steered,
    TakenOver,
    TimerFired,
    Unreachable,
)
from runner.model.http import Failure, HttpReply
from runner.model.reception import RingResult
from runner.model.route import Reject, ToAgent
from runner.model.steering import AddNote
from runner.model.tool import Retries
from tests.call.machine.machine_state import state_of
from tests.call.machine.test_reception import NOW, limited, looking_up, ringing, world

DESK = replace(
    looking_up(retries=Retries(attempts=2, on=frozenset({503}))),
    limits=Limits(concurrent_calls=1),
    busy=ToAgent(agent="overflow"),
)
WORLD = world(DESK, limited("overflow", Reject(status=600)))

MEANWHILE: tuple[CallEvent, ...] = (
    TakenOver(),
    CallGone(),
    SidebandOpened(),
    SidebandLost(),
    CallerConnected(),
    Unreachable(detail="no"),
    EndRequested(reason="shutdown"),
    HangUpFailed(detail="no"),
    ReferAnswered(ok=True),
    Steered(id="a", by="ada", act=AddNote(text="x")),
    CallerSpeaks(began=True),
    ResponseStarted(response_id="resp_1"),
    TimerFired(timer=DEADLINE),
    TimerFired(timer=RETRY),
)
REPLIES = (
    HttpReply(status=200, body=b'{"name": "Ada"}'),
    HttpReply(status=503),
    HttpReply(failure=Failure.TIMEOUT),
)
REPLIES_TO = {
    Phase.CLAIMING: ClaimReplied,
    Phase.ANSWERING: AnswerReplied,
    Phase.REJECTING: RejectReplied,
}
EVENTS = st.one_of(
    st.sampled_from(MEANWHILE),
    st.builds(
        ClaimReplied,
        agent=st.sampled_from(("front-desk", "overflow", "another")),
        reached=st.none() | st.sampled_from(Limit),
        taken=st.booleans(),
    ),
    st.builds(
        Replied,
        call_id=st.sampled_from(("rtc_1", "another")),
        attempt=st.integers(1, 3),
        reply=st.sampled_from(REPLIES),
    ),
    st.builds(AnswerReplied, decided=st.sampled_from(Decided)),
    st.builds(RejectReplied, decided=st.sampled_from(Decided)),
)


def awaited(machine: CallMachine) -> CallEvent:
    """What ends the wait of a call that rings, whoever has to end it."""
    match machine.phase:
        case Phase.CLAIMING:
            return ClaimReplied(agent=machine.reception.agent or "")
        case Phase.LOOKING_UP:
            return TimerFired(timer=DEADLINE)
        case Phase.ANSWERING:
            return AnswerReplied(decided=Decided.DONE)
        case _:
            return RejectReplied(decided=Decided.DONE)


@settings(max_examples=80)
@given(st.lists(st.tuples(st.none() | EVENTS, st.sampled_from((0.0, 0.4, 2.0))), max_size=12))
@example([(ClaimReplied(agent="front-desk", reached=Limit.CONCURRENT_CALLS), 0.0), (TakenOver(), 2.0)])
@example([(None, 0.0), (TakenOver(), 2.0), (TakenOver(), 0.0)])
@example([(None, 0.0), (None, 2.0), (AnswerReplied(decided=Decided.REFUSED), 0.0)])
def test_nobody_is_left_ringing_whatever_happens(events: list[tuple[CallEvent | None, float]]) -> None:
    """None stands for what the call waits for."""
    now = NOW
    lived: list[tuple[float, CallEvent]] = []
    machine, actions = CallMachine.ring(ringing(), WORLD, now)

    def happens(event: CallEvent) -> list[Action]:
        lived.append((now, event))
        is_reply = isinstance(event, REPLIES_TO.get(machine.phase, ()))
        if isinstance(event, ClaimReplied) and event.agent != machine.reception.agent:
            is_reply = False
        follows = machine.handle(event, now)
        assert follows or not is_reply, "who was asked has replied, and the call goes on"
        return follows

    for event, wait_s in events:
        now += wait_s
        if machine.phase in UNANSWERED:
            actions += happens(event or awaited(machine))
    for _ in ("a claim", "a lookup", "an answer"):
        if machine.phase in UNANSWERED:
            actions += happens(awaited(machine))
    assert machine.phase not in UNANSWERED

    kinds = [type(action) for action in actions]
    again = sum(isinstance(event, TakenOver) for _, event in lived)
    assert kinds.count(AnswerCall) <= 1 + again
    if RejectCall in kinds:
        assert AnswerCall not in kinds[kinds.index(RejectCall) :]
    if machine.phase is Phase.WAITING:
        assert machine.reception.result is RingResult.ACCEPTED
        assert (kinds.count(OpenSideband), kinds.count(Finish), RejectCall in kinds) == (1, 0, False)
        assert not machine.timers.keys() & {DEADLINE, RETRY}
    else:
        assert machine.reception.result not in {None, RingResult.ACCEPTED}
        assert (kinds.count(OpenSideband), kinds.count(Finish), machine.session) == (0, 1, None)
    replayed = CallMachine.replay(ringing(), NOW, lived, WORLD)
    assert state_of(replayed) == state_of(machine)
