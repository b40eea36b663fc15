"""The session object, held against the types that the API's own client publishes."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from openai.types.realtime import RealtimeClientEvent, RealtimeSessionCreateRequest
from pydantic import TypeAdapter

from runner.api.realtime.models import transcription_model
from runner.api.realtime.session import DEFAULTS, session_body
from runner.api.realtime.writing import events
from runner.model.action import SwitchAgent
from runner.model.tool import StaticBinding, Tool
from runner.model.values import Json
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


VAD = {"type": "server_vad", "threshold": 0.8, "idle_timeout_ms": 9000}
DEFAULT_VAD = {
    "type": "server_vad",
    "create_response": True,
    "idle_timeout_ms": None,
    "interrupt_response": True,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "threshold": 0.5,
}


def audio_input(**fields: Json) -> dict[str, Json]:
    return {"audio": {"input": fields}}


def updates(
    before: dict[str, Json],
    after: dict[str, Json],
    *,
    with_voice: bool = True,
    answers: bool | None = None,
    **agent: Any,
) -> list[dict[str, Json]]:
    """The updates from a session to another, without what is in each of them."""
    first = an_agent(session=before, voice=agent.pop("voice_before", None))
    switch = SwitchAgent(
        update_id="switch_1",
        before=first,
        agent=an_agent(id="other", session=after, **agent),
        instructions="Be other.",
        with_voice=with_voice,
        answers=answers,
    )
    sent = [event["session"] for event in events(switch)]
    common = {"type": "realtime", "instructions": "Be other.", "tools": []}
    assert {key: sent[-1].pop(key) for key in common} == common
    assert all(update.pop("type") == "realtime" for update in sent[:-1])
    return sent


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        ({}, {}, [{}]),
        ({}, {"tool_choice": "required"}, [{"tool_choice": "required"}]),
        ({"tool_choice": "required"}, {"tool_choice": "none"}, [{"tool_choice": "none"}]),
        ({"tool_choice": "required"}, {}, [{"tool_choice": "auto"}]),
        ({"tool_choice": {"type": "function", "name": "a"}}, {}, [{"tool_choice": "auto"}]),
        ({"max_output_tokens": 300}, {}, [{"max_output_tokens": "inf"}]),
        ({"output_modalities": ["text"]}, {}, [{"output_modalities": ["audio"]}]),
        ({"reasoning": {"effort": "high"}}, {}, [{"reasoning": {"effort": "low"}}]),
        ({"parallel_tool_calls": False}, {}, [{"parallel_tool_calls": True}]),
        ({"truncation": "disabled"}, {}, [{"truncation": "auto"}]),
        ({"prompt": {"id": "pmpt_1"}}, {}, [{"prompt": None}]),
        ({"include": ["item.input_audio_transcription.logprobs"]}, {}, [{"include": []}]),
        (audio_input(turn_detection=VAD), {}, [audio_input(turn_detection=DEFAULT_VAD)]),
        (audio_input(turn_detection=None), {}, [audio_input(turn_detection=DEFAULT_VAD)]),
        (
            audio_input(turn_detection={"type": "semantic_vad", "eagerness": "low"}),
            audio_input(turn_detection={"type": "semantic_vad"}),
            [audio_input(turn_detection={"type": "semantic_vad", "eagerness": "auto"})],
        ),
        (
            audio_input(turn_detection=VAD),
            audio_input(turn_detection={"type": "server_vad", "silence_duration_ms": 700}),
            [
                audio_input(
                    turn_detection={
                        "type": "server_vad",
                        "silence_duration_ms": 700,
                        "threshold": 0.5,
                        "idle_timeout_ms": None,
                    }
                )
            ],
        ),
        (
            audio_input(turn_detection={**VAD, "create_response": False}),
            audio_input(turn_detection={"type": "semantic_vad"}),
            [audio_input(turn_detection={"type": "semantic_vad", "create_response": True})],
        ),
        (
            audio_input(turn_detection=VAD),
            audio_input(turn_detection=None),
            [audio_input(turn_detection=None)],
        ),
        (
            audio_input(noise_reduction={"type": "near_field", "strength": 0.4}),
            audio_input(noise_reduction={"type": "far_field"}),
            [audio_input(noise_reduction={"type": "far_field", "strength": 1.0})],
        ),
        (audio_input(noise_reduction={"type": "near_field"}), {}, [audio_input(noise_reduction=None)]),
        (audio_input(transcription={"model": "a", "language": "en"}), {}, [audio_input(transcription=None)]),
        (
            audio_input(transcription={"model": "a"}),
            audio_input(transcription={"model": "b", "language": "es"}),
            [audio_input(transcription={"model": "b", "language": "es"})],
        ),
        (
            audio_input(transcription={"model": "a", "language": "en"}),
            audio_input(transcription={"model": "b"}),
            [audio_input(transcription=None), audio_input(transcription={"model": "b"})],
        ),
        (
            {"truncation": {"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {}}},
            {"truncation": {"type": "retention_ratio", "retention_ratio": 0.8}},
            [{"truncation": "auto"}, {"truncation": {"type": "retention_ratio", "retention_ratio": 0.8}}],
        ),
        ({"audio": {"output": {"speed": 1.2}}}, {}, [{"audio": {"output": {"speed": 1.0}}}, {}]),
        ({"audio": {"output": {"speed": 1.2}}}, {"audio": {"output": {"speed": 1.2}}}, [{}]),
        (
            {},
            {"audio": {"output": {"speed": 1.2}}, "tool_choice": "none"},
            [{"audio": {"output": {"speed": 1.2}}}, {"tool_choice": "none"}],
        ),
        ({}, {"tracing": "auto"}, [{"tracing": "auto"}]),
        ({"tracing": "auto"}, {"tracing": {"workflow_name": "b"}}, [{}]),
        ({"tracing": "auto"}, {}, [{}]),
    ],
)
def test_the_session_of_an_agent_that_takes_over_is_that_agents_whole(
    before: dict[str, Json], after: dict[str, Json], sent: list[dict[str, Json]]
) -> None:
    told = deepcopy((before, after))
    assert updates(before, after) == sent
    assert (before, after) == told, "an agent's session is its own"


@pytest.mark.parametrize(
    ("voice_before", "voice", "with_voice", "sent"),
    [
        ("marin", "cedar", True, [{"audio": {"output": {"voice": "cedar"}}}]),
        ("marin", "cedar", False, [{}]),
        ("marin", None, True, [{}]),
        (None, "cedar", True, [{"audio": {"output": {"voice": "cedar"}}}]),
    ],
)
def test_a_voice_changes_until_it_was_heard(
    voice_before: str | None, voice: str | None, with_voice: bool, sent: list[dict[str, Json]]
) -> None:
    assert updates({}, {}, voice_before=voice_before, voice=voice, with_voice=with_voice) == sent


DEFAULT_DETECTION = DEFAULTS[("audio", "input", "turn_detection")]


@pytest.mark.parametrize(
    ("declared", "answers", "sent"),
    [
        ({}, None, {}),
        ({}, False, audio_input(turn_detection={**DEFAULT_DETECTION, "create_response": False})),
        ({}, True, audio_input(turn_detection=DEFAULT_DETECTION)),
        (
            audio_input(turn_detection={"type": "semantic_vad"}),
            False,
            audio_input(turn_detection={"type": "semantic_vad", "create_response": False}),
        ),
        (
            audio_input(turn_detection={"type": "semantic_vad"}),
            True,
            audio_input(turn_detection={"type": "semantic_vad", "create_response": True}),
        ),
        (
            audio_input(turn_detection={"type": "server_vad", "create_response": False}),
            True,
            audio_input(turn_detection={"type": "server_vad", "create_response": False}),
        ),
        (audio_input(turn_detection=None), False, audio_input(turn_detection=None)),
    ],
)
def test_who_answers_the_caller_is_said_only_where_a_person_has_led(
    declared: dict[str, Json], answers: bool | None, sent: dict[str, Json]
) -> None:
    assert updates(declared, declared, answers=answers) == [sent]


@pytest.mark.parametrize(
    ("answers", "sent"),
    [
        (None, {}),
        (False, audio_input(turn_detection={"type": "semantic_vad", "create_response": False})),
    ],
)
def test_a_refresh_sends_what_has_changed_and_nothing_else(
    answers: bool | None, sent: dict[str, Json]
) -> None:
    session = {
        "audio": {"input": {"turn_detection": {"type": "semantic_vad"}}, "output": {"speed": 1.2}},
        "tool_choice": "required",
    }
    agent = an_agent(session=session, voice="cedar")
    switch = SwitchAgent(
        update_id="refresh_1",
        before=agent,
        agent=agent,
        instructions="Be brief.",
        servers=({"server_label": "crm"},),
        with_voice=False,
        answers=answers,
        is_refresh=True,
    )
    [update] = events(switch)
    assert update == {
        "type": "session.update",
        "event_id": "refresh_1",
        "session": {"type": "realtime", "instructions": "Be brief.", **sent},
    }
    TypeAdapter(RealtimeClientEvent).validate_python(update)
    assert session["audio"] == {
        "input": {"turn_detection": {"type": "semantic_vad"}},
        "output": {"speed": 1.2},
    }, "an agent's session is its own"


def test_every_field_that_an_agent_may_set_can_be_set_back_or_is_known_not_to() -> None:
    schema = json.loads((Path(__file__).parents[3] / "schemas" / "agent.schema.json").read_text())
    definitions = schema["$defs"]

    def fields(definition: str, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for name, field in definitions[definition]["properties"].items():
            inner = field.get("$ref", "").removeprefix("#/$defs/")
            if field.get("enum") == []:
                continue  # refused, or the agent says it elsewhere
            if inner in {"audio", "audioInput", "audioOutput"}:
                yield from fields(inner, (*path, name))
            else:
                yield (*path, name)

    never_reset = {("tracing",), ("audio", "output", "voice")}
    assert set(fields("session")) == {*DEFAULTS, *never_reset}


def test_all_updates_are_events_that_the_api_knows_and_the_last_has_the_id() -> None:
    before = {
        "audio": {"input": {"transcription": {"model": "a", "language": "en"}}, "output": {"speed": 1.2}}
    }
    after = {"audio": {"input": {"transcription": {"model": "b"}}}}
    servers = ({"server_label": "crm", "server_url": "https://crm.example", "require_approval": "never"},)
    switch = SwitchAgent(
        update_id="switch_1",
        before=an_agent(session=before),
        agent=an_agent(id="other", voice="cedar", session=after),
        instructions="Be other.",
        servers=servers,
        with_voice=True,
    )
    sent = events(switch)
    assert [event["event_id"] for event in sent] == ["switch_1_1", "switch_1_2", "switch_1"]
    assert sent[-1]["session"]["tools"] == [{"type": "mcp", **servers[0]}]
    for event in sent:
        parsed = TypeAdapter(RealtimeClientEvent).validate_python(event)
        assert parsed.model_dump(exclude_unset=True) == event


@pytest.mark.parametrize(
    ("session", "model"),
    [
        ({}, None),
        (audio_input(transcription=None), None),
        (audio_input(transcription={"language": "en"}), None),
        (audio_input(transcription={"model": "gpt-transcribe"}), "gpt-transcribe"),
    ],
)
def test_the_model_that_transcribes_is_the_sessions(session: dict[str, Json], model: str | None) -> None:
    assert transcription_model(session) == model
