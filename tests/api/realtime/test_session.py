"""The session object, held against the types that the API's own client publishes."""

from typing import Any

from openai.types.realtime import RealtimeClientEvent, RealtimeSessionCreateRequest
from pydantic import TypeAdapter

from runner.api.realtime.session import session_body
from runner.api.realtime.writing import events
from runner.model.action import SwitchAgent
from runner.model.tool import StaticBinding, Tool
from tests.api.realtime.agents import an_agent


def test_the_smallest_session_is_its_type_its_model_and_its_instructions() -> None:
    assert session_body(an_agent(), "Be brief.") == {
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
    session: dict[str, Any] = {
        "reasoning": {"effort": "low"},
        "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}, "output": {"speed": 1.1}},
    }
    body = session_body(an_agent(voice="marin", session=session, tools=(tool,)), "Be brief.")
    assert body["audio"] == {
        "input": {"transcription": {"model": "gpt-4o-transcribe"}},
        "output": {"speed": 1.1, "voice": "marin"},
    }
    assert session["audio"]["output"] == {"speed": 1.1}
    parsed = TypeAdapter(RealtimeSessionCreateRequest).validate_python(body)
    assert parsed.model_dump(exclude_unset=True) == body


def test_a_session_without_a_voice_keeps_the_audio_that_was_declared() -> None:
    session: dict[str, Any] = {"audio": {"input": {"noise_reduction": {"type": "near_field"}}}}
    assert session_body(an_agent(session=session), "x")["audio"] == session["audio"]


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
