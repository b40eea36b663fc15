"""Another process takes a call up: what was in flight when the one before died, row by row."""

import pytest

from runner.call.machine.greeting import NOTHING_IS_KNOWN
from runner.call.machine.machine import CallMachine
from runner.call.machine.phase import Phase
from runner.model.action import (
    Action,
    AddItem,
    AnswerCall,
    ClearTimer,
    Finish,
    HangUp,
    OpenSideband,
    Refer,
    RemoveItem,
    SendOutput,
    SendRequest,
    SetTimer,
    Speak,
    SwitchAgent,
    Timer,
    TimerKind,
)
from runner.model.agent import Agent, Limits, Lookup, ModelOpens, Say, Tell, Wait
from runner.model.call import Role
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    CallerSpeaks,
    ItemPlaced,
    Outcome,
    PlaybackEnded,
    PlaybackStarted,
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
    Limit,
    ReferAnswered,
    Replied,
    SidebandLost,
    SidebandOpened,
    TakenOver,
    ToolCallMissed,
)
from runner.model.http import HttpReply
from runner.model.reception import RingResult
from runner.model.tool import (
    HangupBinding,
    HttpBinding,
    ResultSpec,
    Retries,
    StaticBinding,
    TransferBinding,
)
from runner.model.values import Instant
from tests.call.machine.playing import (
    RINGING,
    TO_NURSE,
    Play,
    a_world,
    an_agent,
    expect,
    http_tool,
    tool,
    words,
)

HELLO = Say(text=words("Hello."))


class Journalled(Play):
    """A call whose events are kept, so that another can take it up."""

    def __init__(self, agent: Agent, *others: Agent) -> None:
        self.lived: list[tuple[Instant, CallEvent]] = []
        self.world = a_world(agent, *others)
        super().__init__(agent, *others)

    def happens(self, *events: CallEvent) -> list[Action]:
        self.lived += [(self.now, event) for event in events]
        return super().happens(*events)

    def taken_over(self, after_s: float = 5.0) -> list[Action]:
        """The process dies; so much later another has taken the call up. What it does then."""
        self.machine = CallMachine.replay(RINGING, 1000.0, self.lived, self.world)
        self.timers = dict(self.machine.timers)
        self.now += after_s
        return self.happens(TakenOver())


def opened(*tools: object, agent: Agent | None = None) -> Journalled:
    play = Journalled(agent or an_agent(tools=tools, greeting=Wait()))
    play.opens()
    return play


@pytest.mark.parametrize(
    "events", [(), (ClaimReplied(agent="desk"),)], ids=["claimed", "about to be answered"]
)
def test_a_call_that_was_claimed_and_perhaps_answered_is_answered(events: tuple[CallEvent, ...]) -> None:
    world = a_world(an_agent())
    machine = CallMachine.replay(RINGING, 1000.0, [(1000.0, event) for event in events], world)
    # The API may have answered the call: it is told once more, and says so.
    (answer,) = machine.handle(TakenOver(), 1005.0)
    assert isinstance(answer, AnswerCall)
    assert machine.handle(AnswerReplied(decided=Decided.DONE), 1005.0)[0] == OpenSideband()


REPLY = HttpReply(status=200, body=b'{"name": "Ann"}')
RETRIES = Retries(attempts=2, on=frozenset({503}))


def looking_up(*events: CallEvent) -> CallMachine:
    """A machine that looks its caller up, and has lived through these events at 1000 s."""
    binding = HttpBinding(method="GET", url=words("https://crm.example"), retries=RETRIES)
    lookup = Lookup(http=binding, timeout_s=2.0, default={"name": "nobody"})
    world = a_world(an_agent(lookup=lookup, instructions=words("Greet {{ lookup.name }}.")))
    lived = [(1000.0, event) for event in (ClaimReplied(agent="desk"), *events)]
    return CallMachine.replay(RINGING, 1000.0, lived, world)


def test_a_lookup_without_a_reply_is_asked_again_under_the_key_of_the_call() -> None:
    machine = looking_up()
    _, request = machine.handle(TakenOver(), 1001.0)
    sent = expect(SendRequest, request)
    key = dict(sent.request.headers)["Idempotency-Key"]
    assert (sent.call_id, sent.attempt, key) == ("rtc_1", 2, "rtc_1")
    actions = machine.handle(Replied(call_id="rtc_1", attempt=2, reply=REPLY), 1001.5)
    assert expect(AnswerCall, actions[-1]).instructions == "Greet Ann."


def test_a_lookup_whose_next_attempt_was_waited_for_is_asked_once() -> None:
    failed = Replied(call_id="rtc_1", attempt=1, reply=HttpReply(status=503))
    machine = looking_up(failed)
    assert Timer(TimerKind.LOOKUP_RETRY) in machine.timers
    cleared, request = machine.handle(TakenOver(), 1001.0)
    assert cleared == ClearTimer(timer=Timer(TimerKind.LOOKUP_RETRY))
    assert expect(SendRequest, request).attempt == 2
    assert list(machine.timers) == [Timer(TimerKind.LOOKUP)]


def test_a_caller_who_has_heard_ringing_for_longer_than_a_lookup_may_take_is_answered_with_its_default() -> (
    None
):
    machine = looking_up()
    actions = machine.handle(TakenOver(), 1002.0)
    assert expect(AnswerCall, actions[-1]).instructions == "Greet nobody."
    assert machine.timers == {}
    assert machine.reception.looked_up is not None
    assert (
        machine.reception.looked_up.fault
        == "the lookup gave its default: the endpoint did not answer in time"
    )


def test_a_call_whose_rejection_was_under_way_is_left_to_the_next_delivery() -> None:
    world = a_world(an_agent())
    full = ClaimReplied(agent="desk", reached=Limit.CALLS_PER_DAY)
    machine = CallMachine.replay(RINGING, 1000.0, [(1000.0, full)], world)
    assert machine.phase is Phase.REJECTING
    assert machine.handle(TakenOver(), 1005.0) == [Finish()]
    assert machine.reception.result is RingResult.UNAVAILABLE


# Whether the process before has greeted


def in_doubt(greeting: object) -> Journalled:
    """A call that was answered, by a process that is not known to have attached to it."""
    play = Journalled(an_agent(greeting=greeting))
    assert play.taken_over() == [OpenSideband(again=True)]
    return play


def ended(response_id: str, wish: str) -> ResponseEnded:
    return ResponseEnded(response_id=response_id, wish=wish, outcome=Outcome.COMPLETED)


QUESTION = AddItem(item_id="item_1006", text=NOTHING_IS_KNOWN)
TAKEN_BACK = RemoveItem(item_id="item_1006")


def placed(after: str | None, item_id: str = "item_1006") -> ItemPlaced:
    return ItemPlaced(item_id=item_id, after=after, role=Role.SYSTEM)


@pytest.mark.parametrize(
    ("greeting", "asked"),
    [
        (HELLO, Speak(wish="wish_1", say="Hello.")),
        (Tell(text=words("Greet.")), Speak(wish="wish_1", tell="You are desk.\n\nGreet.")),
        (ModelOpens(), Speak(wish="wish_1")),
    ],
)
def test_a_call_in_which_nothing_was_said_is_greeted(greeting: object, asked: Speak) -> None:
    play = in_doubt(greeting)
    assert play.opens() == [QUESTION]
    assert play.happens(placed(None, "another")) == []
    assert play.happens(placed(None)) == [TAKEN_BACK, asked]
    assert play.happens(placed(None)) == [], "once"


@pytest.mark.parametrize("greeting", [HELLO, Tell(text=words("Greet.")), ModelOpens()])
@pytest.mark.parametrize(
    ("meanwhile", "after", "said"),
    [
        ((), "item_a", [Speak(wish="wish_1")]),
        ((ResponseStarted(response_id="r"),), None, []),
        ((ResponseStarted(response_id="r"), PlaybackStarted(response_id="r")), "item_a", []),
        ((CallerSpeaks(began=True),), None, []),
    ],
    ids=["the conversation has begun", "a response is made", "the agent is heard", "the caller speaks"],
)
def test_a_call_in_which_somebody_speaks_is_not_greeted(
    greeting: object, meanwhile: tuple[CallEvent, ...], after: str | None, said: list[Action]
) -> None:
    play = in_doubt(greeting)
    assert play.opens() == [QUESTION]
    play.happens(*meanwhile)
    assert play.happens(placed(after)) == said, "the model goes on, unless somebody speaks"


@pytest.mark.parametrize("greeting", [HELLO, Tell(text=words("Greet.")), ModelOpens()])
def test_a_greeting_that_crosses_with_that_of_the_process_before_is_dropped(greeting: object) -> None:
    play = in_doubt(greeting)
    play.opens()
    play.happens(placed(None))
    play.happens(ApiError(kind=ApiErrorKind.BUSY_SPEAKING, about="wish_1"))
    assert play.happens(ended("r", wish="wish_of_another"), PlaybackEnded(response_id="r")) == []


def test_a_call_whose_agent_waits_for_the_caller_is_not_asked() -> None:
    play = in_doubt(Wait())
    assert play.opens() == []


def test_a_call_whose_sideband_is_lost_before_the_answer_is_not_greeted() -> None:
    play = in_doubt(HELLO)
    play.opens()
    play.happens(SidebandLost())
    assert play.happens(SidebandOpened()) == [Speak(wish="wish_1")]
    assert play.happens(placed(None)) == []


@pytest.mark.parametrize(
    ("decided", "first"),
    [(Decided.DONE, Speak(wish="wish_1", say="Hello.")), (Decided.DONE_BEFORE, QUESTION)],
)
def test_a_call_that_was_answered_before_may_have_been_greeted(decided: Decided, first: Action) -> None:
    world = a_world(an_agent(greeting=HELLO))
    machine = CallMachine.replay(RINGING, 1000.0, [], world)
    machine.handle(TakenOver(), 1005.0)
    machine.handle(AnswerReplied(decided=decided), 1005.0)
    actions = machine.handle(SidebandOpened(), 1005.0)
    assert [each for each in actions if not isinstance(each, SetTimer | ClearTimer)] == [first]


def test_a_call_that_is_over_and_has_no_record_yet_gets_it() -> None:
    play = opened()
    play.happens(CallGone())
    before = play.machine.record()
    assert play.taken_over() == [Finish()]
    assert play.machine.is_over
    assert play.machine.record() == before is not None


def test_a_request_of_a_call_that_is_over_is_sent_again_where_that_does_no_harm() -> None:
    play = opened(http_tool())
    (sent,) = play.responds(("find_slots", "{}"))
    play.happens(CallGone())
    assert play.taken_over() == [sent]
    assert play.replies(sent) == [Finish()]
    play = opened(tool("book", HttpBinding(method="POST", url=words("https://api.example/book"))))
    play.responds(("book", "{}"))
    play.happens(CallGone())
    assert play.taken_over()[-1] == Finish()


def test_a_call_is_never_greeted_twice_and_the_model_is_asked_to_go_on() -> None:
    play = Journalled(an_agent(greeting=HELLO))
    play.opens()
    assert play.taken_over() == [OpenSideband(again=True)]
    assert play.happens(SidebandOpened()) == [Speak(wish="wish_2")]
    assert play.record.faults == (
        "another process has taken the call over: nobody served it for some time between"
        " 1970-01-01T00:16:40Z and 1970-01-01T00:16:45Z",
    )


def test_a_request_that_does_no_harm_is_sent_again_under_the_same_key() -> None:
    play = opened(http_tool())
    (sent,) = play.responds(("find_slots", "{}"))
    again, attach = play.taken_over()
    assert (again, attach) == (sent, OpenSideband(again=True))
    assert expect(SendRequest, again).is_repeatable
    play.happens(SidebandOpened())
    assert play.replies(again)[0] == SendOutput(call_id="call_1_0", output='{"ok":true}')
    (use,) = play.record.tools
    assert (use.attempts, [attempt.http_status for attempt in use.tries]) == (2, [None, 200])


def test_of_a_request_that_may_have_been_carried_out_the_model_is_told_that_it_is_unknown() -> None:
    result = ResultSpec(on_error=words("Say that you will call back."))
    book = tool("book", HttpBinding(method="POST", url=words("https://api.example/book")), result=result)
    play = opened(book)
    (sent,) = play.responds(("book", "{}"))
    assert not expect(SendRequest, sent).is_repeatable
    output, _ = play.taken_over()
    told = expect(SendOutput, output).output
    assert "it is unknown whether this was done" in told
    assert "Say that you will call back." in told
    # It is told again once there is a sideband, and nothing is sent a second time.
    assert play.happens(SidebandOpened())[0] == output
    assert [use.status for use in play.record.tools] == ["error"]


MISSED = ToolCallMissed(called=ToolCalled(response_id="r", call_id="c", name="find_slots", arguments="{}"))


def test_a_tool_call_that_the_process_before_could_not_write_down_is_carried_out_once() -> None:
    play = opened(http_tool())
    play.taken_over()
    play.happens(SidebandOpened())
    play.responds()
    (sent,) = play.happens(MISSED)
    assert expect(SendRequest, sent).attempt == 1
    assert play.happens(MISSED, MISSED.called) == []
    assert play.replies(sent) == [
        SendOutput(call_id="c", output='{"ok":true}'),
        Speak(wish="wish_2"),
    ]


def test_of_a_tool_call_that_was_perhaps_carried_out_the_model_is_told_that_it_is_unknown() -> None:
    play = opened(tool("find_slots", HttpBinding(method="POST", url=words("https://api.example/book"))))
    play.taken_over()
    play.happens(SidebandOpened())
    play.responds()
    output, speak = play.happens(MISSED)
    assert "it is unknown whether this was done" in expect(SendOutput, output).output
    assert speak == Speak(wish="wish_2")


def test_a_fixed_answer_is_given_whoever_was_asked_for_it() -> None:
    play = opened(tool("find_slots", StaticBinding(answer=words("Ten."))))
    play.taken_over()
    play.happens(SidebandOpened())
    play.responds()
    assert play.happens(MISSED) == [SendOutput(call_id="c", output="Ten."), Speak(wish="wish_2")]


@pytest.mark.parametrize(
    "binding",
    [HangupBinding(), TransferBinding(destinations={"nurse": words("sip:nurse@maple.example")})],
)
def test_nobody_is_cut_off_by_a_missed_tool_call(binding: HangupBinding | TransferBinding) -> None:
    play = opened(tool("find_slots", binding))
    play.taken_over()
    play.happens(SidebandOpened())
    play.responds()
    output, speak = play.happens(MISSED)
    assert "it is unknown whether this was done" in expect(SendOutput, output).output
    assert speak == Speak(wish="wish_2")


def test_a_missed_tool_call_of_a_call_without_a_sideband_is_left() -> None:
    play = opened(http_tool())
    play.happens(CallGone())
    assert play.happens(MISSED) == []


def test_a_request_whose_response_never_ended_is_answered_and_the_model_continues() -> None:
    play = opened(http_tool())
    called = ToolCalled(response_id="r", call_id="c", name="find_slots", arguments="{}")
    play.happens(ResponseStarted(response_id="r"), called)
    again, _ = play.taken_over()
    play.happens(SidebandOpened())
    assert play.replies(again)[-1] == Speak(wish="wish_1")


def test_an_output_that_may_be_lost_is_sent_again() -> None:
    play = opened(http_tool())
    (sent,) = play.responds(("find_slots", "{}"))
    output, *_ = play.replies(sent)
    play.taken_over()
    assert play.happens(SidebandOpened()) == [output, Speak(wish="wish_2")]


def test_a_hang_up_is_sent_again() -> None:
    play = opened()
    play.happens(EndRequested(reason="shutdown"))
    assert play.taken_over() == [HangUp()]
    play.happens(CallGone())
    assert play.record.ended == "shutdown"


def test_a_transfer_is_watched_to_its_end() -> None:
    play = opened(TO_NURSE)
    play.responds(("to_a_person", '{"destination":"nurse"}'))
    assert play.responds() == [Refer(target="sip:nurse@maple.example")]
    play.happens(ReferAnswered(ok=True))
    assert play.taken_over() == [OpenSideband(again=True)]
    assert play.timer(TimerKind.TRANSFER) == 15
    play.happens(CallGone())
    assert play.record.ended == "transferred"


def test_timers_that_are_past_fire_at_once_in_order() -> None:
    play = opened(agent=an_agent(greeting=Wait(), limits=Limits(max_duration_s=60)))
    play.passes(50)
    play.taken_over(after_s=30)
    assert play.timers == play.machine.timers
    leave = play.passes(0)
    assert play.record.ended == "max_duration"
    assert leave == [], "it is said when there is a sideband"
    assert isinstance(play.happens(SidebandOpened())[-1], Speak)


def test_a_call_that_ended_meanwhile_is_lost_and_the_record_says_from_when_to_when() -> None:
    play = opened()
    play.passes(10)
    play.taken_over(after_s=7)
    play.happens(CallGone())
    assert play.record.ended == "lost"
    assert play.record.ended_at == play.now
    assert "some time between 1970-01-01T00:16:40Z and 1970-01-01T00:16:57Z" in play.record.faults[0]


@pytest.mark.parametrize("was_open", [True, False])
def test_a_call_that_goes_on_after_a_takeover_ends_as_any_other(was_open: bool) -> None:
    play = opened() if was_open else Journalled(an_agent())
    play.taken_over()
    play.happens(SidebandOpened(), SidebandLost(), CallGone())
    assert play.record.ended == "caller_hung_up"


def test_a_call_that_is_taken_over_twice_is_still_the_same_call() -> None:
    play = opened(http_tool())
    (sent,) = play.responds(("find_slots", "{}"))
    play.taken_over()
    again, _ = play.taken_over()
    assert again == sent
    play.happens(SidebandOpened())
    reply = HttpReply(status=200, body=b'{"ok":true}')
    play.happens(Replied(call_id="call_1_0", attempt=1, reply=reply))
    assert len(play.record.faults) == 2
    assert [use.status for use in play.record.tools] == ["ok"]


# Without a journal


def test_a_call_without_its_journal_is_served_without_a_greeting_and_the_model_is_told() -> None:
    agent = an_agent(greeting=HELLO)
    machine = CallMachine.bare(RINGING, agent, a_world(agent), 1100.0)
    assert machine.phase is Phase.WAITING
    actions = machine.handle(SidebandOpened(), 1100.0)
    switch, told, go_on = [each for each in actions if not isinstance(each, SetTimer | ClearTimer)]
    assert isinstance(switch, SwitchAgent)
    assert (switch.instructions, switch.agent.id) == ("You are desk.", "desk")
    assert switch.answers is True, "a person may have led the call"
    message = expect(AddItem, told)
    assert message.text.startswith("There was an interruption on our side.")
    assert message.item_id == "item_1101", "the one before may have said something under any lower number"
    assert isinstance(go_on, Speak)
    record = machine.record()
    assert record is not None
    assert record.faults == (
        "the call was taken over without its journal: what was said and done is not known",
    )


def test_a_call_without_its_journal_is_served_by_the_agent_that_is_known_without_a_lookup() -> None:
    lookup = Lookup(
        http=HttpBinding(method="GET", url=words("https://crm.example")), default={"name": "nobody"}
    )
    sales = an_agent("sales", lookup=lookup, instructions=words("Sell to {{ lookup.name }}."))
    machine = CallMachine.bare(RINGING, sales, a_world(an_agent(), sales), 1100.0)
    assert (machine.phase, machine.agent) == (Phase.WAITING, sales)
    assert machine.session is not None
    assert machine.session.texts.instructions == "Sell to nobody."


def test_a_call_whose_agent_cannot_be_prepared_any_more_cannot_be_served() -> None:
    agent = an_agent(instructions=words("{{ 1 // 0 }}"))
    assert CallMachine.bare(RINGING, agent, a_world(agent), 1100.0).session is None
