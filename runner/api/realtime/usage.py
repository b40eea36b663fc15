"""Reads what the API bills: tokens by kind, or seconds of audio. Never raises."""

from runner.model.usage import TranscriptionUsage, Usage
from runner.model.values import Json, JsonObject

MOST = 10**9
"""No call uses this much; a larger number is not added up."""


def response_usage(usage: Json) -> Usage:
    """The `usage` of a response. Cached tokens are part of the input tokens of their kind."""
    if not isinstance(usage, dict):
        return Usage()
    used = _part(usage, "input_token_details")
    cached = _part(used, "cached_tokens_details")
    output_details = _part(usage, "output_token_details")
    # Where the kinds of cached tokens are not distinguished, they count as text, as far as there is any: the
    # dearer reading. More cached tokens of a kind than tokens would make a call cheaper than nothing.
    left = 0 if cached else _count(used, "cached_tokens")
    counts = {}
    for kind in ("text", "image", "audio"):
        of_kind = _count(used, f"{kind}_tokens")
        counts[f"{kind}_in"] = of_kind
        counts[f"{kind}_cached"] = min(_count(cached, f"{kind}_tokens") if cached else left, of_kind)
        left -= 0 if cached else counts[f"{kind}_cached"]
    return Usage(
        **counts,
        text_out=_count(output_details, "text_tokens"),
        audio_out=_count(output_details, "audio_tokens"),
    )


def transcription_usage(usage: Json) -> TranscriptionUsage:
    """The `usage` of a transcription: `tokens`, or the `duration` of the audio."""
    if not isinstance(usage, dict):
        return TranscriptionUsage()
    used = _part(usage, "input_token_details")
    audio_in = _count(used, "audio_tokens") if used else _count(usage, "input_tokens")
    return TranscriptionUsage(
        text_in=_count(used, "text_tokens"),
        audio_in=audio_in,
        text_out=_count(usage, "output_tokens"),
        seconds=_seconds(usage.get("seconds")),
    )


def _part(usage: JsonObject, name: str) -> JsonObject:
    part = usage.get(name)
    return part if isinstance(part, dict) else {}


def _count(counts: JsonObject, name: str) -> int:
    value = counts.get(name)
    return value if type(value) is int and 0 <= value < MOST else 0


def _seconds(value: Json) -> float:
    return float(value) if type(value) in (int, float) and 0 <= value < MOST else 0.0
