"""Recordings of real sessions, replayed through parser, machine and record."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai.types.realtime import RealtimeServerEvent

from runner.api.realtime.reading import Reader
from runner.model.action import SendOutput, SendRequest, Speak
from runner.model.agent import Wait
from runner.model.conversation_event import Ignored, SilenceNudge, ToolCalled
from runner.model.event import CallEvent, CallGone
from tests.call.machine.playing import Play, an_agent, http_tool

TRACES = Path(__file__).parents[4] / "shared" / "traces"
NAMES = (
    "sideband-audio-turn",
    "tool-call",
    "tool-call-interleaved-speech",
    "spoken-turn",
    "transcription-failed",
    "idle-timeout-excerpt",
)

pytestmark = pytest.mark.skipif(
    not TRACES.is_dir(), reason="the recordings of real sessions are not beside this checkout"
)


def received(name: str) -> Iterator[str]:
    for line in (TRACES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["dir"] == "in":
            yield json.dumps(entry["event"])


def events(name: str) -> list[CallEvent]:
    reader = Reader()
    return [event for frame in received(name) for event in reader.read(frame)]


def replayed(name: str) -> Play:
    """The recording as a call of ours would have met it; tools are answered at once."""
    play = Play(an_agent(greeting=Wait(), tools=(http_tool("get_weather"),)))
    play.opens()
    for event in events(name):
        for action in play.happens(event):
            if isinstance(action, SendRequest):
                play.replies(action)
    play.happens(CallGone())
    return play


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_event_is_known_and_well_formed(name: str) -> None:
    assert [each for each in events(name) if isinstance(each, Ignored)] == []


@pytest.mark.parametrize("name", NAMES)
def test_words_can_be_followed_in_every_recording(name: str) -> None:
    reader = Reader()
    told = [each for frame in received(name) for each in reader.read(frame, follow_words=True)]
    assert [each for each in told if isinstance(each, Ignored)] == []
    assert len(told) >= len(events(name))


def turns(name: str) -> list[tuple[str, str | None]]:
    return [(turn.role, turn.text) for turn in replayed(name).record.turns]


def test_a_turn_on_a_sideband() -> None:
    assert turns("sideband-audio-turn") == [("caller", "Say hello."), ("agent", "Hello there.")]
    usage = replayed("sideband-audio-turn").record.usage
    assert (usage.text_in, usage.audio_in) == (12, 0)
    assert usage.text_out + usage.audio_out == 70


@pytest.mark.parametrize("name", ["tool-call", "tool-call-interleaved-speech"])
def test_a_tool_round(name: str) -> None:
    play = replayed(name)
    (called,) = {each for each in events(name) if isinstance(each, ToolCalled)}
    assert called.name == "get_weather"
    assert [action.call_id for action in play.done if isinstance(action, SendRequest)] == [called.call_id]
    assert list(play.outputs()) == [called.call_id]
    after = [each for each in play.done if isinstance(each, SendOutput | Speak)]
    assert [type(each) for each in after] == [SendOutput, Speak], "one output, then one request to go on"
    assert play.record.tools[0].status == "ok"


def test_speech_beside_a_tool_call_is_a_turn_of_its_own() -> None:
    assert turns("tool-call-interleaved-speech") == [
        ("caller", "What is the weather in London?"),
        ("agent", "I\u2019ll check the current weather in London for you."),
        ("agent", "It\u2019s foggy and 12 degrees in London."),
    ]


def test_transcription_that_failed_leaves_a_turn_without_text() -> None:
    record = replayed("transcription-failed").record
    assert ("caller", None) in [(turn.role, turn.text) for turn in record.turns]


def test_late_transcription_of_a_spoken_turn_is_in_its_place() -> None:
    roles = [turn.role for turn in replayed("spoken-turn").record.turns]
    assert roles[:2] == ["caller", "agent"]
    assert all(turn.text for turn in replayed("spoken-turn").record.turns)


def test_the_nudge_of_the_api_after_silence_is_no_turn_of_the_caller() -> None:
    assert [each for each in events("idle-timeout-excerpt") if isinstance(each, SilenceNudge)]
    assert [
        turn.role for turn in replayed("idle-timeout-excerpt").record.turns if turn.role == "caller"
    ] == []


def test_the_recordings_are_of_the_published_types() -> None:
    from pydantic import TypeAdapter

    adapter = TypeAdapter(RealtimeServerEvent)
    for name in NAMES:
        for frame in received(name):
            adapter.validate_json(frame)
