"""The events of a live call: what the voice API reports, replies to what was asked, timers and people.

All of them enter the one machine.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from runner.model.action import Timer
from runner.model.conversation_event import ConversationEvent, ToolCalled
from runner.model.http import HttpReply
from runner.model.steering import SteeringAct


class Limit(Enum):
    """The limits of an agent over all its calls. The value is the language's key."""

    CONCURRENT_CALLS = "concurrent_calls"
    CALLS_PER_DAY = "calls_per_day"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimReplied:
    """The answer to `ClaimCall`: the call is ours, or the agent has `reached` a limit, or the call is `taken`
    by another runner."""

    agent: str
    reached: Limit | None = None
    taken: bool = False


class Decided(Enum):
    """The API's answer to a decision about a ringing call."""

    DONE = "done"
    DONE_BEFORE = "done_before"
    """By a request whose reply was lost, or by a process of ours that was lost."""
    GONE = "gone"
    """The caller has hung up."""
    TAKEN = "taken"
    """Another runner, or another of the API's interfaces, has decided first."""
    REFUSED = "refused"
    """The API refuses it, and would refuse it again."""
    UNAVAILABLE = "unavailable"
    """The API gave no answer; another delivery of the webhook may get one."""

    @property
    def is_done(self) -> bool:
        """Whether it is done, now or before."""
        return self in (Decided.DONE, Decided.DONE_BEFORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReplied:
    """The API's reply to `AnswerCall`."""

    decided: Decided
    code: str = ""
    """The API's own name for an error."""
    detail: str = ""
    api_call_id: str = ""
    """The API's id of a browser's call, which comes with its answer; empty for a call that had one."""
    sdp: str = ""
    """The SDP answer for the browser."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectReplied:
    """The API's reply to `RejectCall`."""

    decided: Decided
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUpFailed:
    """The hang-up has failed. `final`: the API refuses it, and would refuse it again."""

    detail: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Another process serves the call from here on; only the journal is left of the one before."""


@dataclass(frozen=True, slots=True)
class SidebandOpened:
    """The sideband is open, for the first time or again. The API replays nothing that was missed."""


@dataclass(frozen=True, slots=True)
class CallerConnected:
    """The browser reports that its media are connected."""


@dataclass(frozen=True, slots=True)
class SidebandLost:
    """The sideband was lost. The call continues without us until it is attached again, or gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """The sideband cannot be opened or reopened: the call may live, and nobody serves it."""

    detail: str


@dataclass(frozen=True, slots=True)
class CallGone:
    """The call has left the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """An attempt of a tool's request has ended."""

    call_id: str
    attempt: int
    reply: HttpReply


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferAnswered:
    """The API's answer to a transfer request. A 200 proves nothing yet."""

    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired:
    """A timer that the machine set has run out."""

    timer: Timer


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRequested:
    """Something outside requests the end of the call, e.g. a drain that ran out of time."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """A person, or a program in their name, acts on the call. A repeated `id` is the same act."""

    id: str
    by: str
    """The name of the token, command or scenario that acts."""
    act: SteeringAct


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallMissed:
    """The model has called a tool while another process served the call, which could not write it down.
    Whether the tool was run is unknown.
    """

    called: ToolCalled


CallEvent: TypeAlias = (
    ClaimReplied
    | AnswerReplied
    | RejectReplied
    | ReferAnswered
    | HangUpFailed
    | Replied
    | TimerFired
    | Steered
    | EndRequested
    | TakenOver
    | ToolCallMissed
    | CallerConnected
    | SidebandOpened
    | SidebandLost
    | Unreachable
    | CallGone
    | ConversationEvent
)
"""Everything that can happen to a call once it has rung."""
