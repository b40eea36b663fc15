"""Reads JSON from models, endpoints and the voice API, within bounds.

Values are bounded here, so that no other code has to ask whether one can be walked, stored and sent on.
"""

import json
import re
from json import detect_encoding
from math import isfinite

from runner.model.values import Json

MAX_DEPTH = 64
"""Nested lists and objects. Nobody needs more; a thousand would exhaust Python's stack."""

MAX_DIGITS = 308
"""Of a whole number: longer ones are not numbers to the databases and models that get them."""


MAX_VALUES = 60_000
"""In one text, counted by what separates them. To read as many takes some hundredths of a second, and every
other call waits."""


class OversizedError(ValueError):
    """JSON that is nested deeper than MAX_DEPTH, or has more than MAX_VALUES values."""


_UNSENDABLE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def read_json(text: str | bytes) -> Json:
    """The value. Bytes are UTF-8, UTF-16 or UTF-32, whichever they can be (RFC 4627, 3).

    Characters that JSON can write and nobody can send are replaced: NUL is dropped, half a surrogate pair
    becomes `?`. Raises ValueError for text that is not JSON or has a number that no float can hold, or
    OversizedError.
    """
    if isinstance(text, bytes):
        text = text.decode(detect_encoding(text), "surrogatepass")
    text = text.removeprefix("\ufeff")
    if has_too_many_values(text, MAX_VALUES):
        raise OversizedError(f"larger than {MAX_VALUES:,} values")
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise _too_deep() from None
    # Counting is fast, and decides for all but long texts.
    if text.count("[") + text.count("{") > MAX_DEPTH and is_too_deep(value):
        raise _too_deep()
    return _sendable(value) if _has_unsendable(text) else value


def has_too_many_values(text: str | bytes, most: int) -> bool:
    """Whether there may be more than so many values in a text, judged by its separators and brackets, those
    within strings too."""
    if len(text) <= most:
        return False
    if isinstance(text, bytes):
        return text.count(b",") + text.count(b"[") + text.count(b"{") > most
    return text.count(",") + text.count("[") + text.count("{") > most


def _has_unsendable(text: str) -> bool:
    if "\\u" in text and _UNSENDABLE_ESCAPE.search(text):
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _too_deep() -> ValueError:
    return OversizedError(f"nested deeper than {MAX_DEPTH} levels")


def is_too_deep(value: Json) -> bool:
    """Whether a value is nested deeper than MAX_DEPTH."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:20]} is not a number that JSON can hold")
    return number


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"{text[:20]}… has more than {MAX_DIGITS} digits")
    return int(text)


_DECODER = json.JSONDecoder(parse_float=_finite, parse_int=_whole, parse_constant=_finite)
compact_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Writes a value as JSON without blanks."""


def _sendable(value: Json) -> Json:
    match value:
        case str():
            return value.replace("\x00", "").encode("utf-8", "replace").decode()
        case list():
            return [_sendable(entry) for entry in value]
        case dict():
            return {_sendable(key): _sendable(entry) for key, entry in value.items()}
        case _:
            return value
