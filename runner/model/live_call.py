"""A live call as all runners know it, and the runners themselves."""

from dataclasses import dataclass
from enum import Enum

from runner.model.event import Limit
from runner.model.values import Instant


class CallState(Enum):
    """The stage of a live call."""

    RINGING = "ringing"
    """It is claimed, and may or may not have been answered when its runner was lost."""
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCall:
    """A live call, with everything that the next runner to serve it needs."""

    id: str
    agent: str
    """The agent that answers it, whose limits it counts for."""
    configuration: str
    """The hash of the configuration that it began with."""
    began_at: Instant
    """When it began to ring."""
    fence: int = 1
    """Counts up whenever another runner takes the call: a runner with an older number has lost it."""
    state: CallState = CallState.RINGING
    api_call_id: str | None = None
    """What the voice API calls a call from a browser, once that is known. A telephone call's is its `id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLimits:
    """How many calls an agent takes, over all runners; None sets no limit."""

    concurrent_calls: int | None = None
    calls_per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The answer to a claim: the call is `ours`, or its agent has `reached` a limit; neither: it is taken."""

    ours: HeldCall | None = None
    reached: Limit | None = None
    is_written: bool = True
    """Whether the store has it: without the store a caller is answered all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerInfo:
    """One process that serves calls."""

    id: str
    """New for each start of a process."""
    version: str
    configuration: str
    """The hash of the configuration for new calls."""
    address: str | None = None
    """Where other runners reach its admin API."""
    page_address: str | None = None
    """Where other runners pass on what a page asks about its call."""
    is_leaving: bool = False
    """It is about to end: no calls are handed over to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write, and to keep one's calls, until it is not renewed in time."""

    runner: str
    epoch: int
    """Counts up whenever the lease was lost or is in doubt: requests under an older one are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The runner that may bring a call to its end: the one that holds it under this fence."""

    runner: str
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCall:
    """A live call, and its runner with its addresses; `runner` is None while the call is between two."""

    call: HeldCall
    runner: str | None
    address: str | None = None
    page_address: str | None = None
