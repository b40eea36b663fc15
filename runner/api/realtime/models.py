"""The names of the API's models and voices, and the fields that a model accepts. Uses no network.

From the types of the `openai` package (3.54: `CallAcceptParams`, `RealtimeAudioConfigOutput`,
`AudioTranscription`). New ones may be missing here, so a check of a name warns and does not refuse.
"""

import re

from runner.model.values import JsonObject

SPEECH = "gpt-realtime-2.1"
"""Suggested where a speaking model is needed."""
TRANSCRIPTION = "gpt-transcribe"
"""Suggested where a transcribing model is needed."""
TEXT = "gpt-5.4-mini"
"""Suggested where a text model is needed."""

VOICES = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse")
SPEECH_MODELS = (
    *("gpt-realtime-2.1", "gpt-realtime-2.1-mini", "gpt-realtime-2", "gpt-realtime-1.5"),
    *("gpt-realtime", "gpt-realtime-mini", "gpt-audio-1.5", "gpt-audio-mini"),
)
TRANSCRIBERS = (
    *("gpt-transcribe", "gpt-live-transcribe", "gpt-realtime-whisper", "whisper-1"),
    *("gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize"),
)

_DATE = r"(-\d{4}-\d{2}-\d{2})?"
_SPEECH = re.compile(
    rf"gpt-(realtime|audio|live)(-\d+(\.\d+)?)?(-mini|-nano)?(-preview)?{_DATE}"
    rf"|gpt-4o(-mini)?-(realtime|audio)-preview{_DATE}"
)
_TRANSCRIPTION = re.compile(rf"gpt(-live|-\d+o?(\.\d+)?)?(-mini)?-transcribe(-diarize)?{_DATE}")
_TEXT = re.compile(r"(gpt-\d|chatgpt-|o\d|codex)[a-z0-9.-]*")
_NOT_REASONING = re.compile(rf"gpt-(realtime|audio)(-1\.5)?(-mini)?{_DATE}|gpt-4o.*")


def speaks(model: str) -> bool:
    """Whether the name is that of a speaking model, known or future."""
    return _SPEECH.fullmatch(model) is not None


def transcribes(model: str) -> bool:
    """Whether the name is that of a transcribing model."""
    return model in TRANSCRIBERS or _TRANSCRIPTION.fullmatch(model) is not None


def reads(model: str) -> bool:
    """Whether the name is that of a text model."""
    return _TEXT.fullmatch(model) is not None and not speaks(model) and not transcribes(model)


def reasons(model: str) -> bool:
    """Whether a speaking model accepts `reasoning` and `parallel_tool_calls`; True for an unknown one."""
    return _NOT_REASONING.fullmatch(model) is None


TRANSCRIPTION_FIELDS = {
    "keywords": ("gpt-transcribe", "gpt-live-transcribe"),
    "languages": ("gpt-transcribe", "gpt-live-transcribe"),
    "delay": ("gpt-realtime-whisper",),
}
"""Fields of `transcription` that only some models accept."""


def transcription_model(session: JsonObject) -> str | None:
    """The model that transcribes the caller in such a session, if one does."""
    match session:
        case {"audio": {"input": {"transcription": {"model": str(model)}}}}:
            return model
        case _:
            return None
