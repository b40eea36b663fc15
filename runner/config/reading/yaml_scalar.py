"""Reads a plain YAML scalar: the YAML 1.2 core schema and no more. Never loses a digit."""

import re

from runner.config.node import Scalar

# YAML 1.2.2, 10.3.2. A number that would not be written back the same (a leading zero or plus, more digits
# than fit 64 bits) is a telephone number, an id or a code more often than an amount: it stays text.
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_BEGIN_NUMBERS = frozenset("-.0123456789")
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,17}")
_OCTAL = re.compile(r"0o[0-7]{1,20}")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(
    r"-?(?:(?:0|[1-9][0-9]*)?\.[0-9]+|(?:0|[1-9][0-9]*)\.?)(?:[eE][-+]?[0-9]+)?", flags=re.ASCII
)


def plain_scalar(text: str) -> Scalar:
    """The value of a scalar that was written without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _BEGIN_NUMBERS:
        return text
    value: Scalar = text
    if _DECIMAL.fullmatch(text):
        value = int(text)
    elif _HEXADECIMAL.fullmatch(text):
        value = int(text, 16)
    elif _OCTAL.fullmatch(text):
        value = int(text, 8)
    elif _FLOAT.fullmatch(text) and not text.lstrip("-").isdigit():
        value = float(text)
    return value
