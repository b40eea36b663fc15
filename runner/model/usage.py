"""What a call has used of the API's models, as the API bills it."""

from dataclasses import dataclass, fields, replace
from typing import TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the API bills them. Cached tokens are part of the input tokens of their kind."""

    text_in: int = 0
    text_cached: int = 0
    audio_in: int = 0
    audio_cached: int = 0
    image_in: int = 0
    image_cached: int = 0
    text_out: int = 0
    audio_out: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return _sum(self, other)


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionUsage:
    """What transcribing the caller took: tokens, or seconds of audio."""

    text_in: int = 0
    audio_in: int = 0
    text_out: int = 0
    seconds: float = 0.0

    def __add__(self, other: "TranscriptionUsage") -> "TranscriptionUsage":
        return _sum(self, other)


NO_USAGE = Usage()
NO_TRANSCRIPTION = TranscriptionUsage()

Amounts = TypeVar("Amounts", Usage, TranscriptionUsage)


def _sum(one: Amounts, other: Amounts) -> Amounts:
    names = [each.name for each in fields(one)]
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in names})
