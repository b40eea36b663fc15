"""The filters and tests that templates may use. Each works on data alone, in bounded time and space.

Jinja's own are used where they are safe. Those that reach objects (`attr`), make HTML (`escape`,
`xmlattr`, …), are not repeatable (`random`), or are useless without those are left out.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import wraps
from typing import Any, TypeAlias, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import ChainableUndefined, Undefined
from jinja2.filters import FILTERS
from jinja2.tests import TESTS

from runner.errors import TemplateFailure
from runner.model.json_text import compact_json
from runner.model.values import Json

MAX_CHARS = 1_000_000
"""The longest text that a template may make."""
MAX_WIDTH = 1_000
"""The widest padding, and the longest format."""

Function: TypeAlias = Callable[..., Any]


class Null(ChainableUndefined):
    """Null and what does not exist, which are the same in templates: empty, false, equal to `none`."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        name = self._undefined_name
        return f'"{name}" is null' if isinstance(name, str) else f"entry {name} is null"

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Undefined)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(None)


NULL = Null(name="null")


def text(value: Any) -> str:
    """A value as text: null is empty, booleans are `true` and `false`, lists and mappings are JSON."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, Undefined):
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return to_json(value)


def json_data(value: Any) -> Json:
    """A value of an expression as JSON data of its own; fails on anything that is not data."""
    if isinstance(value, (str, bool, int)):
        return value
    if value is None or isinstance(value, Undefined):
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TemplateFailure(f"{value} is not a number that JSON can hold")
        return value
    if isinstance(value, Mapping):
        return {text(key): json_data(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, range, Iterator)):
        return [json_data(entry) for entry in value]
    raise TemplateFailure("the value of the expression is not data")


def to_json(value: Any) -> str:
    """Compact JSON, with non-ASCII characters as they are."""
    return compact_json(json_data(value))


def bounded(length: int) -> None:
    """Fail before a text of this length is built, when it is too long."""
    if length > MAX_CHARS:
        raise TemplateFailure(f"the result would be longer than {MAX_CHARS} characters")


def concat(values: list[Any]) -> str:
    """The operator `~`."""
    texts = [text(value) for value in values]
    bounded(sum(map(len, texts)))
    return "".join(texts)


def default(value: Any, other: Any = "", boolean: bool = False) -> Any:
    """`other` for a null (and with `boolean` for anything false)."""
    return other if value == NULL or (boolean and not value) else value


def replace(value: Any, old: Any, new: Any, count: int = -1) -> str:
    """Text with `old` replaced by `new`, at most `count` times."""
    source, before, after = text(value), text(old), text(new)
    bounded(len(source) + source.count(before) * len(after))
    return source.replace(before, after, count)


def join(value: Any, separator: Any = "", attribute: Any = None) -> str:
    """The entries as one text."""
    entries = [entry if attribute is None else _entry(entry, attribute) for entry in value]
    texts = [text(entry) for entry in entries]
    between = text(separator)
    bounded(sum(map(len, texts)) + len(texts) * len(between))
    return between.join(texts)


def _entry(value: Any, key: Any) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def items(value: Any) -> list[tuple[Any, Any]]:
    """The pairs of a mapping; none for a null."""
    if value == NULL:
        return []
    if not isinstance(value, Mapping):
        raise TemplateFailure("only a mapping has items")
    return [(key, NULL if entry is None else entry) for key, entry in value.items()]


def format_(value: Any, *values: Any) -> str:
    """printf-style: `"%.2f" | format(price)`."""
    pattern = text(value)
    if len(pattern) > MAX_WIDTH or re.search(r"%[^a-zA-Z%]*(\*|\d{4})", pattern):
        raise TemplateFailure("the format is too wide")
    texts = [entry if isinstance(entry, int | float) else text(entry) for entry in values]
    bounded(sum(len(entry) for entry in texts if isinstance(entry, str)))
    return pattern % tuple(texts)


def round_(value: Any, precision: int = 0, method: str = "common") -> Any:
    """As Jinja's, with at most 15 digits: a float has no more."""
    if not -15 <= precision <= 15:
        raise TemplateFailure(f"cannot round to {precision} digits, at most 15")
    return FILTERS["round"](value, precision, method)


def center(value: Any, width: int = 80) -> str:
    """Text centred in this many characters."""
    return text(value).center(_width(width))


def indent(value: Any, width: int = 4, first: bool = False, blank: bool = False) -> str:
    """As Jinja's: each line but the first is indented by this many spaces."""
    source = text(value)
    bounded(len(source) + (source.count("\n") + 1) * _width(width))
    return str(FILTERS["indent"](source, width, first, blank))


def _width(width: int) -> int:
    if width > MAX_WIDTH:
        raise TemplateFailure(f"a width of {width} is too large, at most {MAX_WIDTH}")
    return width


_DATE_CODE = re.compile(r"%[-_0^#+]*\d*[EO]?(.?)", re.DOTALL)
_DATE_CODES = frozenset("abcdefghjklmnprstuwxyzABCDFGHIMPRSTUVWXYZ%")
"""Those of strftime, as the C library of Linux has them."""


def date_format(value: Any, pattern: Any = "%Y-%m-%d", timezone: Any = None) -> str:
    """An ISO 8601 date or time, formatted with strftime's codes, in a timezone such as `America/New_York`.

    A null stays empty. Without `timezone` the time is formatted as it is (`now` is in UTC).
    """
    written = text(value)
    if not written:
        return ""
    if not isinstance(pattern, str) or not isinstance(timezone, str | None):
        raise TemplateFailure('the format and the time zone of a date are texts, such as "%A"')
    if len(pattern) > MAX_WIDTH or re.search(r"%[^a-zA-Z%]*\d{3}", pattern):
        raise TemplateFailure("the date format is too long")
    for code in _DATE_CODE.finditer(pattern):
        if code[1] not in _DATE_CODES:
            raise TemplateFailure(f'"{code[0]}" is not a code of a date format; a percent sign is "%%"')
    try:
        if len(written) == len("2026-11-27"):
            return date.fromisoformat(written).strftime(pattern)
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise TemplateFailure("the value is not a date or time such as 2026-11-27T09:30:00Z") from None
    if timezone is not None and moment.tzinfo is not None:
        try:
            moment = moment.astimezone(ZoneInfo(timezone))
        except (ZoneInfoNotFoundError, ValueError):
            raise TemplateFailure(
                f'there is no time zone "{timezone}"; write one such as America/New_York'
            ) from None
    return moment.strftime(pattern)


def _jinja_filter(name: str, *, as_text: bool = False) -> Function:
    """Jinja's filter of this name, for values other than None, with generators as lists."""
    function = FILTERS[name]
    position = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def filtered(*arguments: Any, **keywords: Any) -> Any:
        positional = list(arguments)
        value = positional[position]
        positional[position] = text(value) if as_text else NULL if value is None else value
        result = function(*positional, **keywords)
        return list(result) if isinstance(result, Iterator) else result

    return filtered


_OF_TEXT = "capitalize lower title trim truncate upper urlencode wordcount wordwrap"
_OF_DATA = (
    "abs count dictsort first float groupby int last length list map max min "
    "reject rejectattr reverse select selectattr sort sum unique"
)
_TESTS = (
    "boolean defined divisibleby eq equalto even false float ge greaterthan gt in integer iterable le "
    "lessthan lower lt mapping ne number odd sameas sequence string true undefined upper == != < <= > >="
)

filters: dict[str, Function] = {
    **{name: _jinja_filter(name, as_text=True) for name in _OF_TEXT.split()},
    **{name: _jinja_filter(name) for name in _OF_DATA.split()},
    "center": center,
    "d": default,
    "date_format": date_format,
    "default": default,
    "format": format_,
    "indent": indent,
    "items": items,
    "join": join,
    "replace": replace,
    "round": round_,
    "string": text,
    "tojson": to_json,
}
"""The ordinary filters of Jinja, and `date_format`."""

tests: dict[str, Function] = {name: cast(Function, TESTS[name]) for name in _TESTS.split()}
"""The ordinary tests of Jinja."""
tests["none"] = lambda value: value is None or isinstance(value, Undefined)
