"""Large JSON is encoded in many turns of the event loop, and reads as if it were not."""

import asyncio
import json

import pytest

from runner.model.values import JsonObject
from runner.serve.admin.json_in_turns import TURN_CHARACTERS, encode_in_turns


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": 1, "b": [], "c": {}, "d": None, "é\n": ["\ud800", {"x": [1, 2]}, [3]]},
        {"call": {"turns": [{"text": "Hello."}, {"text": "x"}], "limits": {"most": 1.5}}, "by": "lead"},
    ],
)
async def test_it_is_the_same_as_in_one(value: JsonObject) -> None:
    assert await encode_in_turns(value) == json.dumps(value)


@pytest.mark.parametrize("key", ["turns", "call"])
async def test_others_have_their_turns_meanwhile(key: str) -> None:
    turns = [{"text": "x" * 1000} for _ in range(2000)]
    value: JsonObject = {key: turns if key == "turns" else {"turns": turns}}
    encoding = asyncio.create_task(encode_in_turns(value))
    passed = 0
    while not encoding.done():
        passed += 1
        await asyncio.sleep(0)
    assert passed > 2000 * 1000 / TURN_CHARACTERS / 1.1
    assert json.loads(encoding.result()) == value
