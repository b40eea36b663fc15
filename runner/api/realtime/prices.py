"""What the API's models cost, as of November 2026 (https://developers.openai.com/api/docs/models)."""

from dataclasses import replace
from typing import Final

from runner.model.price import Price, PriceList

_PLAIN = Price(
    text_in=4,
    text_cached=0.40,
    text_out=16,
    audio_in=32,
    audio_cached=0.40,
    audio_out=64,
    image_in=5,
    image_cached=0.50,
)
_REASONING = replace(_PLAIN, text_out=24)
_MINI = Price(
    text_in=0.60,
    text_cached=0.06,
    text_out=2.40,
    audio_in=10,
    audio_cached=0.30,
    audio_out=20,
    image_in=0.80,
    image_cached=0.08,
)

PRICES: Final = PriceList(
    {
        "gpt-realtime-2.1": _REASONING,
        "gpt-realtime-2": _REASONING,
        "gpt-realtime-1.5": _PLAIN,
        "gpt-realtime": _PLAIN,
        "gpt-realtime-2.1-mini": _MINI,
        "gpt-realtime-2-mini": _MINI,
        "gpt-realtime-1.5-mini": _MINI,
        "gpt-realtime-mini": _MINI,
        # Transcribing models
        "gpt-realtime-whisper": Price(per_minute=0.017),
        "gpt-live-transcribe": Price(per_minute=0.017),
        "gpt-transcribe": Price(per_minute=0.0045),
        "whisper-1": Price(per_minute=0.006),
        "gpt-4o-transcribe": Price(text_in=2.50, audio_in=2.50, text_out=10),
        "gpt-4o-mini-transcribe": Price(text_in=1.25, audio_in=1.25, text_out=5),
    }
)
"""By model. A model that is not here has an unknown price."""
