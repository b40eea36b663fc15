"""Says why a rendering failed, in words about data: Python's own speak of types that no configuration has."""

import re

from runner.errors import TemplateFailure

_KINDS = {
    "bool": "a boolean",
    "dict": "a mapping",
    "float": "a number",
    "int": "a number",
    "list": "a list",
    "Null": "null",
    "range": "a range",
    "str": "text",
    "tuple": "a list",
}
_MISSING = re.compile(r"(?:\w+\.)*(\w+?)_?\(\) missing \d+ required positional arguments?: (.*)")
_TOO_MANY = re.compile(r"(?:\w+\.)*(\w+?)_?\(\) takes .* positional arguments? but \d+ (?:was|were) given")
_UNSUPPORTED = re.compile(r'unsupported operand type\(s\) for (\S+?)(?: or \S+)?: "(\w+)" and "(\w+)"')
_CONCATENATED = re.compile(r'can only concatenate (\w+) \(not "(\w+)"\) to \w+')
_COMPARED = re.compile(r'"(\S+)" not supported between instances of "(\w+)" and "(\w+)"')
_OF_ONE_KIND = (
    (
        re.compile(r"type (?P<kind>\w+) doesn't define __(?P<what>\w+)__ method"),
        '"{what}" does not work on {kind}',
    ),
    (
        re.compile(r'bad operand type for (?:unary )?(?P<what>\w+|[-+])(?:\(\))?: "(?P<kind>\w+)"'),
        '"{what}" does not work on {kind}',
    ),
    (re.compile(r'argument of type "(?P<kind>\w+)" is not iterable'), '"in" cannot search {kind}'),
    (re.compile(r'"(?P<kind>\w+)" object is not iterable'), "a list is needed here, not {kind}"),
    (
        re.compile(r'"(?P<kind>\w+)" object cannot be interpreted as an integer'),
        "a whole number is needed here, not {kind}",
    ),
    (re.compile(r'unhashable type: "(?P<kind>\w+)"'), "{kind} cannot be a key"),
    (re.compile(r"slice indices must be integers.*"), "a slice has whole numbers, as in [0:3]"),
)
"""What Python says of a value of one kind, and what we say."""
_QUOTED = re.compile(r"'([^']*)'")


def reason_of(error: Exception) -> str:
    """The reason of an error that was raised while a template was rendered."""
    match error:
        case TemplateFailure():
            return error.reason
        case ZeroDivisionError():
            return "division by zero"
        case OverflowError():
            return "the number is too large"
        case RecursionError():
            return "the data is nested too deeply"
        case _:
            return _in_words(requoted(str(error).partition("\n")[0]) or type(error).__name__)


def _in_words(text: str) -> str:
    """Python's own message, in words for people who write templates."""
    if match := _MISSING.fullmatch(text):
        return f'the filter "{match.group(1)}" needs {match.group(2)} as well'
    if match := _TOO_MANY.fullmatch(text):
        return f'the filter "{match.group(1)}" has too many arguments'
    if match := _CONCATENATED.fullmatch(text):
        return f'"+" cannot add {_kinds(*match.groups())}; "~" joins texts'
    if match := _UNSUPPORTED.fullmatch(text):
        return f'"{match.group(1)}" does not work on {_kinds(*match.groups()[1:])}'
    if match := _COMPARED.fullmatch(text):
        return f'"{match.group(1)}" cannot compare {_kinds(*match.groups()[1:])}'
    for pattern, reason in _OF_ONE_KIND:
        if match := pattern.fullmatch(text):
            groups = match.groupdict()
            return reason.format(what=groups.get("what"), kind=_KINDS.get(groups.get("kind", ""), "data"))
    return text


def requoted(message: str) -> str:
    """A message of Jinja's or Python's with our quotation marks."""
    return _QUOTED.sub(r'"\1"', message)


def _kinds(one: str, other: str) -> str:
    return f"{_KINDS.get(one, one)} and {_KINDS.get(other, other)}"
