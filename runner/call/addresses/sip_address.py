"""Reads the addresses in SIP headers (RFC 3261, 20.10 and 25.1; RFC 3966 for `tel:`).

Never raises, and knows nothing of telephone numbers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from urllib.parse import unquote

MAX_LENGTH = 8192
"""Longer values are not addresses: no SIP stack sends them, and the work on a stranger's text stays
bounded."""

_QUOTED = r'"((?:[^"\\]|\\.)*+)"'
_QUOTED_NAME_ADDR = re.compile(rf"{_QUOTED}[ \t]*<([^<>]*)>(.*)", re.DOTALL)
_NAME_ADDR = re.compile(r'([^"<>]*)<([^<>]*)>(.*)', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_PARAMETER = re.compile(rf';[ \t]*([^;="\s]+)[ \t]*(?:=[ \t]*(?:{_QUOTED}|([^;"]*)))?', re.DOTALL)
# An unclosed quote or bracket takes the rest, so that each character is looked at once.
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|<[^>]*(?:>|\Z)|[^",<]+|,', re.DOTALL)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)[ \t]*(?::[ \t]*([0-9]{1,5}))?")
_TELEPHONE_USER = re.compile(r"[+0-9*#().-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAddress:
    """An address as written. What could not be read is None; `uri` always holds the text."""

    uri: str
    """The address without display name, brackets and header parameters, or the raw text."""
    scheme: str | None = None
    """`sip`, `sips` or `tel`; None when none was written."""
    user: str | None = None
    """Percent-decoded, without password. For `tel:`, the number as written."""
    host: str | None = None
    """In lower case; an IPv6 address in brackets, compressed."""
    port: int | None = None
    display_name: str | None = None
    uri_parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the address itself, such as `user=phone` or `phone-context`. Names in lower case."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the header, such as `tag`. Names in lower case."""


def parse_address(text: str) -> SipAddress:
    """The address in one header value: `"Name" <sip:user@host;uri>;header`, or a bare address."""
    if len(text) > MAX_LENGTH:
        return SipAddress(uri=text)
    value = unfold(text)
    named = _QUOTED_NAME_ADDR.fullmatch(value) or _NAME_ADDR.fullmatch(value)
    if named:
        name, uri, rest = named.groups()
        display_name = _QUOTED_PAIR.sub(r"\1", name).strip() or None
    else:
        display_name = None
        uri, rest = _bare(value)
    if any(mark in uri for mark in '<>" \t'):
        return SipAddress(uri=value)
    return _parse_uri(uri.strip(), display_name, _parameters(rest))


def split_entries(value: str) -> list[str]:
    """The entries of a header that may hold several, split at commas outside quotes and brackets.

    Only the first `MAX_LENGTH` characters are looked at.
    """
    entries = [""]
    for piece in _PIECE.findall(value[:MAX_LENGTH]):
        if piece == ",":
            entries.append("")
        else:
            entries[-1] += piece
    return [entry.strip() for entry in entries if entry.strip()]


def unfold(text: str) -> str:
    """A header value on one line: a break with the white space around it is one space (RFC 3261, 7.3.1)."""
    lines = text.replace("\r", "\n").split("\n")
    return " ".join(line.strip(" \t") for line in lines if line.strip(" \t"))


def _bare(value: str) -> tuple[str, str]:
    """Without brackets, parameters belong to the header (RFC 3261, 20.10).

    `tel:` is the exception that carriers make: a local number means nothing without its `phone-context`.
    """
    if value[:4].lower() == "tel:":
        return value, ""
    before_user_ends = value.find("@") + 1
    start = value.find(";", before_user_ends)
    return (value, "") if start < 0 else (value[:start].rstrip(), value[start:])


def _parse_uri(uri: str, display_name: str | None, parameters: Mapping[str, str]) -> SipAddress:
    scheme_match = _SCHEME.match(uri)
    scheme = scheme_match[1].lower() if scheme_match else None
    rest = uri[scheme_match.end() :] if scheme_match else uri
    user: str | None
    host_port: str | None
    if scheme == "tel":
        user, _, tail = rest.partition(";")
        user, host_port, tail = _decode(user), None, ";" + tail
    elif scheme in ("sip", "sips", None) and rest.count("@") <= 1:
        user, host_port, tail = _split_sip(rest, has_scheme=scheme is not None)
    else:
        return SipAddress(uri=uri, display_name=display_name, parameters=parameters)
    host, port = _parse_host(host_port) if host_port is not None else (None, None)
    return SipAddress(
        uri=uri,
        scheme=scheme,
        user=user,
        host=host,
        port=port,
        display_name=display_name,
        uri_parameters=_parameters(tail),
        parameters=parameters,
    )


def _split_sip(rest: str, *, has_scheme: bool) -> tuple[str | None, str | None, str]:
    """User, host with port, and parameters of what follows `sip:`. Without a scheme, one word is a user."""
    user_info, at, after = rest.rpartition("@")
    if not at and not has_scheme:
        word, _, tail = after.partition(";")
        return _decode(word), None, ";" + tail
    host_port, _, tail = after.partition("?")[0].partition(";")
    if not at:
        return None, host_port, ";" + tail
    name = user_info.partition(":")[0]
    number, _, number_parameters = name.partition(";")
    if number_parameters and _TELEPHONE_USER.fullmatch(unquote(number)):
        # A telephone number as a user keeps its own parameters: `+1…;ext=5@host` (RFC 3261, 19.1.6).
        return _decode(number), host_port, f";{number_parameters};{tail}"
    return _decode(name), host_port, ";" + tail


def _decode(text: str) -> str | None:
    """Percent-decoded; None for nothing, and for control characters, which no honest peer sends."""
    decoded = unquote(text, errors="replace")
    return decoded if decoded and decoded.isprintable() else None


def _parse_host(text: str) -> tuple[str | None, int | None]:
    match = _HOST_PORT.fullmatch(text)
    if not match:
        return None, None
    host, port_text = match[1].lower().removesuffix("."), match[2]
    if host.startswith("["):
        try:
            host = f"[{IPv6Address(host[1:-1])}]"
        except ValueError:
            return None, None
    port = int(port_text) if port_text else None
    if port is not None and not 0 < port < 65536:
        return None, None
    return host or None, port


def _parameters(text: str) -> Mapping[str, str]:
    """The first of a repeated parameter counts."""
    parameters: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(text):
        value = _QUOTED_PAIR.sub(r"\1", quoted) if quoted else plain.strip()
        parameters.setdefault(name.lower(), value)
    return parameters
