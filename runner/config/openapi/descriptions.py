"""Shortens texts of OpenAPI documents for a model: one paragraph, of bounded length."""

import re

_TAG = re.compile(
    r"</?(?:a|b|br|code|dd|div|dl|dt|em|h[1-6]|hr|i|img|li|ol|p|pre|span|strong|su[bp]|table|tbody|td|th|thead|tr|tt|u|ul)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_LINK = re.compile(r"!?\[([^\]\[]*)\]\([^()\s]*\)")


def shortened(text: str, longest: int) -> str:
    """The text without line breaks, HTML and the targets of links, cut after a word."""
    line = " ".join(_TAG.sub(" ", _LINK.sub(r"\1", text[: 8 * longest])).split())
    if len(line) <= longest:
        return line
    return line[: longest - 1].rsplit(" ", 1)[0].rstrip(" ,;:") + "…"
