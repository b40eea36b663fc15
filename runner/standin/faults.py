"""Faults of the stand-in, on request. Values only.

A fault at one moment of the call is a step of its script.
"""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFault:
    """A REST request gets this instead of its proper answer.

    `carried_out`: the request takes effect all the same, and only its answer is wrong.
    """

    status: int | None = None
    """None: the connection is cut without an answer."""
    after_s: float = 0.0
    carried_out: bool = False


class ReferEffect(Enum):
    """The effect of a `refer` that was answered with 200."""

    LEAVES = "leaves"
    STAYS = "stays"


@dataclass(frozen=True, slots=True, kw_only=True)
class Twice:
    """Every event of this type comes twice, with one and the same `event_id`."""

    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Every event of this type comes only after `events` others, or when nothing else is left to come."""

    type: str
    events: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Events of this type never come."""

    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """This frame comes before every event of the type."""

    frame: str
    before: str


StreamFault = Twice | Late | Lost | Noise


@dataclass(frozen=True, slots=True, kw_only=True)
class SidebandRefusal:
    """The sideband opens (101), and then an `error` event and a close follow."""

    code: str
    message: str
    close_code: int = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """All faults of one call. Each tuple of HTTP faults is used up request by request."""

    accept: tuple[HttpFault, ...] = ()
    create: tuple[HttpFault, ...] = ()
    """For the request that creates a call from a browser's offer."""
    reject: tuple[HttpFault, ...] = ()
    refer: tuple[HttpFault, ...] = ()
    hangup: tuple[HttpFault, ...] = ()
    refer_effect: ReferEffect = ReferEffect.LEAVES
    unknown_attempts: int = 0
    """The number of sideband attempts after accept that are answered 404 `call_id_not_found`."""
    refusal: SidebandRefusal | None = None
    stream: tuple[StreamFault, ...] = ()


FINE = Faults()
AUDIO_FRAME = (
    '{"type":"response.output_audio.delta","event_id":"event_audio","response_id":"resp_audio",'
    '"item_id":"item_audio","output_index":0,"content_index":0,"delta":"' + "AAAA" * 800 + '"}'
)
"""20 ms of silence, as a WebSocket session gets it and a sideband should not."""
UNKNOWN_EVENT = '{"type":"response.thought.delta","event_id":"event_unknown","delta":"hm"}'
NOT_JSON = '{"type":"response.do'
NOT_AN_OBJECT = '["response.done"]'
HUGE = '{"type":"response.thought.done","event_id":"event_huge","text":"' + "x" * 2_000_000 + '"}'
