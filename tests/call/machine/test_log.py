"""What the machine writes to the log: how each tool call, transfer, hand-off and hang-up ended."""

from collections.abc import Callable

import pytest

from runner.model.agent import Guardrail, IfBroken, Then
from runner.model.call import Role
from runner.model.conversation_event import (
    ApiError,
    ApiErrorKind,
    McpCallEnded,
    McpCallStarted,
    McpListed,
    SessionUpdated,
    Transcribed,
)
from runner.model.event import CallGone, EndRequested, ReferAnswered
from runner.model.steering import ChangeAgent, TransferCall
from runner.model.tool import McpServer, StaticBinding, Tool, TransferBinding
from tests.call.machine.playing import TO_NURSE, TO_SPANISH, Play, an_agent, talking, tool, words
from tests.call.machine.steered import steer

LOCKED = tool("unlock", StaticBinding(answer=None), when=words("{{ false }}"))
TO_BOTH = tool(
    "to_a_person",
    TransferBinding(
        destinations={"desk": words("tel:+14155550123"), "nurse": words("sip:nurse@maple.example")},
        fallback="nurse",
    ),
)
BROKEN = an_agent("recepcion", instructions=words("{{ 1 / 0 }}"))


def calls(name: str, arguments: str = "{}", *tools: Tool) -> Play:
    play = talking(*tools)
    play.responds((name, arguments))
    return play


def transfers(*events: ReferAnswered | CallGone, arguments: str = '{"destination":"desk"}') -> Play:
    play = calls("to_a_person", arguments, TO_BOTH)
    play.happens(*events)
    return play


def person_transfers() -> Play:
    play = talking(TO_NURSE)
    steer(play, TransferCall(to="nurse"))
    play.happens(ReferAnswered(ok=True), CallGone())
    return play


def person_names_an_unknown_agent() -> Play:
    play = talking()
    steer(play, ChangeAgent(agent="nobody"))
    return play


def broken() -> Play:
    play = talking(if_broken=IfBroken(transfer=words("tel:+14155550123")))
    play.happens(
        ApiError(kind=ApiErrorKind.OUT_OF_QUOTA, code="insufficient_quota", message="no credit"),
        ReferAnswered(ok=True),
        CallGone(),
    )
    return play


def not_handed_over() -> Play:
    play = Play(an_agent(tools=(TO_SPANISH,)), BROKEN)
    play.opens()
    play.responds(("to_spanish", "{}"))
    return play


def handed_over() -> Play:
    play = calls("to_spanish", "{}", TO_SPANISH)
    play.happens(SessionUpdated(update_id="switch_1"), EndRequested(reason="shutdown"))
    return play


def refused_by_the_api() -> Play:
    play = calls("to_spanish", "{}", TO_SPANISH)
    play.happens(
        ApiError(kind=ApiErrorKind.OTHER, about="switch_1", code="invalid_value", message="no such voice")
    )
    return play


def guarded() -> Play:
    guardrail = Guardrail(name="no-cards", on=Role.AGENT, pattern=r"\d{4}", then=Then.CANCEL)
    play = talking(guardrails=(guardrail,))
    play.happens(Transcribed(item_id="i", role=Role.AGENT, text="1234"))
    return play


def late_mcp() -> Play:
    play = Play(an_agent(mcp=(McpServer(label="crm", settings={}),)))
    play.opens()
    play.passes(2)
    return play


def mcp() -> Play:
    play = Play(an_agent(mcp=(McpServer(label="crm", settings={}),)))
    play.opens()
    play.happens(
        McpListed(item_id="a", ok=False),
        McpCallStarted(item_id="m1", server="crm", tool="find"),
        McpCallStarted(item_id="m2", server="crm", tool="save"),
        McpCallEnded(item_id="m1", ok=True),
        McpCallEnded(item_id="m2", ok=False),
    )
    return play


@pytest.mark.parametrize(
    ("play", "told"),
    [
        (
            lambda: calls("fly", "{}", LOCKED),
            ["warning: tool call was refused {'tool': 'fly', 'because': 'unknown_tool'}"],
        ),
        (
            lambda: calls("my name is Ada", "{}", LOCKED),
            ["warning: tool call was refused {'tool': '(not a name)', 'because': 'unknown_tool'}"],
        ),
        (
            lambda: calls("unlock", '{"day": 5}', LOCKED),
            ["warning: tool call was refused {'tool': 'unlock', 'because': 'arguments'}"],
        ),
        (
            lambda: calls("unlock", "{}", LOCKED),
            ["info: tool call was refused {'tool': 'unlock', 'because': 'condition'}"],
        ),
        (
            lambda: transfers(ReferAnswered(ok=True), CallGone()),
            ["info: transfer was completed {'destination': 'desk'}"],
        ),
        (
            lambda: transfers(ReferAnswered(ok=False, detail="no"), ReferAnswered(ok=True), CallGone()),
            [
                "warning: transfer was not completed {'destination': 'desk', 'detail': 'no'}",
                "info: transfer was completed {'destination': 'nurse'}",
            ],
        ),
        (
            person_transfers,
            [
                "info: person has acted on a call {'by': 'shift-lead', 'act': 'transfer', 'deed': 'deed_1',"
                " 'result': 'waiting'}",
                "info: transfer was completed {'destination': 'nurse'}",
            ],
        ),
        (
            person_names_an_unknown_agent,
            [
                "info: person has acted on a call {'by': 'shift-lead', 'act': 'handoff', 'deed': 'deed_1',"
                " 'result': 'refused', 'detail': 'no \"handoff\" now: there is no agent \"nobody\"'}"
            ],
        ),
        (
            broken,
            [
                "error: model cannot serve the call"
                " {'detail': 'the API account has no quota left; add credit to it: no credit'}",
                "info: transfer was completed {'destination': 'if_broken'}",
            ],
        ),
        (
            not_handed_over,
            [
                "warning: hand-off was refused {'agent': 'recepcion', 'because': 'tool \"to_spanish\"',"
                " 'detail': 'the template \"{{ 1 / 0 }}\" failed: division by zero'}"
            ],
        ),
        (
            mcp,
            [
                "warning: MCP servers are not ready"
                " {'servers': 'crm', 'detail': 'an MCP server has not listed its tools'}",
                "info: MCP call has ended {'tool': 'crm.find', 'result': 'ok'}",
                "warning: MCP call has ended {'tool': 'crm.save', 'result': 'error'}",
            ],
        ),
        (
            late_mcp,
            [
                "warning: MCP servers are not ready"
                " {'servers': 'crm', 'detail': 'MCP servers were not ready after 2 seconds'}"
            ],
        ),
        (guarded, ["info: guardrail matched {'guardrail': 'no-cards'}"]),
        (
            refused_by_the_api,
            [
                "warning: hand-off was refused {'agent': 'recepcion', 'because': 'tool \"to_spanish\"',"
                " 'code': 'invalid_value', 'detail': 'no such voice'}"
            ],
        ),
        (
            handed_over,
            [
                "info: call was handed off {'agent': 'recepcion', 'because': 'tool \"to_spanish\"'}",
                "info: call is being ended {'reason': 'shutdown'}",
            ],
        ),
    ],
)
def test_the_log_says_how_each_ended(play: Callable[[], Play], told: list[str]) -> None:
    logged = play().logged
    assert [f"{entry.level.value}: {entry.event.value} {entry.fields}" for entry in logged] == told
