"""Builds URLs from templates. A value fills its place and nothing more.

Every value is percent-encoded as a whole (RFC 3986, 2.3: only letters, digits and `-._~` stay), so that it
brings no `/`, `?`, `#`, `@` or `:` of its own. Scheme, host and port are written out. What
encoding cannot prevent is refused: a path segment that becomes empty, `.` or `..`, since servers take these
as structure.
"""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from runner.call.templates.template import as_text, has_expressions
from runner.errors import TemplateError, TemplateFailure
from runner.model.values import JsonObject

_MARK = re.compile(r"\{[{%#]")
_TAG = re.compile(r"(?s)\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
_ORIGIN = re.compile(r"(?i)https?://([^/?#]*)")
_EMPTY = "\x00"
"""Stands for the empty result of an expression until the path has been checked."""
_ALLOWED = "%/:?#[]@!$&'()*+,;=-._~"
"""Characters that stay in the literal parts: those of RFC 3986, and what is encoded already."""


class Url:
    """A URL template, compiled. Raises TemplateError, with the place inside the source."""

    __slots__ = ("_literal", "_program", "_source")

    def __init__(self, source: str) -> None:
        _check_literal_parts(source)
        self._source = source
        self._literal: str | None = None
        if has_expressions(source):
            from runner.call.templates.program import Program  # noqa: PLC0415 - Jinja is loaded for expressions only

            self._program = Program(source, _encoded, typed=False)
        else:
            self._literal = source

    def made(self, names: JsonObject) -> str:
        """The URL for these names. Raises TemplateFailure where a value would change its structure."""
        made = self._literal if self._literal is not None else self._filled(names)
        path = _ORIGIN.sub("", made, count=1).partition("?")[0]
        for segment in path.split("/"):
            if segment and unquote(segment.replace(_EMPTY, "")) in ("", ".", ".."):
                would_be = "empty" if segment.strip(_EMPTY) == "" else f'"{segment}"'
                raise TemplateFailure(f"a part of the path would be {would_be}", source=self._source)
        return quote(made.replace(_EMPTY, "").strip(), safe=_ALLOWED)

    def _filled(self, names: JsonObject) -> str:
        try:
            return str(self._program.run(names))
        except TemplateFailure as failure:
            raise TemplateFailure(failure.reason, source=self._source, line=failure.line) from None


@lru_cache(maxsize=4096)
def compiled_url(source: str) -> Url:
    """The URL template of this source, compiled once."""
    return Url(source)


def _encoded(value: Any) -> str:
    return quote(as_text(value), safe="", errors="replace") or _EMPTY


def _check_literal_parts(source: str) -> None:
    first = _MARK.search(source)
    start = first.start() if first else len(source)
    origin = _ORIGIN.match(source, 0, start)
    if first and (origin is None or origin.end() == start):
        raise TemplateError(
            'the host cannot come from an expression; write "https://", the host and "/" before it',
            source.count("\n", 0, start) + 1,
            start - source.rfind("\n", 0, start),
        )
    if origin is None or not origin[1]:
        raise TemplateError(f'"{source}" does not begin with https:// (or http://) and a host')
    _check_host(origin[1], column=origin.start(1) + 1)
    literal = _TAG.sub(lambda tag: " " * len(tag[0]), source)
    if "#" in literal:
        raise TemplateError('what follows "#" is never sent; leave it out', column=literal.index("#") + 1)


def _check_host(authority: str, *, column: int) -> None:
    if "@" in authority:
        raise TemplateError('user and password do not belong in a URL; use "auth"', column=column)
    try:
        parts = urlsplit(f"//{authority}")
        sound = bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"[^A-Za-z0-9.:_\[\]-]", authority):
        raise TemplateError(f'"{authority}" is not a host{_right_host(authority)}', column=column)


def _right_host(authority: str) -> str:
    """What would be right: names travel in ASCII (RFC 5890), and ports have 16 bits."""
    if not authority.isascii():
        try:
            return f', as names travel in ASCII; write "{authority.encode("idna").decode()}"'
        except UnicodeError:
            pass
    port = authority.rpartition(":")[2] if ":" in authority.rpartition("]")[2] else ""
    if port and not (port.isdecimal() and 0 < int(port[:6]) < 65536):
        return " with a port; a port is a number from 1 to 65535"
    return ", such as api.maple.example"
