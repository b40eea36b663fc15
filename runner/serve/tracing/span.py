"""A span in our own form, which an exporter converts to OpenTelemetry's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from runner.model.values import Instant

Attribute: TypeAlias = str | int | float | bool


class SpanKind(Enum):
    """Which side of a request a span is."""

    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened within a span."""

    name: str
    at: Instant
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSpan:
    """A span that has ended. Ids are hexadecimal; `parent_id` is None for a whole call."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    began_at: Instant
    ended_at: Instant
    kind: SpanKind = SpanKind.INTERNAL
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    moments: tuple[Moment, ...] = ()
    error: str | None = None
    """What failed, as one of a few words; None where nothing did."""
