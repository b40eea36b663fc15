"""A scenario: one call as a `*.test.yaml` describes it, and what is expected of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from runner.model.call import Origin
from runner.model.steering import SteeringAct
from runner.model.usage import Usage
from runner.model.values import Instant, Place

IF_BROKEN = "if_broken"
"""The name for replies to the transfer of a broken call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An expected value, each part of it with its place."""

    value: "bool | int | float | str | tuple[Expected, ...] | Mapping[str, Expected] | None"
    text: str = ""
    """A scalar as written, so that no digit is lost where the other side is a text."""
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The expectations at one moment of a call, by the language's own keys (`agent`, `says`, …)."""

    wanted: Mapping[str, Expected] = field(default_factory=dict)
    unwanted: Mapping[str, Expected] = field(default_factory=dict)
    """The expectations below `not`."""
    to_be_written: bool = False
    """It is `...`: the observed values are to be written there."""
    place: Place


class NoReply(Enum):
    """Why a request gets no reply."""

    TIMEOUT = "timeout"
    CONNECTION_REFUSED = "connection_refused"
    CUT_OFF = "cut_off"


class TransferEnd(Enum):
    """How a requested transfer ends."""

    COMPLETED = "completed"
    NOT_COMPLETED = "not_completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The result of one attempt of a request. `status` and `body` None: as in the tool's example."""

    status: int | None = None
    body: bytes | None = None
    content_type: str = ""
    delay_s: float = 0.0
    failure: NoReply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replies:
    """The results of a tool's requests: one for all attempts of a step, or (`in_turn`) a list."""

    entries: tuple[Reply | TransferEnd, ...]
    in_turn: bool = False
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerTurn:
    """The caller says something, and the model should answer."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSays:
    """The model's response is these words."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCalls:
    """The model's response calls these tools, with arguments as text. `server.tool` is an MCP server's."""

    calls: tuple[tuple[str, str], ...]
    says: str | None = None
    """What the same response says before it calls."""


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
    """The sideband is lost for this long, and the call continues."""

    for_s: float


@dataclass(frozen=True, slots=True)
class RunnerRestarts:
    """The runner is killed, and the call is taken over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingIsHeard:
    """For this long nothing comes from the voice API, whatever it gets."""

    for_s: float


@dataclass(frozen=True, slots=True)
class HandoffIsRefused:
    """The voice API refuses the next hand-off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonActs:
    """A person steers the call."""

    act: SteeringAct
    transfer_end: TransferEnd = TransferEnd.COMPLETED
    """How the transfer ends, where it is one."""


@dataclass(frozen=True, slots=True)
class CallerLeaves:
    """The caller has gone."""


Act: TypeAlias = (
    CallerTurn
    | ModelSays
    | ModelCalls
    | ModelFails
    | KeysArePressed
    | NobodySpeaks
    | CallerInterrupts
    | SidebandIsLost
    | RunnerRestarts
    | NothingIsHeard
    | HandoffIsRefused
    | PersonActs
    | CallerLeaves
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens in a call."""

    act: Act
    replies: Mapping[str, Replies] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    expect: Expectation | None = None
    place: Place


CALL_ID = "rtc_scenario"
"""The id of a call whose scenario names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One call and what is expected of it."""

    name: str
    at: Instant
    environment: str | None = None
    call_id: str = CALL_ID
    origin: Origin
    """Its SIP headers, `From` and `To` among them; or the data of a browser's token."""
    replies: Mapping[str, Replies] = field(default_factory=dict)
    """The replies in every step; `lookup` and `if_broken` beside the names of tools."""
    expect: Expectation | None = None
    steps: tuple[Step, ...] = ()
    live_calls: Mapping[str, int] = field(default_factory=dict)
    """The number of live calls of each agent."""
    calls_today: Mapping[str, int] = field(default_factory=dict)
    """The number of calls of each agent on this UTC day."""
    place: Place
