"""Decides which addresses a tool may reach. Resolves nothing and connects to nothing."""

import re
import unicodedata
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

from runner.call.wildcards import glob_matches
from runner.model.settings import Egress

IPAddress: TypeAlias = IPv4Address | IPv6Address

# The IANA special-purpose registries (RFC 6890 and its updates), and the addresses at which clouds hand out
# a machine's credentials. The first network that holds an address names it, so the narrow ones stand first.
_V4 = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("169.254.169.254/32", "metadata"),
        ("169.254.170.2/32", "metadata"),  # AWS, credentials of a container
        ("168.63.129.16/32", "metadata"),  # Azure; looks like a public address
        ("100.100.100.200/32", "metadata"),  # Alibaba Cloud
        ("0.0.0.0/32", "unspecified"),
        ("0.0.0.0/8", "reserved"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_V6 = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("fd00:ec2::254/128", "metadata"),  # AWS
        ("fd20:ce::254/128", "metadata"),  # Google Cloud
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
    )
)
_V6_GLOBAL = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def kind_of(address: IPAddress) -> str | None:
    """What keeps an address from being public, e.g. `loopback`; None for a public address.

    An IPv4 address inside an IPv6 one is judged as itself where a packet would reach it: in a mapped address
    (RFC 4291, 2.5.5.2) and behind NAT64 (RFC 6052), which is how a network without IPv4 reaches everybody.
    6to4 and Teredo, which nobody serves from, are never public.
    """
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _V4 if address in network), None)
    if address.ipv4_mapped is not None:
        return kind_of(address.ipv4_mapped)
    if address in _NAT64:
        return kind_of(IPv4Address(int(address) & 0xFFFF_FFFF))
    named = next((kind for network, kind in _V6 if address in network), None)
    return named if named is not None or address in _V6_GLOBAL else "reserved"


def refuse_address(host: str, address: str, egress: Egress) -> str | None:
    """Why a tool may not connect to this address of `host`, or None when it may."""
    parsed = _ip(address)
    kind = kind_of(parsed) if parsed is not None else "malformed"
    if kind is None or _is_free(host, egress):
        return None
    article = "an" if kind[0] in "aeiou" else "a"
    return f'"{host}" is at {address}, {article} {kind} address; only hosts in egress.allow may be at one'


def refuse_host(host: str, egress: Egress) -> str | None:
    """Why a tool may not connect to this host as written, or None: a name, still to be resolved.

    Decides on hosts that are addresses themselves, in any of the spellings that a socket understands.
    """
    if not _is_numeric(host):
        return None
    address = literal_address(host)
    if address is not None:
        return refuse_address(host, str(address), egress)
    return f'"{host}" is neither a host name nor an address'


def literal_address(host: str) -> IPAddress | None:
    """The address that a host stands for when it is an address, or None.

    IPv4 is read as `inet_aton` reads it: `127.1`, `0x7f.1`, `0177.0.0.1` and `2130706433` are 127.0.0.1.
    """
    text = _plain(host)
    if ":" in text:
        return _ip(text)
    *heads, last = text.split(".")
    numbers = [_number(part) for part in heads]
    rest = _number(last)
    if rest is None or len(heads) > 3 or rest >= 256 ** (4 - len(heads)):
        return None
    value = rest
    for index, number in enumerate(numbers):
        if number is None or number > 255:
            return None
        value += number << (24 - 8 * index)
    return IPv4Address(value)


def is_listed(host: str, patterns: Iterable[str]) -> bool:
    """Whether one of these patterns names this host: `*` is any run of characters, case does not matter."""
    name = _plain(host)
    return any(glob_matches(_plain(pattern), name) for pattern in patterns)


def _is_free(host: str, egress: Egress) -> bool:
    return egress.private_networks or is_listed(host, egress.allow)


def _plain(host: str) -> str:
    """One spelling for all that mean the same: lower case, Unicode labels, no brackets, no trailing dot."""
    folded = unicodedata.normalize("NFKC", host).replace("\u3002", ".").lower()
    labels = folded.rstrip(".").removeprefix("[").removesuffix("]").split(".")
    return ".".join(_unicode_label(label) for label in labels)


def _unicode_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label.removeprefix("xn--").encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _is_numeric(host: str) -> bool:
    """Whether a host can only be an address: it holds a colon or its last label is a number (WHATWG URL)."""
    text = _plain(host)
    last = text.rpartition(".")[2]
    return ":" in text or last.isdigit() or _number(last) is not None


def _number(part: str) -> int | None:
    """A part of an IPv4 address: decimal, octal after `0`, hexadecimal after `0x`."""
    if re.fullmatch(r"0x[0-9a-f]{0,16}", part):
        return int(part[2:] or "0", 16)
    if re.fullmatch(r"0[0-7]{0,24}", part):
        return int(part, 8)
    return int(part) if re.fullmatch(r"[1-9][0-9]{0,19}", part) else None


def _ip(text: str) -> IPAddress | None:
    """The address without its zone, which names a network card and not another address."""
    try:
        return IPv6Address(text.partition("%")[0]) if ":" in text else IPv4Address(text)
    except AddressValueError:
        return None
