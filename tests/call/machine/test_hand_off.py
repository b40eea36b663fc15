"""Hand-offs between agents, which the API has to accept."""

from runner.model.action import SendOutput, SendRequest, Speak, SwitchAgent
from runner.model.agent import Wait
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    ResponseStarted,
    SessionUpdated,
    ToolCalled,
)
from runner.model.event import SidebandLost, SidebandOpened
from runner.model.tool import HandoffBinding, McpServer
from tests.call.machine.playing import TO_SPANISH, Play, an_agent, expect, http_tool, talking, tool, words

# Hand-off


def test_a_hand_off_changes_the_agent_and_the_model_goes_on() -> None:
    play = talking(TO_SPANISH)
    (become,) = play.responds(("to_spanish", "{}"))
    assert isinstance(become, SwitchAgent)
    assert (become.agent.id, become.instructions) == ("recepcion", "You are recepcion.")
    assert (become.before.id, play.session.agent.id, play.record.handoffs) == ("desk", "desk", ())
    output, go_on = play.happens(SessionUpdated(update_id="switch_1"))
    assert play.session.agent.id == "recepcion"
    assert output == SendOutput(call_id="call_1_0", output='{"status":"handed off"}')
    assert go_on == Speak(wish="wish_1")
    assert [(each.agent, each.because) for each in play.record.handoffs] == [
        ("recepcion", 'tool "to_spanish"')
    ]


def test_the_voice_changes_only_before_it_was_heard() -> None:
    play = talking(TO_SPANISH)
    (become, *_) = play.responds(("to_spanish", "{}"), audible=False)
    assert expect(SwitchAgent, become).with_voice
    play = talking(TO_SPANISH)
    play.responds()
    (become, *_) = play.responds(("to_spanish", "{}"))
    assert not expect(SwitchAgent, become).with_voice


def test_variables_stay_when_the_agent_changes() -> None:
    play = Play(
        an_agent(tools=(TO_SPANISH,), vars={"city": words("Lima")}, greeting=Wait()),
        an_agent("recepcion", vars={"city": words("Quito"), "more": 1}, instructions=words("{{ vars }}")),
    )
    play.opens()
    (become, *_) = play.responds(("to_spanish", "{}"))
    assert expect(SwitchAgent, become).instructions == '{"city":"Lima","more":1}'


def test_hand_offs_in_a_circle_are_bounded() -> None:
    play = Play(
        an_agent(tools=(TO_SPANISH,), greeting=Wait()),
        an_agent("recepcion", tools=(TO_SPANISH,)),
    )
    play.opens()
    for number in range(1, 13):
        play.responds(("to_spanish", "{}"))
        play.happens(SessionUpdated(update_id=f"switch_{number}"))
    assert len(play.record.handoffs) == 10
    assert play.outputs()["call_12_0"].startswith('{"error":"the hand-off is not possible')


# Hand-offs that the API has to take


def test_a_hand_off_that_the_api_refuses_leaves_the_first_agent_with_its_own_tools() -> None:
    play = talking(TO_SPANISH, http_tool())
    (switch,) = play.responds(("to_spanish", "{}"))
    refused = ApiError(
        kind=ApiErrorKind.OTHER,
        about=expect(SwitchAgent, switch).update_id,
        code="bad",
        message="no such voice",
    )
    output, go_on = play.happens(refused)
    assert output == SendOutput(
        call_id="call_1_0", output='{"error":"the hand-off is not possible; go on as you are"}'
    )
    assert isinstance(go_on, Speak)
    assert (play.session.agent.id, play.session.texts.instructions) == ("desk", "You are desk.")
    assert play.record.handoffs == ()
    assert play.record.faults == ('no hand-off to "recepcion": the API refused it: no such voice',)
    assert [use.status for use in play.record.tools] == ["refused"]
    # What it called besides is still its own.
    assert isinstance(play.responds(("find_slots", "{}"))[0], SendRequest)
    # A late word about it changes nothing.
    assert play.happens(SessionUpdated(update_id="switch_1")) == []
    assert play.session.agent.id == "desk"


def test_a_hand_off_that_is_not_refused_in_two_seconds_has_happened() -> None:
    play = talking(TO_SPANISH)
    play.responds(("to_spanish", "{}"))
    assert play.passes(1.9) == []
    output, _ = play.passes(0.1)
    assert output == SendOutput(call_id="call_1_0", output='{"status":"handed off"}')
    assert play.session.agent.id == "recepcion"


def test_an_error_about_something_else_does_not_refuse_a_hand_off() -> None:
    play = talking(TO_SPANISH)
    play.responds(("to_spanish", "{}"))
    assert play.happens(ApiError(kind=ApiErrorKind.OTHER, about="output_x")) == []
    play.happens(SessionUpdated(update_id="switch_1"))
    assert play.session.agent.id == "recepcion"


def test_further_tool_calls_of_the_response_that_hands_over_are_the_first_agents() -> None:
    play = talking(TO_SPANISH, http_tool())
    play.happens(ResponseStarted(response_id="r"))
    play.happens(ToolCalled(response_id="r", call_id="c1", name="to_spanish", arguments="{}"))
    play.happens(SessionUpdated(update_id="switch_1"))
    (sent,) = play.happens(ToolCalled(response_id="r", call_id="c2", name="find_slots", arguments="{}"))
    assert expect(SendRequest, sent).tool == "find_slots"
    (refused,) = play.happens(ToolCalled(response_id="r2", call_id="c3", name="find_slots", arguments="{}"))
    assert "there is no tool" in expect(SendOutput, refused).output


def test_a_hand_off_that_cannot_be_prepared_changes_nothing() -> None:
    servers = (McpServer(label="crm", settings={"server_url": words("{{ 1 // 0 }}")}),)
    play = Play(
        an_agent(tools=(TO_SPANISH,), greeting=Wait()),
        an_agent("recepcion", vars={"fresh": 1}, mcp=servers),
    )
    play.opens()
    output, _ = play.responds(("to_spanish", "{}"))
    assert expect(SendOutput, output).output == '{"error":"the hand-off is not possible; go on as you are"}'
    assert (play.session.agent.id, play.session.texts.instructions) == ("desk", "You are desk.")
    assert dict(play.session.texts.variables) == {}


def test_a_hand_off_that_the_api_has_confirmed_is_not_told_again_after_another_was_refused() -> None:
    agents = (an_agent("recepcion", tools=(tool("back", HandoffBinding(agent="desk")),)),)
    play = talking(TO_SPANISH, others=agents)
    play.responds(("to_spanish", "{}"))
    play.happens(SessionUpdated(update_id="switch_1"))
    play.responds()
    play.responds(("back", "{}"))
    play.happens(ApiError(kind=ApiErrorKind.OTHER, about="switch_2"))
    play.passes(2)
    play.happens(SidebandLost())
    assert [type(action) for action in play.happens(SidebandOpened())].count(SwitchAgent) == 0


def test_a_hand_off_that_a_lost_sideband_may_have_swallowed_is_told_again() -> None:
    play = talking(TO_SPANISH)
    (switch,) = play.responds(("to_spanish", "{}"))
    play.happens(SidebandLost())
    again, *_ = play.happens(SidebandOpened())
    assert again == switch
    play.happens(SessionUpdated(update_id="switch_1"))
    play.happens(SidebandLost())
    assert switch not in play.happens(SidebandOpened())
