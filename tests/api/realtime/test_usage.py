"""What the API bills, by the kind of its tokens."""

import json

import pytest

from runner.model.call import Role
from runner.model.conversation_event import ResponseEnded, Transcribed
from runner.model.usage import TranscriptionUsage, Usage
from tests.api.realtime.frames import read

# What the API bills


@pytest.mark.parametrize(
    ("usage", "read_as"),
    [
        (None, Usage()),
        (
            {"input_token_details": {"text_tokens": 100, "audio_tokens": 90, "cached_tokens": 60}},
            Usage(text_in=100, text_cached=60, audio_in=90),
        ),
        (
            {"input_token_details": {"text_tokens": 50, "audio_tokens": 90, "cached_tokens": 60}},
            Usage(text_in=50, text_cached=50, audio_in=90, audio_cached=10),
        ),
        ({"input_token_details": {"cached_tokens": 60}}, Usage()),
        (
            {
                "input_token_details": {
                    "text_tokens": 5,
                    "audio_tokens": 90,
                    "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 64},
                }
            },
            Usage(text_in=5, text_cached=5, audio_in=90, audio_cached=64),
        ),
        (
            {
                "input_token_details": {
                    "image_tokens": 300,
                    "cached_tokens": 100,
                    "cached_tokens_details": {"image_tokens": 100},
                }
            },
            Usage(image_in=300, image_cached=100),
        ),
    ],
)
def test_usage_is_read_by_the_kind_of_its_tokens(usage: object, read_as: Usage) -> None:
    done = {"type": "response.done", "response": {"id": "r", "usage": usage}}
    (ended,) = read(json.dumps(done))
    assert isinstance(ended, ResponseEnded)
    assert ended.usage == read_as


@pytest.mark.parametrize(
    ("usage", "read_as"),
    [
        (None, TranscriptionUsage()),
        ("odd", TranscriptionUsage()),
        ({"type": "duration", "seconds": 2.5}, TranscriptionUsage(seconds=2.5)),
        ({"type": "duration", "seconds": "many"}, TranscriptionUsage()),
        ({"type": "duration", "seconds": -1}, TranscriptionUsage()),
        (
            {
                "type": "tokens",
                "total_tokens": 35,
                "input_tokens": 30,
                "output_tokens": 5,
                "input_token_details": {"text_tokens": 10, "audio_tokens": 20},
            },
            TranscriptionUsage(text_in=10, audio_in=20, text_out=5),
        ),
        (
            {"type": "tokens", "input_tokens": 30, "output_tokens": 5},
            TranscriptionUsage(audio_in=30, text_out=5),
        ),
    ],
)
def test_transcription_is_billed_by_tokens_or_by_time(usage: object, read_as: TranscriptionUsage) -> None:
    kind = "conversation.item.input_audio_transcription.completed"
    received = {"type": kind, "item_id": "i", "transcript": "Hello", "usage": usage}
    assert read(json.dumps(received)) == (
        Transcribed(item_id="i", role=Role.CALLER, text="Hello", usage=read_as),
    )


@pytest.mark.parametrize("odd", [10**400, -1, True, "5", None, float("nan"), float("inf")])
def test_usage_that_cannot_be_is_no_usage(odd: object) -> None:
    usage = {"input_token_details": {"text_tokens": odd, "audio_tokens": 3}}
    done = {"type": "response.done", "response": {"id": "r", "usage": usage}}
    [ended] = read(json.dumps(done))
    assert isinstance(ended, ResponseEnded)
    assert ended.usage == Usage(audio_in=3)
    name = "conversation.item.input_audio_transcription.completed"
    heard = {"type": name, "item_id": "i", "transcript": "", "usage": {"total_tokens": odd, "seconds": odd}}
    [transcribed] = read(json.dumps(heard))
    assert isinstance(transcribed, Transcribed)
    assert transcribed.usage == TranscriptionUsage()
