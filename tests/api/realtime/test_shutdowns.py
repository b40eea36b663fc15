"""The table of announced shutdowns is what the API's published types announce."""

import re
from pathlib import Path

import openai.types

from runner.api.realtime.shutdowns import SHUTDOWNS, SHUTDOWNS_AS_OF

TYPES = Path(openai.types.__file__).parent
FILES = ("realtime/call_accept_params.py", "realtime/audio_transcription_param.py", "shared/chat_model.py")


def announced() -> dict[str, str]:
    """Each model that is named in a sentence about its shutdown, and the day."""
    found = {}
    for file in FILES:
        text = (TYPES / file).read_text(encoding="utf-8")
        for entry in re.split(r"\n\s*- ", text.partition("Deprecated values:")[2])[1:]:
            names, _, rest = re.sub(r"\s+", " ", entry).partition(": Announced shutdown date: ")
            found.update(dict.fromkeys(re.findall(r'"([^"]+)"', names), rest[:10]))
    return found


def test_every_model_of_the_table_is_announced_for_its_day() -> None:
    days = announced()
    assert {model: days.get(model) for model in SHUTDOWNS} == {
        model: day for model, (day, _) in SHUTDOWNS.items()
    }


def test_models_for_calls_and_their_transcription_are_all_in_the_table() -> None:
    wanted = {
        model
        for model, day in announced().items()
        if re.search("realtime|audio-mini|transcribe|whisper", model)
    }
    old = {model for model, day in announced().items() if day <= f"{SHUTDOWNS_AS_OF}-01"}
    assert wanted - old
    assert wanted - old <= set(SHUTDOWNS)


def test_what_is_to_be_used_instead_goes_on() -> None:
    assert {instead for _, instead in SHUTDOWNS.values()} & set(announced()) == set()
