"""What the session machine wants done. The shell does it; nothing here knows how."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from runner.model.agent import Agent
from runner.model.http import HttpRequest
from runner.model.values import Instant, JsonObject


class TimerKind(Enum):
    """What a timer is for."""

    __hash__ = object.__hash__
    """By identity, which Python's own hash of a member is not: tables are asked for one at each event."""

    LOOKUP = "lookup"
    """The caller has heard ringing for long enough: the call is answered with the lookup's default."""
    LOOKUP_RETRY = "lookup_retry"
    """The next attempt of the lookup is due."""
    HANG_UP_AGAIN = "hang_up_again"
    """The API took no hang-up; it is tried once more."""
    MAX_DURATION = "max_duration"
    CONNECTED = "connected"
    """A browser that has not said by now that it hears us is greeted all the same."""
    FLOOR = "floor"
    """Something that should follow on the floor (see `runner.call.machine.floor`) has not come."""
    HEARD = "heard"
    """A sentence was made and nobody said that it was heard. The key is its response's id."""
    SAYING_GOODBYE = "parting"
    """The goodbye, or the sentence before a transfer, takes too long: the call leaves without it."""
    MODEL_RETRY = "model_retry"
    """The API takes no more responses just now; what failed for that is asked for once more."""
    HANDOFF = "handoff"
    """The API has not refused the change of the session: the other agent has taken over."""
    RETRY = "retry"
    """The next attempt of a tool's request is due. The key is the tool call's id."""
    TRANSFER = "transfer"
    """The call should have left by now."""
    WIND_DOWN = "wind_down"
    SILENCE = "silence"
    """Nobody has said anything for the time that the agent allows."""
    STALL = "stall"
    """The agent should have said something by now."""
    GHOST = "ghost"
    """The call should have shown a sign of life by now."""
    KEYS = "keys"
    """No further key was pressed: the entry is complete."""
    MCP = "mcp"
    """The MCP servers should have told their tools by now."""
    LEAD = "lead"
    """A person's lease on the call runs out: the agent leads it again."""
    REFRESH = "refresh"
    """The API has not refused what a person has changed of the session: it counts as taken."""
    WAITING = "waiting"
    """A sentence for the time that a tool takes is due. The key is the call's id and the step."""


@dataclass(frozen=True, slots=True)
class Timer:
    """The name of a timer. `key` tells several of one kind apart, e.g. a tool call's id."""

    kind: TimerKind
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speak:
    """Ask the model to speak: a sentence (`say`), an instruction (`tell`), or just to go on."""

    wish: str
    """Comes back with the response, so that it can be told from the API's own. At most 32 characters."""
    say: str | None = None
    tell: str | None = None


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Stop the response that is being made, and what the caller would still hear of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddItem:
    """Put a message into the conversation: said by the caller, or an instruction (`as_caller` False)."""

    item_id: str
    """Ours. At most 32 characters, which the API enforces."""
    text: str
    as_caller: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveItem:
    """Take an item out of the conversation, which the model then does not know."""

    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOutput:
    """Give the model the output of a tool call."""

    call_id: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchAgent:
    """Let another agent take over the session, which becomes the other agent's whole.

    `SessionUpdated` says that the API has taken it; an `ApiError` about `update_id` that it has not.
    """

    update_id: str
    """Ours. At most 32 characters."""
    before: Agent
    """Whose session it was: what that agent set and this one does not is set back."""
    agent: Agent
    instructions: str
    servers: tuple[JsonObject, ...] = ()
    """The agent's MCP servers as the API's own objects, ready to send."""
    with_voice: bool
    """The API freezes the voice with the first audio."""
    answers: bool | None = None
    """Whether the API lets the model answer the caller by itself: as the agent declares (True), or not at
    all, since a person leads. None: nobody has changed that."""
    is_refresh: bool = False
    """The same agent serves on: nothing but its instructions, and who answers the caller, has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """Answer the API's question whether a tool of an MCP server may run."""

    request_id: str
    approved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCall:
    """Claim the call, and a slot among the calls of `agent`; `ClaimReplied` tells whether it is ours.

    The limits are the agent's own; None sets none.
    """

    agent: str
    concurrent_calls: int | None = None
    calls_per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCall:
    """Answer the ringing call with this agent; `AnswerReplied` tells what the API said."""

    agent: Agent
    instructions: str
    servers: tuple[JsonObject, ...] = ()
    """The agent's MCP servers as the API's own objects, ready to send."""
    offer: str | None = None
    """The SDP of a browser, which the API makes a call of; None for a call that rings at the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectCall:
    """Turn the ringing call away with this SIP status; `RejectReplied` tells what the API said."""

    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSideband:
    """Attach the sideband, and keep it attached until the call is gone."""

    again: bool = False
    """It was open before, in a process that is gone: an API that does not know the call has ended it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """Send one attempt of a tool's request; `Replied` tells what came of it."""

    call_id: str
    attempt: int
    tool: str
    request: HttpRequest
    is_repeatable: bool = True
    """Whether it may be sent once more when nobody knows what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refer:
    """Ask for a transfer to this `tel:` or `sip:` address; `ReferAnswered` tells what the API said."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """End the call at the API; `CallGone` or `HangUpFailed` tells what the API said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTimer:
    """Fire `TimerFired` at this instant, or now if it is past; a timer of the same name is replaced."""

    timer: Timer
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearTimer:
    """Forget a timer, set or not."""

    timer: Timer


class LogEvent(Enum):
    """What the machine tells the log. The value is the event's name there."""

    TRANSFER_COMPLETED = "transfer was completed"
    TRANSFER_NOT_COMPLETED = "transfer was not completed"
    AGENT_SWITCHED = "another agent has taken over"
    HANDOFF_REFUSED = "hand-off was refused"
    WAY_OUT_TAKEN = "model cannot serve the call"
    GUARDRAIL_MATCHED = "guardrail matched"
    TAMPERED = "session was tampered with"
    CALL_ENDING = "call is being ended"
    PERSON_ACTED = "person has acted on a call"


class LogLevel(Enum):
    """INFO is normal, WARNING wants a look, ERROR wants a hand."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Tell the log. Nothing private is among the fields: no words, arguments, replies or secrets."""

    event: LogEvent
    level: LogLevel = LogLevel.INFO
    fields: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The call is over and its record complete: let go of everything."""


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
