"""Models whose shutdown is announced: the day, and what to use instead. Reads no clock.

From the API's page of deprecations, as the `openai` package (3.54) repeats it in its types. The page names
the days; the replacements are the models of the same kind that are not on it.
"""

from collections.abc import Mapping

SHUTDOWNS_AS_OF = "2026-11"

_ANNOUNCED: Mapping[str, Mapping[str, str]] = {
    "2026-10-23": {
        "gpt-3.5-turbo gpt-3.5-turbo-0125 gpt-4 gpt-4-0613 gpt-4-1106-preview gpt-4-turbo "
        "gpt-4-turbo-2024-04-09 gpt-4o-2024-05-13 o1 o1-2024-12-17": "gpt-5.5",
        "gpt-4.1-nano gpt-4.1-nano-2025-04-14 o3-mini o3-mini-2025-01-31 o4-mini "
        "o4-mini-2025-04-16": "gpt-5.4-mini",
    },
    "2026-12-11": {
        "gpt-5 gpt-5-2025-08-07 o3 o3-2025-04-16": "gpt-5.5",
        "gpt-5-mini gpt-5-mini-2025-08-07 gpt-5-nano gpt-5-nano-2025-08-07": "gpt-5.4-mini",
    },
    "2027-01-14": {
        "gpt-4.1 gpt-4.1-2025-04-14 gpt-4o gpt-4o-2024-08-06 gpt-4o-2024-11-20": "gpt-5.5",
        "gpt-4.1-mini gpt-4.1-mini-2025-04-14 gpt-4o-mini gpt-4o-mini-2024-07-18": "gpt-5.4-mini",
    },
    "2027-01-20": {
        "gpt-realtime gpt-realtime-2025-08-28": "gpt-realtime-2.1",
        "gpt-realtime-mini gpt-realtime-mini-2025-12-15 gpt-audio-mini "
        "gpt-audio-mini-2025-12-15": "gpt-realtime-2.1-mini",
    },
    "2027-02-26": {
        "whisper-1 gpt-4o-mini-transcribe gpt-4o-mini-transcribe-2025-12-15 gpt-4o-transcribe "
        "gpt-4o-transcribe-diarize": "gpt-transcribe"
    },
    "2027-04-01": {
        "gpt-5.1 gpt-5.1-2025-11-13": "gpt-5.5",
        "gpt-5.4-nano gpt-5.4-nano-2026-03-17": "gpt-5.4-mini",
    },
}

SHUTDOWNS: Mapping[str, tuple[str, str]] = {
    model: (day, instead)
    for day, kinds in _ANNOUNCED.items()
    for models, instead in kinds.items()
    for model in models.split()
}
"""By model: the day (ISO 8601) after which calls with it fail, and the model to use instead."""
