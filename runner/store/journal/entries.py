"""Entries of a journal as text and back."""

import json
from collections.abc import Iterable
from functools import cache

import orjson

from runner.errors import JournalError
from runner.model.entry import Entry, Lived
from runner.model.values import Json
from runner.store.journal.json_codec import Codec, codec

FORMAT = 1
"""Counts up when the format, or its meaning to the machine, changes: a call whose journal has another format
is taken over without it.
"""

_UNREADABLE = (ValueError, TypeError, KeyError, RecursionError)
_WITH_ANY_JSON = (b'"WebRtcOrigin"', b'"SetVariables"')
"""Of what takes any JSON, where orjson makes a float of an integer of more than 64 bits and nobody would see
it: a field that is an integer refuses a float.
"""


def encode(entries: Iterable[Entry]) -> bytes:
    """Encode consecutive entries of a journal as text."""
    write = _lived().write
    lines: list[Json] = []
    for seq, at, event in entries:  # Mostly one, for which a comprehension would take as long again.
        lines.append([seq, at, write(event)])
    try:
        text = orjson.dumps([FORMAT, lines])
        if b"null" not in text:
            return text
    except TypeError:
        pass  # `suppress` takes longer than all the rest.
    # It refuses half of a surrogate pair and numbers of more than 64 bits, which models and endpoints write,
    # and makes an infinite number null.
    return json.dumps([FORMAT, lines], separators=(",", ":")).encode()


def decode(*texts: bytes) -> list[Entry]:
    """Read the entries that `encode` wrote, all together. Raises JournalError when they have another format,
    or cannot be read.
    """
    text = b"[%b]" % b",".join(texts)
    if not any(name in text for name in _WITH_ANY_JSON):
        try:
            return _entries(orjson.loads(text))
        except _UNREADABLE:
            # It refuses half of a surrogate pair, NaN and what overflows, and gives no integers of more than
            # 64 bits. What is wrong is named below.
            pass
    try:
        return _entries(json.loads(text))
    except _UNREADABLE as error:
        # Its text may quote what was said.
        raise JournalError(
            "it holds what this version of phone-agents does not know, so a newer one has written it"
            f" ({type(error).__name__})"
        ) from None


def _entries(pieces: Json) -> list[Entry]:
    read = _lived().read
    entries: list[Entry] = []
    for version, lines in pieces:
        if version != FORMAT:
            raise JournalError(
                "it was written by another version of phone-agents"
                f" (format {version}, this one reads {FORMAT})"
            )
        entries += [Entry(seq, float(at), read(event)) for seq, at, event in lines]
    return entries


@cache
def _lived() -> Codec:
    """Looked up once: to hash a union of many types takes longer than to write one of them."""
    return codec(Lived)
