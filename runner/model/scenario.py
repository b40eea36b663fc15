"""A scenario: one call as a `*.test.yaml` tells it, and what is expected of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from runner.model.call import Origin
from runner.model.steering import Wish
from runner.model.usage import Usage
from runner.model.values import Instant, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A value that is expected, each part of it with its place."""

    value: "bool | int | float | str | tuple[Expected, ...] | Mapping[str, Expected] | None"
    text: str = ""
    """A scalar as written, so that no digit is lost where the other side is a text."""
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What holds at one moment of a call, by the language's own keys (`agent`, `says`, …)."""

    wanted: Mapping[str, Expected] = field(default_factory=dict)
    unwanted: Mapping[str, Expected] = field(default_factory=dict)
    """What stands below `not`."""
    to_be_written: bool = False
    """It is `...`: whoever wrote it wants to have written there what was got."""
    place: Place
    key_place: Place
    """Where `expect` itself stands."""


class NoReply(Enum):
    """Why a request gets no reply."""

    TIMEOUT = "timeout"
    CONNECTION_REFUSED = "connection_refused"
    CUT_OFF = "cut_off"


class TransferEnd(Enum):
    """What is seen of a transfer that was asked for."""

    COMPLETED = "completed"
    NOT_COMPLETED = "not_completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What one attempt of a request brings. `status` and `body` None: as the tool's example has it."""

    status: int | None = None
    body: bytes | None = None
    content_type: str = ""
    delay_s: float = 0.0
    failure: NoReply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """What the attempts of each request of one tool bring; one for all of them, or (`in_turn`) a list."""

    entries: tuple[Reply | TransferEnd, ...]
    in_turn: bool = False
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSays:
    """The caller says something, and the model is to answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSays:
    """The model's response is these words."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCalls:
    """The model's response calls these tools, with arguments as text. `server.tool` is an MCP server's."""

    calls: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFails:
    """The model's response fails."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysArePressed:
    """The caller presses these keys."""

    keys: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NobodySpeaks:
    """Time passes."""

    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerInterrupts:
    """The caller speaks while the agent does, `after_s` after the caller began to hear it."""

    after_s: float
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SidebandIsLost:
    """The sideband is lost for so long, and the call goes on."""

    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingIsHeard:
    """For so long nothing comes from the voice API, whatever it is sent."""

    for_s: float


@dataclass(frozen=True, slots=True)
class HandoffIsRefused:
    """The voice API refuses the next hand-off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonActs:
    """Somebody steers the call."""

    wish: Wish
    transfer_end: TransferEnd = TransferEnd.COMPLETED
    """What is seen of the transfer, where it is one."""


@dataclass(frozen=True, slots=True)
class CallerHangsUp:
    """The caller has gone."""


Act: TypeAlias = (
    CallerSays
    | ModelSays
    | ModelCalls
    | ModelFails
    | KeysArePressed
    | NobodySpeaks
    | CallerInterrupts
    | SidebandIsLost
    | NothingIsHeard
    | HandoffIsRefused
    | PersonActs
    | CallerHangsUp
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens in a call."""

    act: Act
    replies: Mapping[str, Replies] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    expect: Expectation | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One call and what is expected of it."""

    name: str
    at: Instant
    environment: str | None = None
    origin: Origin
    """Its SIP headers, `From` and `To` among them; or what the token of a browser says."""
    replies: Mapping[str, Replies] = field(default_factory=dict)
    """What is answered in every step; `lookup` and `if_broken` beside the names of tools."""
    expect: Expectation | None = None
    steps: tuple[Step, ...] = ()
    live_calls: Mapping[str, int] = field(default_factory=dict)
    """How many calls agents have already."""
    calls_today: Mapping[str, int] = field(default_factory=dict)
    """How many calls agents have had this day (UTC)."""
    place: Place
