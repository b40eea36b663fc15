"""Reads network addresses as texts: which kind of network one is of, and whose it counts as."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """The address; None for any other text, such as a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_loopback(host: str | None) -> bool:
    """Whether only this machine reaches this host."""
    address = parsed(host or "")
    return host == "localhost" if address is None else address.is_loopback


def is_private(host: str) -> bool:
    """Whether it is an address of a private network, such as that of one's own proxy."""
    address = parsed(host)
    return address is not None and address.is_private


def counted_as(host: str) -> str:
    """The key under which the attempts of an address are counted.

    With IPv6 that is its network: a customer has at least a /64.
    """
    address = parsed(host)
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return str(int(address) >> 64)
    return host


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAddress:
    """Where a request comes from."""

    address: str
    proxy: str | None = None
    """The proxy that says so."""

    @classmethod
    def of(cls, peer: str, forwarded_for: str) -> "ClientAddress":
        """Behind a proxy of one's own, it is what the proxy has seen: the last entry of `X-Forwarded-For`.

        A peer in the public network is not such a proxy, and may claim any address.
        """
        seen = forwarded_for.rpartition(",")[2].strip()
        if is_private(peer) and parsed(seen) is not None:
            return cls(address=seen, proxy=peer)
        return cls(address=peer)
