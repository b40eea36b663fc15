"""What the model cost, from the usage that the API reports and a dated price table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from runner.model.event import Usage

PRICES_AS_OF = "2026-11"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens."""

    text_in: float
    text_cached: float
    text_out: float
    audio_in: float
    audio_cached: float
    audio_out: float


_REASONING = Price(text_in=4, text_cached=0.40, text_out=24, audio_in=32, audio_cached=0.40, audio_out=64)
_PLAIN = Price(text_in=4, text_cached=0.40, text_out=16, audio_in=32, audio_cached=0.40, audio_out=64)
_MINI = Price(text_in=0.60, text_cached=0.06, text_out=2.40, audio_in=10, audio_cached=0.30, audio_out=20)

PRICES: Mapping[str, Price] = {
    "gpt-realtime-2.1": _REASONING,
    "gpt-realtime-2": _REASONING,
    "gpt-realtime-1.5": _PLAIN,
    "gpt-realtime": _PLAIN,
    "gpt-realtime-2.1-mini": _MINI,
    "gpt-realtime-2-mini": _MINI,
    "gpt-realtime-1.5-mini": _MINI,
    "gpt-realtime-mini": _MINI,
}

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def cost_usd(model: str, usage: Usage) -> float | None:
    """US dollars for `usage`, or None when the price of `model` is not known: never a guess, never zero.

    A dated snapshot (`gpt-realtime-2025-08-28`) costs what its model costs. Cached tokens are part of
    the input tokens of their kind, and cheaper. Transcription is billed apart and is not in it.
    """
    price = PRICES.get(_SNAPSHOT.sub("", model))
    if price is None:
        return None
    millionths = (
        (usage.text_in - usage.text_cached) * price.text_in
        + usage.text_cached * price.text_cached
        + (usage.audio_in - usage.audio_cached) * price.audio_in
        + usage.audio_cached * price.audio_cached
        + usage.text_out * price.text_out
        + usage.audio_out * price.audio_out
    )
    return round(millionths / 1_000_000, 6)
