"""What is sent over the sideband, held against the types that the API's own client publishes."""

from typing import Any

import pytest
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from runner.api.port import SidebandAction
from runner.api.realtime.writing import events
from runner.model.action import AddItem, Approve, Interrupt, SendOutput, Speak


@pytest.mark.parametrize(
    ("action", "sent"),
    [
        (
            Speak(wish="wish_1"),
            {
                "type": "response.create",
                "event_id": "wish_1",
                "response": {"metadata": {"wish": "wish_1"}},
            },
        ),
        (
            Speak(wish="wish_2", say='Say "hi".'),
            {
                "type": "response.create",
                "event_id": "wish_2",
                "response": {
                    "metadata": {"wish": "wish_2"},
                    "instructions": "Say the following to the caller, word for word and nothing else:"
                    ' "Say \\"hi\\"."',
                    "tool_choice": "none",
                },
            },
        ),
        (
            Speak(wish="wish_3", tell="Ask for the name."),
            {
                "type": "response.create",
                "event_id": "wish_3",
                "response": {
                    "metadata": {"wish": "wish_3"},
                    "instructions": "Ask for the name.",
                    "tool_choice": "none",
                },
            },
        ),
        (
            AddItem(item_id="item_1", text="I pressed 1.", as_caller=True),
            {
                "type": "conversation.item.create",
                "event_id": "item_1",
                "item": {
                    "id": "item_1",
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "I pressed 1."}],
                },
            },
        ),
        (
            AddItem(item_id="item_2", text="One minute is left."),
            {
                "type": "conversation.item.create",
                "event_id": "item_2",
                "item": {
                    "id": "item_2",
                    "type": "message",
                    "role": "system",
                    "content": [{"type": "input_text", "text": "One minute is left."}],
                },
            },
        ),
        (
            Approve(request_id="mcpr_1", approved=True),
            {
                "type": "conversation.item.create",
                "event_id": "approval_8b8dedb9",
                "item": {
                    "id": "approval_8b8dedb9",
                    "type": "mcp_approval_response",
                    "approval_request_id": "mcpr_1",
                    "approve": True,
                },
            },
        ),
        (
            Approve(request_id="mcpr_1", approved=False),
            {
                "type": "conversation.item.create",
                "event_id": "approval_8b8dedb9",
                "item": {
                    "id": "approval_8b8dedb9",
                    "type": "mcp_approval_response",
                    "approval_request_id": "mcpr_1",
                    "approve": False,
                    "reason": "nobody is there to approve it",
                },
            },
        ),
        (
            SendOutput(call_id="call_1", output='{"ok":true}'),
            {
                "type": "conversation.item.create",
                "event_id": "output_call_1",
                "item": {"type": "function_call_output", "call_id": "call_1", "output": '{"ok":true}'},
            },
        ),
    ],
)
def test_actions_become_events_that_the_api_knows(action: SidebandAction, sent: dict[str, Any]) -> None:
    assert events(action) == (sent,)
    parsed = TypeAdapter(RealtimeClientEvent).validate_python(sent)
    assert parsed.model_dump(exclude_unset=True) == sent


def test_an_interruption_cancels_the_response_and_what_would_still_be_heard() -> None:
    sent = events(Interrupt())
    assert [each["type"] for each in sent] == ["response.cancel", "output_audio_buffer.clear"]
    for each in sent:
        parsed = TypeAdapter(RealtimeClientEvent).validate_python(each)
        assert parsed.model_dump(exclude_unset=True) == each
