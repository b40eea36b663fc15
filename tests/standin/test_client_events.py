"""What a client may send to the stand-in, and what comes of it."""

from typing import Any

import pytest

from runner.standin.client_requests import receive
from runner.standin.script import calls
from tests.standin.conversations import CREATE, conversation, events, output, run, say, types


@pytest.mark.parametrize(
    ("twice", "call_id", "message"),
    [
        (False, "call_b", "Tool call ID 'call_b' not found in conversation."),
        (True, "call_a", "Tool call ID 'call_a' has an output already."),
    ],
)
def test_an_output_is_taken_once_and_only_for_a_call_that_was_made(
    twice: bool, call_id: str, message: str
) -> None:
    played = conversation(calls("f", call_id="call_a"))
    receive(played, CREATE)
    run(played)
    if twice:
        assert types(receive(played, output("call_a"))) == [
            "conversation.item.added",
            "conversation.item.done",
        ]
    (error,) = events(receive(played, output(call_id)))
    assert (error["error"]["code"], error["error"]["message"]) == ("invalid_tool_call_id", message)
    assert played.violations == [message]


def test_a_session_of_text_speaks_no_audio() -> None:
    played = conversation(output_modalities=["text"])
    kinds = types(receive(played, say("Hello.")) + run(played))
    assert "response.output_text.delta" in kinds
    assert not any("audio" in kind for kind in kinds)


def test_a_response_outside_the_conversation_adds_no_items() -> None:
    played = conversation()
    outgoing = receive(played, {**CREATE, "response": {"conversation": "none"}}) + run(played)
    assert "conversation.item.added" not in types(outgoing)
    assert played.items.last_id is None


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("hello", "Invalid event: expected an object."),
        ({"kind": "response.create"}, "Missing required parameter: 'type'."),
        ({**CREATE, "respone": {}}, "Unknown parameter: 'respone'."),
        ({**CREATE, "response": {"modalities": ["audio"]}}, "Unknown parameter: 'response.modalities'."),
        ({**CREATE, "response": {"metadata": {"n": 1}}}, "Invalid value for 'response.metadata'."),
        ({**CREATE, "event_id": 7}, "Invalid value for 'event_id'."),
        ({"type": "conversation.item.create"}, "Missing required parameter: 'item'."),
        (
            {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "a"}},
            "Missing required parameter: 'item.output'.",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "call_id": "a", "output": {"a": 1}},
            },
            "Invalid value for 'item.output'.",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "id": "i" * 33, "call_id": "a", "output": ""},
            },
            "Invalid 'item.id': string too long. Expected a string with maximum length 32, "
            "but got a string with length 33 instead.",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "role": "system", "content": [{"type": "text", "text": "x"}]},
            },
            "Invalid value for 'item.content[0].type'.",
        ),
        (
            {"type": "conversation.item.delete", "item_id": "nope"},
            "Error with the item: the item with id 'nope' does not exist.",
        ),
    ],
)
def test_what_the_api_would_not_take_is_refused_and_noted(event: Any, message: str) -> None:
    played = conversation()
    (error,) = events(receive(played, event))
    assert error["error"]["message"] == message
    assert played.violations == [message]


def test_the_audio_of_a_phone_call_is_not_the_clients() -> None:
    played = conversation()
    (error,) = events(receive(played, {"type": "input_audio_buffer.append", "audio": "AAAA"}))
    assert error["error"]["message"].startswith("Invalid value: 'input_audio_buffer.append'.")


def test_a_message_enters_the_conversation_where_it_is_put() -> None:
    played = conversation()
    content = [{"type": "input_text", "text": "The caller pressed 4."}]
    first = {"id": "one", "type": "message", "role": "user", "content": content}
    receive(played, {"type": "conversation.item.create", "item": first})
    added, _ = events(
        receive(
            played,
            {"type": "conversation.item.create", "previous_item_id": "root", "item": {**first, "id": "two"}},
        )
    )
    assert added["previous_item_id"] is None
    assert played.items.before("one") == "two"
    receive(played, {"type": "conversation.item.delete", "item_id": "two"})
    assert played.items.before("one") is None


def test_an_update_of_the_session_leaves_what_it_does_not_name() -> None:
    played = conversation(instructions="Old.", audio={"output": {"voice": "marin", "speed": 1.0}})
    update = {"type": "realtime", "instructions": "New.", "audio": {"output": {"speed": 1.2}}}
    (updated,) = events(receive(played, {"type": "session.update", "session": update}))
    assert updated["session"]["instructions"] == "New."
    assert updated["session"]["audio"] == {"output": {"voice": "marin", "speed": 1.2}}


def test_the_voice_is_frozen_once_it_was_heard() -> None:
    update = {
        "type": "session.update",
        "session": {"type": "realtime", "audio": {"output": {"voice": "cedar"}}},
    }
    played = conversation(audio={"output": {"voice": "marin"}})
    assert types(receive(played, update)) == ["session.updated"]
    receive(played, say("Hello."))
    run(played)
    assert types(receive(played, update)) == ["session.updated"]
    other = {**update, "session": {"type": "realtime", "audio": {"output": {"voice": "marin"}}}}
    (error,) = events(receive(played, other))
    assert error["error"]["code"] == "cannot_update_voice"
    assert len(played.violations) == 1
