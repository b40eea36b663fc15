"""MCP servers, which the API itself asks."""

from runner.call.machine.mcp import READY_S
from runner.model.action import Approve, Speak, SwitchAgent, TimerKind
from runner.model.agent import Say, Wait
from runner.model.conversation_event import (
    ApprovalAsked,
    McpCallEnded,
    McpCallStarted,
    McpListed,
    ResponseStarted,
)
from runner.model.tool import McpServer
from tests.call.machine.playing import Play, an_agent, words

CRM = McpServer(
    label="crm",
    settings={"server_label": words("crm"), "authorization": words("{{ secrets.CRM }}")},
    approved=frozenset({"look_up"}),
)
ERP = McpServer(label="erp", settings={"server_label": words("erp")})
HELLO = Speak(wish="wish_1", say="Hello.")


def ringing(*servers: McpServer) -> Play:
    agent = an_agent(mcp=servers, greeting=Say(text=words("Hello.")))
    return Play(agent, secrets={"CRM": "s3cret"})


def started(item_id: str = "m1") -> McpCallStarted:
    return McpCallStarted(item_id=item_id, server="crm", tool="look_up")


def test_the_greeting_waits_for_the_tools_of_every_server() -> None:
    play = ringing(CRM, ERP)
    assert play.opens() == []
    assert play.happens(McpListed(item_id="a", ok=True)) == []
    assert play.happens(McpListed(item_id="a", ok=True)) == [], "told twice"
    assert play.happens(McpListed(item_id="b", ok=True)) == [HELLO]
    assert play.timer(TimerKind.MCP) is None


def test_the_greeting_does_not_wait_for_ever() -> None:
    play = ringing(CRM)
    play.opens()
    assert play.passes(READY_S) == [HELLO]
    assert play.happens(McpListed(item_id="a", ok=True)) == []
    assert play.record.faults == ("MCP servers were not ready after 2 seconds",)


def test_a_server_that_fails_is_in_the_record_and_the_call_goes_on() -> None:
    play = ringing(CRM)
    play.opens()
    assert play.happens(McpListed(item_id="a", ok=False)) == [HELLO]
    assert play.record.faults == ("an MCP server has not listed its tools",)


def test_servers_that_are_ready_before_the_sideband_is_open_hold_nothing_up() -> None:
    play = ringing(CRM)
    play.happens(McpListed(item_id="a", ok=True))
    assert play.opens() == [HELLO]


def test_servers_that_nobody_heard_of_in_time_hold_nothing_up_when_the_sideband_opens_late() -> None:
    play = ringing(CRM)
    assert play.passes(READY_S) == []
    assert play.opens() == [HELLO]


def test_secrets_are_put_into_what_the_api_gets() -> None:
    assert ringing(CRM).session.serving.servers == ({"server_label": "crm", "authorization": "s3cret"},)


def talking() -> Play:
    play = Play(an_agent(mcp=(CRM,), greeting=Wait()), secrets={"CRM": "x"})
    play.opens()
    play.happens(McpListed(item_id="a", ok=True))
    return play


def test_the_model_is_asked_to_go_on_after_the_last_call_of_a_server() -> None:
    play = talking()
    play.happens(started("m1"), started("m2"))
    assert play.happens(McpCallEnded(item_id="m1", ok=True)) == []
    assert play.happens(McpCallEnded(item_id="m2", ok=False)) == [Speak(wish="wish_1")]
    assert [(use.name, use.status) for use in play.record.tools] == [
        ("crm.look_up", "ok"),
        ("crm.look_up", "error"),
    ]


def test_going_on_waits_for_the_response_that_asked() -> None:
    play = talking()
    play.happens(ResponseStarted(response_id="r"), started())
    assert play.happens(McpCallEnded(item_id="m1", ok=True)) == []


def test_a_call_told_twice_is_one_call() -> None:
    play = talking()
    play.happens(started(), started(), McpCallEnded(item_id="m1", ok=True))
    assert play.happens(McpCallEnded(item_id="m1", ok=True), started()) == []
    assert len(play.record.tools) == 1


def test_approvals_are_answered_as_declared_and_otherwise_refused() -> None:
    play = talking()
    asked = [ApprovalAsked(request_id=tool, server="crm", tool=tool) for tool in ("look_up", "delete")]
    assert play.happens(*asked, ApprovalAsked(request_id="x", server="other", tool="look_up")) == [
        Approve(request_id="look_up", approved=True),
        Approve(request_id="delete", approved=False),
        Approve(request_id="x", approved=False),
    ]


def test_an_agent_that_takes_over_brings_its_servers() -> None:
    from tests.call.machine.playing import TO_SPANISH

    play = Play(an_agent(tools=(TO_SPANISH,), greeting=Wait()), an_agent("recepcion", mcp=(ERP,)))
    play.opens()
    (become, *_) = play.responds(("to_spanish", "{}"))
    assert isinstance(become, SwitchAgent)
    assert become.servers == ({"server_label": "erp"},)
