"""Any events, late, doubled or out of order: what a call must never do, and what it always does."""

import json
from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.call.machine.machine import CallMachine
from runner.call.records.record_json import encode
from runner.model.action import (
    ClearTimer,
    Finish,
    SendOutput,
)
from runner.model.agent import Then
from runner.model.call import Role
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    ApprovalAsked,
    CallerSpeaks,
    Ignored,
    IgnoredBecause,
    ItemPlaced,
    KeyPressed,
    McpCallEnded,
    McpCallStarted,
    McpListed,
    Outcome,
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
    CallEvent,
    CallGone,
    EndRequested,
    ReferAnswered,
    SidebandLost,
    SidebandOpened,
    Steered,
    TakenOver,
    Unreachable,
)
from runner.model.steering import (
    AddNote,
    ChangeAgent,
    ChangeInstructions,
    EndCall,
    GiveBack,
    Hush,
    SaySentence,
    SentenceTiming,
    SetVariables,
    SteeringAct,
    TakeOver,
    TellAgent,
    TransferCall,
)
from runner.model.usage import Usage
from tests.call.machine.machine_state import state_of
from tests.call.machine.playing import RINGING
from tests.call.machine.watched_call import PERSONS_WORDS, TOOLS, WORLD, Watched, replied

# What may happen next. Each takes the call and two numbers, which choose among what there is.

Move = Callable[[Watched, int, int], None]
OUTCOMES = tuple(Outcome)
ARGUMENTS = ("{}", '{"n": 1}', "{", '{"destination": "desk"}', '{"destination": "nowhere"}')


def _calls(play: Watched, response_id: str, a: int, b: int) -> tuple[ToolCalled, ...]:
    names = (*(each.name for each in TOOLS), "unknown")
    arguments = (*ARGUMENTS, json.dumps({"day": (play.entries or ["Friday"])[-1]}))
    name, given = names[a % len(names)], arguments[b % len(arguments)]
    # Of some, both calls are one and the same, told twice.
    return tuple(
        ToolCalled(response_id=response_id, call_id=f"call_{response_id}_{index}", name=name, arguments=given)
        for index in range(b % 3)
    )


def starts(play: Watched, a: int, b: int) -> None:
    response_id = f"resp_{len(play.acts) + 1}"
    play.acts[response_id] = play.asked if a % 2 else None
    play.happens(ResponseStarted(response_id=response_id, wish=play.acts[response_id]))


def calls(play: Watched, a: int, b: int) -> None:
    play.happens(*_calls(play, f"resp_{len(play.acts)}", a, b))


def stops(play: Watched, a: int, b: int) -> None:
    """A response ends: the last, or one before it, for the first time or once more."""
    number = max(1, len(play.acts) - a % 3)
    response_id = f"resp_{number}"
    outcome = OUTCOMES[min(b, 3)]
    play.happens(
        ResponseEnded(
            response_id=response_id,
            wish=play.acts.get(response_id),
            outcome=outcome,
            calls=_calls(play, response_id, a, b),
            usage=Usage(audio_out=1000 * b),
            audio_s=50.0 * b,
            audible=b % 2 == 0,
        )
    )


def is_heard(play: Watched, a: int, b: int) -> None:
    response_id = f"resp_{max(0, len(play.acts) - a % 3)}"
    if b % 3:
        play.happens(PlaybackEnded(response_id=response_id, interrupted=b % 3 == 2))
    else:
        play.happens(PlaybackStarted(response_id=response_id))


def fires(play: Watched, a: int, b: int) -> None:
    """The next timer: any that is set, since clocks are compared only with themselves."""
    if play.timers:
        play.fires(
            sorted(play.timers, key=lambda timer: (play.timers[timer], timer.key))[
                a % min(3, len(play.timers))
            ]
        )


def is_answered(play: Watched, a: int, b: int) -> None:
    if play.requests:
        sent = play.requests[a % len(play.requests)]
        play.happens(replied(sent, (200, 503, 0)[b % 3]))
        if b < 3:  # otherwise the same answer may come again
            play.requests.remove(sent)


def is_pressed(play: Watched, a: int, b: int) -> None:
    for key in ("7", "8989", "#", "98#")[a % 4]:
        play.happens(KeyPressed(key=key))


def is_refused(play: Watched, a: int, b: int) -> None:
    kind = tuple(ApiErrorKind)[a % len(ApiErrorKind)]
    play.happens(ApiError(kind=kind, about=(play.asked, None, "output_x")[b % 3]))


def loses(play: Watched, a: int, b: int) -> None:
    play.happens(SidebandLost())
    if a % 2:
        opens(play, a, b)


def opens(play: Watched, a: int, b: int) -> None:
    if not play.is_attached:
        play.happens(SidebandOpened())


def speaks(play: Watched, a: int, b: int) -> None:
    play.happens(CallerSpeaks(began=a % 2 == 0))


def writes(play: Watched, a: int, b: int) -> None:
    role = (Role.AGENT, Role.CALLER)[a % 2]
    text = (
        *(then.value for then in Then),
        "Well.",
        f"You pressed {' '.join((play.entries or ['nothing'])[-1])}.",
    )[b % 6]
    item_id = f"item_{a}"
    play.happens(
        (
            ItemPlaced(item_id=item_id, after=f"item_{b}", role=role),
            Transcribed(item_id=item_id, role=role, text=text),
            TranscriptGrew(item_id=item_id, role=role, text=text),
        )[b % 3]
    )


def is_odd(play: Watched, a: int, b: int) -> None:
    """Whatever else there is."""
    oddities: tuple[CallEvent, ...] = (
        Ignored(IgnoredBecause.UNKNOWN),
        SilenceNudge(item_id=f"item_{b}"),
        OutputTaken(call_id=f"call_resp_{b}_0"),
        McpListed(item_id="crm", ok=b % 2 == 0),
        McpCallStarted(item_id="mcp_1", server="crm", tool="look_up"),
        McpCallEnded(item_id="mcp_1", ok=True),
        ApprovalAsked(request_id="ask_1", server="crm", tool="look_up"),
        ReferAnswered(ok=b % 2 == 0),
        ReferAnswered(ok=True),
        SessionUpdated(update_id=f"switch_{b % 3}"),
        ApiError(kind=ApiErrorKind.OTHER, about=f"switch_{b % 3}"),
        TurnTruncated(item_id=f"item_{b}", heard_ms=500),
    )
    play.happens(oddities[a % len(oddities)])


def steers(play: Watched, a: int, b: int) -> None:
    """A person acts: with an id of its own, or seldom with one that was used before."""
    acts: tuple[SteeringAct, ...] = (
        SaySentence(say=PERSONS_WORDS),
        SaySentence(say=PERSONS_WORDS, when=SentenceTiming.NOW),
        TellAgent(tell="Be brief.", speak=b % 2 == 0),
        Hush(),
        SetVariables(set={"last": "Monday"}),
        ChangeInstructions(add="Be brief.") if b % 2 else ChangeInstructions(replace="You are Ada."),
        ChangeAgent(agent=("desk", "other")[b % 2], speak=b % 3 == 0),
        TransferCall(to="desk", say=PERSONS_WORDS if b % 2 else None),
        EndCall(say=PERSONS_WORDS if b % 2 else None) if b > 4 else AddNote(text="Knows us."),
        TakeOver(for_s=30.0),
        TakeOver(for_s=90.0),
        GiveBack(speak=b % 2 == 0),
    )
    number = len(play.deeds) - (b == 7)
    play.happens(Steered(id=f"deed_{number}", by=("lead", "pager")[b == 3], act=acts[a % len(acts)]))


def leads(play: Watched, a: int, b: int) -> None:
    """A person takes over, so that what follows meets a call that is led."""
    play.happens(Steered(id=f"deed_{len(play.deeds)}", by="lead", act=TakeOver(for_s=10.0 * (1 + b))))


def is_told(play: Watched, a: int, b: int) -> None:
    """What the API says to a change of the session that a person has made."""
    update_id = f"refresh_{1 + a % 4}"
    told = SessionUpdated(update_id=update_id), ApiError(kind=ApiErrorKind.OTHER, about=update_id)
    play.happens(told[b % 5 == 4])


def is_ended(play: Watched, a: int, b: int) -> None:
    """Seldom: most calls shall go on for a while."""
    if a == b == 7:
        play.happens(EndRequested(reason="shutdown"))
    elif (a, b) == (6, 7):
        play.happens(CallGone())
    elif (a, b) == (7, 6):
        play.happens(Unreachable(detail="refused"))


MOVES: tuple[Move, ...] = (
    starts, starts, calls, stops, stops, is_heard, fires, fires, is_answered, is_pressed,
    is_refused, loses, opens, speaks, writes, is_odd, steers, steers, leads, is_told, is_ended,
)  # fmt: skip
STEPS = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 11), st.integers(0, 7)), max_size=60)


ASKS_FOR_A_TRANSFER = [(starts, 0, 0), (calls, 6, 4)]
ANNOUNCES_IT = [*ASKS_FOR_A_TRANSFER, (stops, 0, 1), (starts, 1, 0), (stops, 0, 1)]


@settings(max_examples=400, deadline=None)
@given(STEPS)
@example([(is_heard, 0, 0), *ASKS_FOR_A_TRANSFER, (loses, 0, 0)])  # the sentence before it is never heard
@example([*ANNOUNCES_IT, (writes, 0, 2)])  # a guardrail wants to hang up meanwhile
@example([(starts, 0, 0), (calls, 0, 4), (fires, 0, 0), (fires, 0, 0), (fires, 0, 0)])  # waiting sentences
@example([(calls, 7, 1), (leads, 0, 0), (is_told, 0, 0), (fires, 0, 0), (fires, 0, 0)])  # before it was sent
@example([(is_pressed, 1, 0), (is_pressed, 2, 0), (starts, 0, 0), (calls, 0, 5)])  # repeats what was pressed
def test_a_call_keeps_its_rules_whatever_happens(steps: list[tuple[Move, int, int]]) -> None:
    play = Watched()
    for move, a, b in steps:
        move(play, a, b)
        assert play.machine.timers == play.timers, "the machine knows the timers that are set"
    play.ends()
    assert_replays(play)


def assert_taken_over(play: Watched) -> None:
    """Whoever takes the call up, wherever its journal ends, brings it to its end: nobody is left waiting."""
    cut = len(play.lived) // 2
    machine = CallMachine.replay(RINGING, 1000.0, play.lived[:cut], WORLD)
    now = play.lived[cut - 1][0] if cut else 1000.0
    before = dict(machine.timers)
    actions = machine.handle(TakenOver(), now + 5)
    if not actions or isinstance(actions[0], Finish):
        return
    assert sum(isinstance(action, SendOutput) for action in actions) <= len(play.called)
    assert before.keys() - machine.timers.keys() <= {
        action.timer for action in actions if isinstance(action, ClearTimer)
    }
    machine.handle(CallGone(), now + 6)
    machine.handle(EndRequested(reason="shutdown"), now + 6)
    assert machine.is_over
    record = machine.record()
    assert record is not None
    assert record.ended


def assert_replays(play: Watched) -> None:
    """The machine of a journal is the machine that lived it, wherever the journal ends."""
    live, _ = CallMachine.ring(RINGING, WORLD, 1000.0)
    # A few places are enough for one call; hypothesis makes many calls.
    ends = {len(play.lived) * part // 3 for part in (1, 2, 3)}
    for number, (at, event) in enumerate(play.lived, start=1):
        live.handle(event, at)
        if number in ends:
            replayed = CallMachine.replay(RINGING, 1000.0, play.lived[:number], WORLD)
            assert state_of(replayed) == state_of(live)
    assert state_of(live) == state_of(play.machine)
    assert_taken_over(play)
    record = play.session.record()
    assert record.ended
    assert record.ended_at is not None
    assert all(deed.settled_at is not None for deed in record.deeds), "nobody waits for the fate of an act"
    written = encode(record)
    private = [entry for entry in play.entries if len(entry) >= 4]
    assert not [entry for entry in private if entry in written or " ".join(entry) in written]
    play.session.jobs(record, play.now)
    assert play.machine.handle(SidebandOpened(), play.now) == []
