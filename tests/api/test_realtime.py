"""What is sent to the Realtime API, held against the types that its own client publishes."""

import json

import pytest
from openai.types.realtime import RealtimeClientEvent, RealtimeSessionCreateRequest
from pydantic import TypeAdapter

from runner.api.realtime import accept_body, events, frame_of
from runner.model.action import (
    Action,
    AddItem,
    Approve,
    Finish,
    HangUp,
    Interrupt,
    SendOutput,
    Speak,
    SwitchAgent,
)
from runner.model.agent import Agent
from runner.model.tool import StaticBinding, Tool
from runner.model.values import Json, Place


class Words:
    """A template that is only text."""

    def __init__(self, source: str) -> None:
        self.source = source

    def value(self, names: object) -> str:
        return self.source

    def text(self, names: object) -> str:
        return self.source


def an_agent(**changes: Json) -> Agent:
    fields: dict[str, Json] = {
        "id": "desk",
        "model": "gpt-realtime-2.1",
        "instructions": Words("Be brief."),
        "place": Place("desk.yaml", 1, 1),
    }
    return Agent(**{**fields, **changes})


def test_the_smallest_session_is_its_type_its_model_and_its_instructions() -> None:
    assert accept_body(an_agent(), "Be brief.") == {
        "type": "realtime",
        "model": "gpt-realtime-2.1",
        "instructions": "Be brief.",
    }


def test_a_session_with_everything_is_one_that_the_api_knows() -> None:
    tool = Tool(
        name="find_slots",
        description="Find free slots.",
        parameters={"type": "object", "properties": {"day": {"type": "string"}}},
        binding=StaticBinding(answer=None),
    )
    session: Json = {
        "reasoning": {"effort": "low"},
        "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}, "output": {"speed": 1.1}},
    }
    body = accept_body(an_agent(voice="marin", session=session, tools=(tool,)), "Be brief.")
    assert body["audio"] == {
        "input": {"transcription": {"model": "gpt-4o-transcribe"}},
        "output": {"speed": 1.1, "voice": "marin"},
    }
    assert session["audio"]["output"] == {"speed": 1.1}
    parsed = TypeAdapter(RealtimeSessionCreateRequest).validate_python(body)
    assert parsed.model_dump(exclude_unset=True) == body


def test_a_session_without_a_voice_keeps_the_audio_that_was_declared() -> None:
    session = {"audio": {"input": {"noise_reduction": {"type": "near_field"}}}}
    assert accept_body(an_agent(session=session), "x")["audio"] == session["audio"]


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
def test_actions_become_events_that_the_api_knows(action: Action, sent: dict[str, object]) -> None:
    assert events(action) == (sent,)
    parsed = TypeAdapter(RealtimeClientEvent).validate_python(sent)
    assert parsed.model_dump(exclude_unset=True) == sent


def test_an_interruption_cancels_the_response_and_what_would_still_be_heard() -> None:
    sent = events(Interrupt())
    assert [each["type"] for each in sent] == ["response.cancel", "output_audio_buffer.clear"]
    for each in sent:
        parsed = TypeAdapter(RealtimeClientEvent).validate_python(each)
        assert parsed.model_dump(exclude_unset=True) == each


def test_an_agent_that_takes_over_changes_all_but_what_the_api_fixes_at_accept() -> None:
    servers = ({"server_label": "crm", "server_url": "https://crm.example", "require_approval": "never"},)
    session = {"audio": {"output": {"speed": 1.1}}}
    agent = an_agent(id="other", voice="cedar", session=session)
    become = SwitchAgent(
        update_id="switch_1",
        before=an_agent(),
        agent=agent,
        instructions="Be other.",
        servers=servers,
        with_voice=True,
    )
    (sent,) = events(become)
    assert sent == {
        "type": "session.update",
        "event_id": "switch_1",
        "session": {
            "type": "realtime",
            "instructions": "Be other.",
            "audio": {"output": {"speed": 1.1, "voice": "cedar"}},
            "tools": [{"type": "mcp", **servers[0]}],
        },
    }
    parsed = TypeAdapter(RealtimeClientEvent).validate_python(sent)
    assert parsed.model_dump(exclude_unset=True) == sent
    (sent,) = events(
        SwitchAgent(
            update_id="switch_1", before=an_agent(), agent=agent, instructions="Be other.", with_voice=False
        )
    )
    assert sent["session"]["audio"] == {"output": {"speed": 1.1}}
    assert sent["session"]["tools"] == []


@pytest.mark.parametrize("action", [HangUp(), Finish()])
def test_what_is_not_done_over_the_sideband_is_no_event(action: Action) -> None:
    assert events(action) == ()


def test_a_frame_can_be_sent_whatever_the_model_wrote() -> None:
    (event,) = events(SendOutput(call_id="call_1", output="there is no tool fly\ud83d, señor"))
    assert json.loads(frame_of(event).encode())["item"]["output"] == "there is no tool fly?, señor"
