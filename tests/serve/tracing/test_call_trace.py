"""The spans of a call, as its events and actions make them."""

from typing import Any

import pytest

from runner.call.machine.machine import CallMachine
from runner.call.trace_context import span_id, trace_id
from runner.model.action import SendRequest, SwitchAgent
from runner.model.agent import Agent, Lookup
from runner.model.conversation_event import (
    Outcome,
    ResponseEnded,
    ResponseStarted,
    SessionUpdated,
    ToolCalled,
)
from runner.model.event import (
    AnswerReplied,
    CallEvent,
    CallGone,
    ClaimReplied,
    Decided,
    Replied,
    SidebandLost,
    SidebandOpened,
    TakenOver,
    Unreachable,
)
from runner.model.http import Failure, HttpReply
from runner.model.tool import HttpBinding
from runner.model.usage import Usage
from runner.serve.tracing.call_trace import CallTrace
from runner.serve.tracing.span import Moment, SpanKind, TraceSpan
from tests.call.machine.playing import RINGING, TO_SPANISH, a_world, an_agent, http_tool, words

ROOT = span_id("rtc_1", "")
ANSWERED = (1000.0, ClaimReplied(agent="desk")), (1000.25, AnswerReplied(decided=Decided.DONE))
ATTACHED = (*ANSWERED, (1000.5, SidebandOpened()))
OVER = (1060.0, SidebandLost()), (1060.0, CallGone())
At = tuple[float, CallEvent]


class Traced:
    """One call, and the spans that were handed on."""

    def __init__(self, agent: Agent, *others: Agent, machine: CallMachine | None = None) -> None:
        self.world = a_world(agent, *others)
        self.spans: list[TraceSpan] = []
        self.machine = machine or CallMachine.ring(RINGING, self.world, 1000.0)[0]
        self.trace = CallTrace(self.spans.append, provider="example")
        self.trace.begins(self.machine, 1000.0)
        self.done: list[Any] = []

    def lives(self, *moments: At) -> "Traced":
        for at, event in moments:
            actions = self.machine.handle(event, at)
            self.done += actions
            self.trace.handled(event, actions, at)
        return self

    def ends(self, at: float = 1060.0) -> "Traced":
        self.trace.ends(self.machine.record(), at)
        return self

    def span(self, name: str) -> TraceSpan:
        (found,) = [span for span in self.spans if span.name == name]
        return found


def responds(at: float, *calls: str, usage: Usage | None = None) -> tuple[At, ...]:
    made = tuple(ToolCalled(response_id="r1", call_id=name, name=name, arguments="{}") for name in calls)
    ended = ResponseEnded(
        response_id="r1", outcome=Outcome.COMPLETED, calls=made, audible=False, usage=usage or Usage()
    )
    return (at, ResponseStarted(response_id="r1")), (at, ended)


def test_a_call_is_a_span_with_the_agent_that_served_it_below() -> None:
    call = Traced(an_agent())
    call.lives(*ATTACHED, *responds(1001.0, usage=Usage(text_in=9, text_cached=4, audio_out=7)), *OVER).ends()
    assert [span.name for span in call.spans] == ["invoke_agent desk", "call desk"]
    assert {(span.trace_id, span.ended_at) for span in call.spans} == {(trace_id("rtc_1"), 1060.0)}
    agent, whole = call.spans
    assert (whole.span_id, whole.parent_id, whole.kind, whole.began_at) == (ROOT, None, SpanKind.SERVER, 1000)
    assert (agent.parent_id, agent.kind, agent.began_at) == (ROOT, SpanKind.INTERNAL, 1000.0)
    assert whole.error is None
    assert whole.attributes == {
        "gen_ai.conversation.id": "rtc_1",
        "gen_ai.provider.name": "example",
        "gen_ai.agent.id": "desk",
        "gen_ai.request.model": "gpt-realtime-2.1",
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "phone_agents.call.ended": "caller_hung_up",
        "phone_agents.call.turns": 0,
        "phone_agents.call.cost_usd": whole.attributes["phone_agents.call.cost_usd"],
    }
    assert agent.attributes == {
        "gen_ai.conversation.id": "rtc_1",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "example",
        "gen_ai.agent.id": "desk",
        "gen_ai.agent.name": "desk",
    }


def test_a_tool_call_is_the_span_that_its_endpoint_is_told_of() -> None:
    call = Traced(an_agent(tools=(http_tool(),))).lives(*ATTACHED, *responds(1001.0, "find_slots"))
    (sent,) = [action for action in call.done if isinstance(action, SendRequest)]
    _, trace, parent, _ = dict(sent.request.headers)["traceparent"].split("-")
    reply = HttpReply(status=503, body=b"{}", content_type="application/json")
    call.lives((1003.0, Replied(call_id="find_slots", attempt=1, reply=reply)), *OVER).ends()
    tool, agent = call.span("execute_tool find_slots"), call.span("invoke_agent desk")
    assert (tool.trace_id, tool.span_id) == (trace, parent)
    assert (tool.parent_id, tool.began_at, tool.ended_at) == (agent.span_id, 1001.0, 1003.0)
    assert tool.error == "error"
    assert tool.attributes == {
        "gen_ai.conversation.id": "rtc_1",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "find_slots",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": "find_slots",
        "phone_agents.tool.status": "error",
        "phone_agents.tool.attempts": 1,
        "http.response.status_code": 503,
    }
    attempt = {"phone_agents.attempt": 1, "http.response.status_code": 503}
    assert tool.moments == (Moment(name="attempt", at=1003.0, attributes=attempt),)


def test_what_the_model_made_up_is_in_no_span() -> None:
    call = Traced(an_agent()).lives(*ATTACHED, *responds(1001.0, "+14155550100"), *OVER).ends()
    tool = call.span("execute_tool unknown")
    assert (tool.error, tool.attributes["gen_ai.tool.name"]) == ("refused", "unknown")


def test_each_agent_has_a_span_for_the_time_that_it_served() -> None:
    call = Traced(an_agent(tools=(TO_SPANISH,)), an_agent("recepcion"))
    call.lives(*ATTACHED, *responds(1001.0, "to_spanish"))
    (switch,) = [action for action in call.done if isinstance(action, SwitchAgent)]
    call.lives((1002.0, SessionUpdated(update_id=switch.update_id)), *OVER).ends()
    spans = {span.name: (span.began_at, span.ended_at) for span in call.spans}
    assert spans["invoke_agent desk"] == (1000.0, 1002.0)
    assert spans["invoke_agent recepcion"] == (1002.0, 1060.0)
    assert len({span.span_id for span in call.spans}) == len(call.spans)


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (HttpReply(status=200, body=b"{}", content_type="application/json"), None, {}),
        (HttpReply(failure=Failure.CONNECTION), "default_used", {"error.type": "connection"}),
    ],
)
def test_a_lookup_is_a_span_from_its_request_to_its_answer(
    reply: HttpReply, error: str | None, told: dict[str, str]
) -> None:
    lookup = Lookup(
        http=HttpBinding(method="GET", url=words("https://crm.example/")), timeout_s=1.5, default=None
    )
    call = Traced(an_agent(lookup=lookup)).lives((1000.1, ClaimReplied(agent="desk")))
    (sent,) = [action for action in call.done if isinstance(action, SendRequest)]
    call.lives(
        (1000.6, Replied(call_id="rtc_1", attempt=1, reply=reply)),
        (1000.8, AnswerReplied(decided=Decided.DONE)),
        (1001.0, SidebandOpened()),
        *OVER,
    ).ends()
    found = call.span("lookup")
    assert dict(sent.request.headers)["traceparent"] == f"00-{found.trace_id}-{found.span_id}-01"
    assert (found.parent_id, found.kind, found.began_at, found.ended_at, found.error) == (
        ROOT,
        SpanKind.CLIENT,
        1000.1,
        1000.6,
        error,
    )
    (attempt,) = found.moments
    assert attempt.attributes.items() >= told.items()


@pytest.mark.parametrize(
    ("comes", "error"), [(SidebandOpened(), None), (Unreachable(detail=""), "not_attached")]
)
def test_a_takeover_is_a_span_until_the_call_is_attached_again(comes: CallEvent, error: str | None) -> None:
    lived: list[At] = [*ATTACHED]
    machine = CallMachine.replay(RINGING, 1000.0, lived, a_world(an_agent()))
    call = Traced(an_agent(), machine=machine).lives((1010.0, TakenOver()), (1013.0, comes))
    found = call.span("takeover")
    assert (found.parent_id, found.began_at, found.ended_at, found.error) == (ROOT, 1010.0, 1013.0, error)


@pytest.mark.parametrize(
    ("replied", "result", "error"),
    [
        (AnswerReplied(decided=Decided.GONE), "gone", None),
        (AnswerReplied(decided=Decided.UNAVAILABLE), "unavailable", "unavailable"),
    ],
)
def test_a_call_that_was_not_answered_is_a_span_with_its_result(
    replied: AnswerReplied, result: str, error: str | None
) -> None:
    call = Traced(an_agent()).lives((1000.0, ClaimReplied(agent="desk")), (1002.0, replied))
    call.trace.ends(None, 1002.0)
    whole = call.span("call desk")
    assert whole.attributes == {"gen_ai.conversation.id": "rtc_1", "phone_agents.call.result": result}
    assert (whole.ended_at, whole.error) == (1002.0, error)


def test_of_a_call_that_another_runner_serves_its_whole_is_not_told_here() -> None:
    call = Traced(an_agent()).lives(*ATTACHED)
    call.trace.ends(None, 1010.0)
    assert [span.name for span in call.spans] == ["invoke_agent desk"]
