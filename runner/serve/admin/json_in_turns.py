"""Encodes large JSON without holding up the event loop: a live call may have tens of megabytes of words."""

import asyncio
import json
from collections.abc import Iterator

from runner.model.values import Json, JsonObject

TURN_CHARACTERS = 64 * 1024
"""Encoded in one turn of the event loop, in half a millisecond; an element of a list is never divided."""


async def encode_in_turns(value: JsonObject) -> str:
    """What `json.dumps` makes of an object. Nobody may change it meanwhile."""
    parts: list[str] = []
    since = 0
    for part in _parts(value):
        parts.append(part)
        since += len(part)
        if since >= TURN_CHARACTERS:
            since = 0
            await asyncio.sleep(0)
    return "".join(parts)


def _parts(value: Json) -> Iterator[str]:
    """The lists in an object are divided, and so are those of the objects in it."""
    match value:
        case {**members}:
            yield "{"
            for number, (key, member) in enumerate(members.items()):
                yield f"{', ' if number else ''}{json.dumps(key)}: "
                yield from _parts(member)
            yield "}"
        case list():
            yield "["
            for number, member in enumerate(value):
                yield (", " if number else "") + json.dumps(member)
            yield "]"
        case _:
            yield json.dumps(value)
