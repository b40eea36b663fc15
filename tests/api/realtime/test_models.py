"""Which names of models are taken for what they are."""

from typing import get_args

import pytest
from openai.types.realtime.realtime_audio_config_output import Voice

from runner.api.realtime import models
from runner.api.realtime.shutdowns import SHUTDOWNS

SPEAKING = (
    *("gpt-realtime", "gpt-realtime-1.5", "gpt-realtime-2", "gpt-realtime-2.1", "gpt-realtime-2.1-mini"),
    *("gpt-realtime-2025-08-28", "gpt-4o-realtime-preview", "gpt-4o-realtime-preview-2024-10-01"),
    *("gpt-4o-mini-realtime-preview-2024-12-17", "gpt-realtime-mini", "gpt-realtime-mini-2025-10-06"),
    *("gpt-audio-1.5", "gpt-audio-mini-2025-10-06", "gpt-realtime-3", "gpt-live-1"),
)
TRANSCRIBING = (
    *("whisper-1", "gpt-transcribe", "gpt-live-transcribe", "gpt-4o-mini-transcribe"),
    *("gpt-4o-mini-transcribe-2025-12-15", "gpt-4o-transcribe-diarize", "gpt-realtime-whisper"),
)
READING = (
    "gpt-5.5",
    "gpt-4o",
    "gpt-6.2-astra",
    "o3-mini",
    "chatgpt-4o-latest",
    "gpt-3.5-turbo",
    "gpt-4.1-mini",
)
NONE = ("gpt-realtme-2.1", "gpt_realtime", "claude-voice", "siri", "", "gpt-realtime-2.1 ", "GPT-realtime")


@pytest.mark.parametrize("name", SPEAKING + TRANSCRIBING + READING + NONE)
def test_a_name_is_of_one_kind_or_of_none(name: str) -> None:
    found = (models.speaks(name), models.transcribes(name), models.reads(name))
    assert found == (name in SPEAKING, name in TRANSCRIBING, name in READING)


def test_what_is_proposed_is_of_its_kind_and_does_not_end() -> None:
    assert models.speaks(models.SPEECH)
    assert models.transcribes(models.TRANSCRIPTION)
    assert models.reads(models.TEXT)
    assert {models.SPEECH, models.TRANSCRIPTION, models.TEXT}.isdisjoint(SHUTDOWNS)
    assert all(map(models.speaks, models.SPEECH_MODELS))


def test_the_voices_are_those_of_the_api() -> None:
    known = next(get_args(part) for part in get_args(Voice) if get_args(part))
    assert sorted(known) == list(models.VOICES)


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("gpt-realtime-2.1", True),
        ("gpt-realtime-2.1-mini", True),
        ("gpt-realtime-2", True),
        ("my-deployment", True),
        ("gpt-realtime-1.5", False),
        ("gpt-realtime", False),
        ("gpt-realtime-mini-2025-12-15", False),
        ("gpt-4o-realtime-preview", False),
    ],
)
def test_only_models_that_are_known_not_to_reason_do_not(name: str, reasons: bool) -> None:
    assert models.reasons(name) is reasons
