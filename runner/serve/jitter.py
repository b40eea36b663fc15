"""Varies waits from call to call, so that what failed together is not retried together."""

from zlib import crc32

from runner.model.tool import STAGGER


def jittered(delay_s: float, call_id: str, attempt: int) -> float:
    """The delay, up to a half shorter or longer, always the same for the same call and attempt."""
    return delay_s * (0.5 + _share(call_id, attempt))


def staggered(delay_s: float, call_id: str, attempt: int) -> float:
    """The delay, up to a half longer and never shorter, always the same for the same call and attempt."""
    return delay_s * (1.0 + STAGGER * _share(call_id, attempt))


def _share(call_id: str, attempt: int) -> float:
    """From 0 to 1."""
    return crc32(f"{call_id}/{attempt}".encode("utf-8", "replace")) / 2**32
