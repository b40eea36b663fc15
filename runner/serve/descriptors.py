"""Divides the process's file descriptors, so that no crowd takes those of a live call.

Everything that opens many of them keeps to its share; hanging up, the store and name lookups use the rest.
"""

import resource
from dataclasses import dataclass

LARGEST_LIMIT = 1 << 20
"""Counts as no limit: more is never used, and some systems cannot set more."""
MACOS_LIMIT = 10_240
"""The most that macOS accepts (OPEN_MAX) where it reports no limit."""
PER_CALL = 2
"""A sideband, and a request to the API: to accept, to transfer, to hang up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorShares:
    """How many of each there may be under one limit."""

    connections: int
    """From clients to us."""
    backlog: int
    """From clients, accepted and not yet counted."""
    tool_requests: int
    """To users' endpoints, in flight together. As many connections may be kept from earlier ones."""
    calls: int

    @classmethod
    def of(cls, limit: int) -> "DescriptorShares":
        """Divide `limit` descriptors. Calls get what the others leave, at least half of them."""
        backlog = min(128, limit // 16)
        connections = min(1024, limit // 8)
        tool_requests = min(1024, limit // 16)
        reserve = min(256, limit // 8)
        calls = (limit - backlog - connections - 2 * tool_requests - reserve) // PER_CALL
        return cls(connections=connections, backlog=backlog, tool_requests=tool_requests, calls=calls)


def raise_limit() -> int:
    """Raise this process's soft limit of descriptors to the hard one; returns the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (_finite(hard), MACOS_LIMIT):
        if wanted <= _finite(soft):
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            continue
        return wanted
    return _finite(soft)


def limit() -> int:
    """The limit in force."""
    return _finite(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _finite(value: int) -> int:
    return LARGEST_LIMIT if value == resource.RLIM_INFINITY else min(value, LARGEST_LIMIT)
