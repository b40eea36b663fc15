"""What a call has used of the API's models, as the API bills it."""

from dataclasses import dataclass


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
        # Field by field: this is done for every response of thousands of calls.
        return Usage(
            text_in=self.text_in + other.text_in,
            text_cached=self.text_cached + other.text_cached,
            audio_in=self.audio_in + other.audio_in,
            audio_cached=self.audio_cached + other.audio_cached,
            image_in=self.image_in + other.image_in,
            image_cached=self.image_cached + other.image_cached,
            text_out=self.text_out + other.text_out,
            audio_out=self.audio_out + other.audio_out,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionUsage:
    """What transcribing the caller took: tokens, or seconds of audio."""

    text_in: int = 0
    audio_in: int = 0
    text_out: int = 0
    seconds: float = 0.0

    def __add__(self, other: "TranscriptionUsage") -> "TranscriptionUsage":
        return TranscriptionUsage(
            text_in=self.text_in + other.text_in,
            audio_in=self.audio_in + other.audio_in,
            text_out=self.text_out + other.text_out,
            seconds=self.seconds + other.seconds,
        )


NO_USAGE = Usage()
NO_TRANSCRIPTION = TranscriptionUsage()
