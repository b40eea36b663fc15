"""Any events, late, doubled or out of order: what a call must never do, and what it always does."""

import json
import re
from collections import Counter
from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import Phase
from runner.call.machine.session import Session
from runner.call.records.record_json import encode
from runner.model.action import (
    Action,
    AddItem,
    ClaimCall,
    ClearTimer,
    Finish,
    HangUp,
    Interrupt,
    Refer,
    SendOutput,
    SendRequest,
    SetTimer,
    Speak,
    SwitchAgent,
    Timer,
    TimerKind,
)
from runner.model.agent import Guardrail, IfBroken, Keys, Limits, Lookup, Say, Silence, Then, WindDown
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
    AnswerReplied,
    CallEvent,
    CallGone,
    ClaimReplied,
    Decided,
    EndRequested,
    HangUpFailed,
    ReferAnswered,
    Replied,
    SidebandLost,
    SidebandOpened,
    Steered,
    TakenOver,
    TimerFired,
    Unreachable,
)
from runner.model.http import Failure, HttpReply
from runner.model.steering import (
    AddNote,
    ChangeAgent,
    ChangeInstructions,
    EndCall,
    GiveBack,
    Hush,
    SaySentence,
    SetVariables,
    SteeringAct,
    TakeOver,
    TellAgent,
    TransferCall,
    When,
)
from runner.model.tool import (
    HandoffBinding,
    HangupBinding,
    HttpBinding,
    McpServer,
    ResultSpec,
    Retries,
    StaticBinding,
    TransferBinding,
    WaitingStep,
)
from runner.model.usage import Usage
from runner.model.values import Instant
from tests.call.machine.machine_state import state_of
from tests.call.machine.playing import RINGING, a_world, an_agent, http_tool, tool, words

LONGEST_CALL_S = 600.0
DESTINATION = {"type": "object", "properties": {"destination": {"enum": ["desk", "nowhere"]}}}
TRANSFER = TransferBinding(
    destinations={"desk": words("sip:desk@maple.example"), "nowhere": words("{{ vars.nowhere }}")},
    fallback="desk",
    say=words("One moment."),
    if_not_completed=words("{{ 1 / (vars.nothing or 0) }}"),
)
TOOLS = (
    http_tool(
        "look",
        retries=Retries(attempts=2, on=frozenset({503})),
        result=ResultSpec(sets={"last": "day"}),
        while_waiting=(
            WaitingStep(after_s=1, say=(words("One second."), words("{{ 1 / (args.n or 0) }}"))),
            WaitingStep(after_s=2, tell=words("{{ 1 / (args.n or 0) }}")),
        ),
    ),
    http_tool("slow", background=True),
    http_tool("never", when=words("{{ vars.nothing }}"), otherwise=words("Not today.")),
    tool("fixed", StaticBinding(answer={"open": words("{{ 1 / (args.n or 0) }}")})),
    tool("end_call", HangupBinding(say=words("Goodbye!"))),
    tool("hang_up", HangupBinding()),
    tool("put_through", TRANSFER, parameters={**DESTINATION, "required": ["destination"]}),
    tool("to_other", HandoffBinding(agent="other")),
    tool("to_desk", HandoffBinding(agent="desk")),
)
LIMITS = Limits(
    max_duration_s=LONGEST_CALL_S,
    wind_down=WindDown(before_s=60, tell=words("Wrap up.")),
    silence=Silence(after_s=20, say=words("Are you still there?")),
    max_cost_usd=5.0,
    max_tool_calls=30,
    ghost_after_s=30,
)
GUARDRAILS = tuple(
    Guardrail(name=then.value, on=on, pattern=then.value, then=then, say=words("Stop."), handoff="other")
    for on in (Role.AGENT, Role.CALLER)
    for then in Then
)
DESK = an_agent(
    tools=TOOLS,
    limits=LIMITS,
    greeting=Say(text=words("Hello.")),
    keys=Keys(until="#", max_keys=8, private=True),
    guardrails=GUARDRAILS,
    lookup=Lookup(http=HttpBinding(method="GET", url=words("https://crm.example"))),
    mcp=(McpServer(label="crm", settings={}, approved=frozenset({"look_up"})),),
    if_broken=IfBroken(transfer=words("tel:+14155550123")),
)
OTHER = an_agent("other", tools=TOOLS, limits=Limits(max_duration_s=LONGEST_CALL_S, ghost_after_s=30))

WORLD = a_world(DESK, OTHER)

BESIDE_THE_SIDEBAND = (
    ClaimReplied,
    AnswerReplied,
    HangUpFailed,
    SidebandOpened,
    TimerFired,
    Replied,
    ReferAnswered,
    EndRequested,
    CallGone,
    Unreachable,
    Steered,
)
"""What can happen while there is none."""

PRESSED = re.compile(r"I pressed (\d+)")
AT_ONCE = (Unreachable, EndRequested, ApiError, ResponseEnded, Steered)
"""What may end a call at once, a transfer under way or not; so may a ghost's timer."""
PERSONS_WORDS = "A person says this."
LEASE = Timer(TimerKind.LEAD)


class Watched:
    """A call that is played at random, and everything that is held against it after each event."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: dict[Timer, float] = {}
        self.asked: str | None = None
        self.began: str | None = None
        self.is_attached = False
        self.is_referred = False
        self.is_over = False
        self.counts: Counter[type] = Counter()
        self.outputs: Counter[str] = Counter()
        self.done: set[str] = set()
        self.called: set[str] = set()
        self.requests: list[SendRequest] = []
        self.acts: dict[str, str | None] = {}
        self.entries: list[str] = []
        self.failed_hang_ups = 0
        self.deeds: set[str] = set()
        self.answers: bool | None = None
        """What the API was told last of who answers the caller."""
        self.lived: list[tuple[Instant, CallEvent]] = []
        self.machine, actions = CallMachine.ring(RINGING, WORLD, self.now)
        assert actions == [ClaimCall(agent="desk")]
        self.happens(ClaimReplied(agent="desk"))
        self.happens(Replied(call_id="rtc_1", attempt=1, reply=HttpReply(status=200, body=b"{}")))
        self.requests.clear()
        self.happens(AnswerReplied(decided=Decided.DONE))
        # From here on it is known that this API sends acts back, so that whose a response is can be told.
        self.happens(SidebandOpened(), McpListed(item_id="crm", ok=True))
        self.happens(ResponseStarted(response_id="resp_0", wish=self.asked))
        self.happens(
            ResponseEnded(response_id="resp_0", wish=self.asked, outcome=Outcome.COMPLETED, audible=False)
        )

    def happens(self, *events: CallEvent) -> None:
        for event in events:
            if not self.is_attached and not isinstance(event, BESIDE_THE_SIDEBAND):
                continue
            self._before(event)
            self.lived.append((self.now, event))
            actions = self.machine.handle(event, self.now)
            assert not (self.is_over and actions), "nothing is done after the end"
            self._take(event, actions)
            self._check_lead(event, actions)

    def _check_lead(self, event: CallEvent, actions: list[Action]) -> None:
        """While a person leads, the agent says nothing of its own; and no lease lasts for ever."""
        if isinstance(event, Steered):
            assert event.id not in self.deeds or not actions, "an act is done once"
            self.deeds.add(event.id)
        if self.is_attached:
            told = [action.answers for action in actions if isinstance(action, SwitchAgent)]
            self.answers = told[-1] if told else self.answers
        if self.machine.phase is not Phase.TALKING or isinstance(event, ItemPlaced):
            # What is placed is placed in the middle of what another event leads to.
            return
        session = self.session
        is_led = session.lead.is_taken
        assert is_led == (LEASE in self.timers), "a lease ends by itself"
        if self.is_attached and session.serving.pending is None:
            assert (self.answers is False) == is_led, "the API answers the caller unless a person leads"
        if not is_led:
            return
        for action in actions:
            if isinstance(action, Speak):
                said = f"{action.say or ''}{action.tell or ''}".replace(PERSONS_WORDS, "").strip()
                assert (action.say is not None, said) == (True, ""), "it says nothing of its own"
        if isinstance(event, ResponseStarted) and event.response_id == self.began:
            is_persons = session.speech.is_persons(event.response_id)
            assert is_persons or any(isinstance(action, Interrupt) for action in actions)

    @property
    def session(self) -> Session:
        assert self.machine.session is not None
        return self.machine.session

    def fires(self, timer: Timer) -> None:
        self.now = max(self.now, self.timers.pop(timer))
        self.happens(TimerFired(timer=timer))

    def _before(self, event: CallEvent) -> None:
        """What this event tells of who speaks and where a transfer stands."""
        match event:
            case ResponseStarted(response_id=response_id, wish=act):
                self.began = self.began if response_id in self.done else response_id
                self.asked = None if act is not None and self.asked == act else self.asked
            case ResponseEnded(response_id=response_id, wish=act, calls=calls):
                self.done.add(response_id)
                self.called |= {call.call_id for call in calls}
                self.began = None if self.began == response_id else self.began
                self.asked = None if act is not None and self.asked == act else self.asked
            case ApiError(kind=ApiErrorKind.BUSY_SPEAKING, about=None):
                self.asked = None
            case ApiError(about=about) if about is not None and about == self.asked:
                self.asked = None
            case SidebandOpened():
                self.is_attached = True
            case SidebandLost():
                self.asked = self.began = None
                self.is_attached = False
            case TimerFired(timer=Timer(kind=TimerKind.FLOOR)):
                self.asked = self.began = None
            case ReferAnswered(ok=False) | TimerFired(timer=Timer(kind=TimerKind.TRANSFER)) | CallGone():
                self.is_referred = False
            case ToolCalled(call_id=call_id):
                self.called.add(call_id)

    def _take(self, event: CallEvent, actions: list[Action]) -> None:
        for action in actions:
            self.counts[type(action)] += 1
            match action:
                case SetTimer(timer=timer, at=at):
                    self.timers[timer] = at
                case ClearTimer(timer=timer):
                    self.timers.pop(timer, None)
                case Speak(wish=act):
                    assert self.asked is None, "a second request before the first was done"
                    assert self.began is None, "a request while a response is being made"
                    assert len(act) <= 32
                    self.asked = act
                case SendRequest():
                    self.requests.append(action)
                case SendOutput(call_id=call_id):
                    self.outputs[call_id] += not isinstance(event, SidebandOpened)
                case Refer():
                    self.is_referred = True
                case HangUp():
                    ghost = isinstance(event, TimerFired) and event.timer.kind is TimerKind.GHOST
                    assert not self.is_referred or ghost or isinstance(event, AT_ONCE)
                    self.is_referred = False
                case AddItem(item_id=item_id, text=text):
                    assert len(item_id) <= 32
                    if pressed := PRESSED.search(text):
                        self.entries.append(pressed[1])
                    self.happens(ItemPlaced(item_id=item_id, role=Role.CALLER, text=text))
                case Finish():
                    self.is_over = True
        assert self.counts[HangUp] <= 1 + self.failed_hang_ups
        assert self.counts[Finish] <= 1
        assert all(count == 1 for count in self.outputs.values()), "one output for each call"

    def ends(self) -> None:
        """Let everybody do their part, and every timer fire in its order: then the call ends by itself."""
        if self.machine.phase is Phase.TALKING:
            unanswered = {call for call in self.called if not self.outputs[call]}
            asked = {sent.call_id for sent in self.requests}
            pending = self.session.serving.pending
            asked |= {pending.call_id} if pending is not None and pending.call_id else set()
            again = {timer.key for timer in self.timers if timer.kind is TimerKind.RETRY}
            assert unanswered <= asked | again, "each call of a tool has an output"
        for _ in range(2000):
            if self.is_over:
                return
            if self.requests:
                sent = self.requests.pop(0)
                self.happens(replied(sent, 200))
            elif self.machine.phase is Phase.HANGING_UP and not self.failed_hang_ups:
                self.failed_hang_ups += 1
                self.happens(HangUpFailed(detail="busy"))
                assert self.machine.timers[Timer(TimerKind.HANG_UP_AGAIN)] == self.now + 30
            elif self.machine.phase is Phase.HANGING_UP and Timer(TimerKind.HANG_UP_AGAIN) not in self.timers:
                self.happens(CallGone())
            elif (
                self.is_referred
                and self.machine.phase is Phase.REFERRED
                and Timer(TimerKind.TRANSFER) not in self.timers
            ):
                self.happens(ReferAnswered(ok=False, detail="refused"))
            else:
                assert self.timers, f"nothing will ever happen to a call that is {self.machine.phase}"
                self.fires(min(self.timers, key=lambda timer: self.timers[timer]))
        raise AssertionError(f"a call that never ends: {self.machine.phase}, {self.timers}")


def replied(sent: SendRequest, status: int) -> Replied:
    reply = (
        HttpReply(status=status, body=b'{"day": "Friday"}', content_type="application/json")
        if status
        else HttpReply(failure=Failure.TIMEOUT)
    )
    return Replied(call_id=sent.call_id, attempt=sent.attempt, reply=reply)


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
        SaySentence(say=PERSONS_WORDS, when=When.NOW),
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
