"""The actions of a call's machine, which the shell carries out. Nothing here knows how."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

from runner.model.agent import Agent
from runner.model.http import HttpRequest
from runner.model.values import Instant, JsonObject

LOOKUP = "lookup"
"""Stands for a tool's name where the lookup sends a request. Its key is the call's own id."""


class TimerKind(Enum):
    """What a timer is for."""

    __hash__ = object.__hash__
    """By identity, which is faster than Python's hash of a member: tables are searched at each event."""

    LOOKUP = "lookup"
    """The caller has heard ringing for long enough: the call is answered with the lookup's default."""
    LOOKUP_RETRY = "lookup_retry"
    """The next attempt of the lookup is due."""
    HANG_UP_AGAIN = "hang_up_again"
    """A hang-up has failed; it is tried again."""
    MAX_DURATION = "max_duration"
    CONNECTED = "connected"
    """A browser that has not reported its media by now is greeted all the same."""
    FLOOR = "floor"
    """An event that should follow on the floor (see `runner.call.machine.floor`) has not come."""
    HEARD = "heard"
    """The end of a response's playback was never reported. The key is the response's id."""
    LAST_WORDS = "last_words"
    """The goodbye, or the announcement of a transfer, takes too long: the call leaves without it."""
    MODEL_RETRY = "model_retry"
    """The API's rate limit was reached; the failed response is requested again."""
    HANDOFF = "handoff"
    """The API has not refused the change of the session: the other agent serves the call."""
    RETRY = "retry"
    """The next attempt of a tool's request is due. The key is the tool call's id."""
    TRANSFER = "transfer"
    """The call should have left by now."""
    WIND_DOWN = "wind_down"
    SILENCE = "silence"
    """Nobody has spoken for the time that the agent allows."""
    STALL = "stall"
    """The agent should have spoken by now."""
    GHOST = "ghost"
    """The call should have shown a sign of life by now."""
    KEYS = "keys"
    """No further key was pressed: the entry is complete."""
    MCP = "mcp"
    """The MCP servers should have listed their tools by now."""
    LEAD = "lead"
    """A person's lease on the call runs out: the agent leads it again."""
    REFRESH = "refresh"
    """The API has not refused a person's change of the session: it counts as accepted."""
    WAITING = "waiting"
    """A sentence for a slow tool is due. The key is the call's id and the step."""


class Timer(NamedTuple):
    """The name of a timer. `key` distinguishes several of one kind, e.g. by a tool call's id.

    A tuple, which is hashed in a fraction of the time: every turn sets and clears a dozen.
    """

    kind: TimerKind
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speak:
    """Ask the model to speak: a sentence (`say`), an instruction (`tell`), or just to continue."""

    wish: str
    """Comes back with the response, which distinguishes it from the API's own. At most 32 characters."""
    say: str | None = None
    tell: str | None = None


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Cancel the active response and drop its unplayed audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddItem:
    """Add a message to the conversation: said by the caller, or an instruction (`as_caller` False)."""

    item_id: str
    """Our own id. At most 32 characters, which the API enforces."""
    text: str
    as_caller: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveItem:
    """Remove an item from the conversation, so that the model does not see it."""

    item_id: str
    is_foreign: bool = False
    """Somebody else has added it: not us, unless it was another runner that has the call by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOutput:
    """Give the model the output of a tool call."""

    call_id: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchAgent:
    """Hand the session off to another agent; it becomes entirely that agent's.

    `SessionUpdated` reports that the API has accepted it; an `ApiError` about `update_id` that it has not.
    """

    update_id: str
    """Our own id. At most 32 characters."""
    before: Agent
    """The agent before: what it set and the new one does not is reset."""
    agent: Agent
    instructions: str
    servers: tuple[JsonObject, ...] = ()
    """The agent's MCP servers as the API's own objects, ready to send."""
    with_voice: bool
    """The API freezes the voice with the first audio."""
    answers: bool | None = None
    """Whether the API lets the model answer the caller by itself: as the agent declares (True), or not at
    all, since a person leads. None: nobody has changed that.
    """
    is_refresh: bool = False
    """The same agent continues: only its instructions, and who answers the caller, have changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """Answer the API's question whether a tool of an MCP server may run."""

    request_id: str
    approved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCall:
    """Claim the call, and a slot among the calls of `agent`; `ClaimReplied` says whether it is ours.

    The limits are the agent's own; None sets none.
    """

    agent: str
    concurrent_calls: int | None = None
    calls_per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCall:
    """Answer the ringing call with this agent; `AnswerReplied` has the API's reply."""

    agent: Agent
    instructions: str
    servers: tuple[JsonObject, ...] = ()
    """The agent's MCP servers as the API's own objects, ready to send."""
    offer: str | None = None
    """The SDP of a browser, from which the API creates a call; None for a call that rings at the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectCall:
    """Reject the ringing call with this SIP status; `RejectReplied` has the API's reply."""

    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSideband:
    """Attach the sideband, and keep it attached until the call is gone."""

    again: bool = False
    """It was open before, in a process that is gone: an API that does not know the call has ended it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """Send one attempt of a tool's request; `Replied` has the result."""

    call_id: str
    attempt: int
    tool: str
    """Its name, or `LOOKUP`."""
    request: HttpRequest
    is_repeatable: bool = True
    """Whether it may be repeated when its result is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refer:
    """Request a transfer to this `tel:` or `sip:` address; `ReferAnswered` has the API's reply."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """End the call at the API; `CallGone` or `HangUpFailed` has the API's reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTimer:
    """Fire `TimerFired` at this instant, or now if it is past. Replaces a timer of the same name."""

    timer: Timer
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearTimer:
    """Cancel a timer, set or not."""

    timer: Timer


class LogEvent(Enum):
    """The machine's entries in the log. The value is the event's name there."""

    TRANSFER_COMPLETED = "transfer was completed"
    TRANSFER_NOT_COMPLETED = "transfer was not completed"
    AGENT_SWITCHED = "call was handed off"
    HANDOFF_REFUSED = "hand-off was refused"
    WAY_OUT_TAKEN = "model cannot serve the call"
    GUARDRAIL_MATCHED = "guardrail matched"
    TAMPERED = "session was tampered with"
    CALL_ENDING = "call is being ended"
    TOOL_REFUSED = "tool call was refused"
    REPLY_UNUSABLE = "reply could not be used"
    MCP_NOT_READY = "MCP servers are not ready"
    MCP_CALL_ENDED = "MCP call has ended"
    PERSON_ACTED = "person has acted on a call"


class LogLevel(Enum):
    """INFO is normal, WARNING deserves a look, ERROR needs action."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Write to the log. No field is private: no words, arguments, replies or secrets."""

    event: LogEvent
    level: LogLevel = LogLevel.INFO
    fields: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The call is over and its record complete: release everything."""


Action: TypeAlias = (
    ClaimCall
    | AnswerCall
    | RejectCall
    | OpenSideband
    | Speak
    | Interrupt
    | AddItem
    | RemoveItem
    | SwitchAgent
    | Approve
    | SendOutput
    | SendRequest
    | Refer
    | HangUp
    | SetTimer
    | ClearTimer
    | Log
    | Finish
)
