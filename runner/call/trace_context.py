"""The names of a call and its parts in traces: W3C Trace Context, https://www.w3.org/TR/trace-context/.

They follow from the call's own ids, so that every attempt of a request and every process that serves the call
has the same ones, whether traces are collected or not.
"""

from hashlib import sha256

SAMPLED = "01"
NOT_SAMPLED = "00"
"""Flags of `traceparent`: whether whoever sends it records the trace."""


def trace_id(call_id: str) -> str:
    """The trace of a call, in 32 hexadecimal digits."""
    return _digest(call_id)[:32]


def span_id(call_id: str, part: str) -> str:
    """The span of a part of a call, e.g. of a tool call by its id, in 16 hexadecimal digits."""
    return _digest(f"{call_id}/{part}")[:16]


def traceparent(call_id: str, part: str) -> str:
    """The header that tells an endpoint which span it works for."""
    return f"00-{trace_id(call_id)}-{span_id(call_id, part)}-{SAMPLED}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()
