"""Reads network addresses as texts: which kind of network one is of, and whose it counts as."""

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
