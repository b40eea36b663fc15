"""Varies waits from call to call, so that what failed together is not retried together."""

from zlib import crc32


def jittered(delay_s: float, call_id: str, attempt: int) -> float:
    """The delay, up to a half shorter or longer, always the same for the same call and attempt."""
    share = crc32(f"{call_id}/{attempt}".encode("utf-8", "replace")) / 2**32
    return delay_s * (0.5 + share)
