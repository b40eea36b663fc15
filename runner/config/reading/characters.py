"""Decodes the bytes of a file into a text of which every character and every line counts as in an editor."""

import re

from runner.config.reading.yaml_syntax import SyntaxMistake

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
# YAML 1.2.2, 5.1, without U+0085, U+2028 and U+2029: the parsers count these as line breaks (YAML 1.1),
# editors do not, and every place after one would be wrong.
_NOT_ALLOWED = re.compile(
    "[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def split_lines(text: str) -> list[str]:
    """The lines of a text as editors count them, without their ends."""
    return _LINE_BREAK.split(text) if "\r" in text else text.split("\n")


def decode(content: bytes) -> str:
    """The text of a file. Raises SyntaxMistake where it is not UTF-8, or holds what YAML does not allow."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in (content[:1], content[1:2]):
        raise SyntaxMistake("this file is UTF-16; save it as UTF-8", 1, 1)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = split_lines(content[: error.start].decode())
        raise SyntaxMistake(
            f"byte 0x{content[error.start]:02X} is not UTF-8; save this file as UTF-8",
            len(before),
            len(before[-1]) + 1,
        ) from None
    if text.startswith("\ufeff"):
        raise SyntaxMistake("this file begins with a byte order mark; save it as UTF-8 without one", 1, 1)
    check_characters(text)
    return text


def check_characters(text: str) -> None:
    """Raise SyntaxMistake at the first character that YAML, or our counting of lines, does not allow."""
    match = _NOT_ALLOWED.search(text)
    if match:
        before = split_lines(text[: match.start()])
        raise SyntaxMistake(
            f"character U+{ord(match.group()):04X} is not allowed in YAML; remove it",
            len(before),
            len(before[-1]) + 1,
        )
