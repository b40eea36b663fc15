"""A live call as all runners know it, and the runners themselves."""

from dataclasses import dataclass
from enum import Enum

from runner.model.event import Limit
from runner.model.values import Instant


class CallState(Enum):
    """How far a live call has come."""

    RINGING = "ringing"
    """It is claimed, and may or may not have been answered when its runner was lost."""
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCall:
    """A live call, and what whoever serves it next must know."""

    id: str
    agent: str
    """Whose limits it counts for: the agent that answers it."""
    configuration: str
    """The hash of the configuration that it began with."""
    began_at: Instant
    """When it began to ring."""
    fence: int = 1
    """Counted up whenever another runner takes the call: who holds an older number has lost it."""
    state: CallState = CallState.RINGING
    webhook_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many calls an agent takes, over all runners; None sets no limit."""

    concurrent_calls: int | None = None
    calls_per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The answer to a claim: the call is `ours`, or its agent has `reached` a limit; neither: it is taken."""

    ours: HeldCall | None = None
    reached: Limit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerInfo:
    """One process that serves calls."""

    id: str
    """Made anew whenever a process starts."""
    version: str
    configuration: str
    """The hash of the configuration for new calls."""
    address: str | None = None
    """Where other runners reach it."""
    is_leaving: bool = False
    """It is about to end: nobody hands calls over to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write, and to keep the calls that one holds. It lasts until it is not renewed in time."""

    runner: str
    epoch: int
    """Counted up whenever it was lost or is in doubt: what was sent under an older one is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who may bring a call to its end: the runner that holds it under this fence."""

    runner: str
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCall:
    """A live call, and who serves it; `runner` is None while it is between two."""

    call: HeldCall
    runner: str | None
    address: str | None = None
