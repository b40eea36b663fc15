"""A call that is played at random, and everything that is held against it after each event."""

import re
from collections import Counter

from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import Phase
from runner.call.machine.session import Session
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
    ItemPlaced,
    McpListed,
    Outcome,
    ResponseEnded,
    ResponseStarted,
    ToolCalled,
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
    TimerFired,
    Unreachable,
)
from runner.model.http import Failure, HttpReply
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
from runner.model.values import Instant
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
