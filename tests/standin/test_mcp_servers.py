"""The API asks MCP servers by itself, as the stand-in plays it."""

from dataclasses import replace
from typing import Any

import pytest

from runner.standin.client_requests import receive
from runner.standin.script import CallsMcpTool, ScriptedResponse
from tests.standin.conversations import CREATE, conversation, only, run, types

MCP_CALL = CallsMcpTool(server="catalogue", name="search", arguments={"query": "mild"}, output="two")


def test_the_api_asks_an_mcp_server_and_the_response_waits_for_it() -> None:
    played = conversation(ScriptedResponse(output=(replace(MCP_CALL, takes_s=3.0),)))
    events = receive(played, CREATE) + run(played)
    kinds = [kind for kind in types(events) if "delta" not in kind]
    assert kinds == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    (done,) = only(events, "response.output_item.done")
    assert (done["item"]["output"], done["item"]["arguments"]) == ("two", '{"query": "mild"}')
    assert played.flows.now_s > 3.0


def test_an_mcp_server_that_fails_is_told_with_its_error() -> None:
    played = conversation(ScriptedResponse(output=(replace(MCP_CALL, output=None),)))
    events = receive(played, CREATE) + run(played)
    assert "response.mcp_call.failed" in types(events)
    assert only(events, "response.output_item.done")[0]["item"]["error"]["code"] == 502


@pytest.mark.parametrize(
    ("require_approval", "asks"),
    [
        (None, True),
        ("always", True),
        ("never", False),
        ({"never": {"tool_names": ["search"]}}, False),
        ({"never": {"tool_names": ["find"]}}, True),
    ],
)
@pytest.mark.parametrize("approve", [True, False])
def test_a_tool_of_an_mcp_server_waits_for_the_approval_that_the_session_wants(
    require_approval: Any, asks: bool, approve: bool
) -> None:
    server = {"type": "mcp", "server_label": "catalogue", "server_url": "https://c.example"}
    wanted = {} if require_approval is None else {"require_approval": require_approval}
    played = conversation(ScriptedResponse(output=(MCP_CALL,)), tools=[{**server, **wanted}])
    events = receive(played, CREATE) + run(played)
    requests = [
        event["item"]
        for event in only(events, "conversation.item.added")
        if event["item"]["type"] == "mcp_approval_request"
    ]
    assert bool(requests) is asks
    if asks:
        answer = {
            "type": "mcp_approval_response",
            "id": "a1",
            "approval_request_id": requests[0]["id"],
            "approve": approve,
        }
        assert "response.mcp_call.completed" not in types(events)
        events += receive(played, {"type": "conversation.item.create", "item": answer}) + run(played)
    assert ("response.mcp_call.completed" in types(events)) is (approve or not asks)
    assert types(events)[-2:] == ["response.done", "rate_limits.updated"]
    assert played.violations == []
