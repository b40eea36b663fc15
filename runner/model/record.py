"""The record of one call: written once, when it is over."""

from dataclasses import dataclass, field

from runner.model.usage import NO_TRANSCRIPTION, NO_USAGE, TranscriptionUsage, Usage
from runner.model.values import Instant, Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Something said, in the order of the conversation. `text` None: there is no transcript."""

    role: str
    """`caller` or `agent`."""
    text: str | None
    """What was said; None without a transcript."""
    at: Instant
    """When it began."""
    heard_ms: int | None = None
    """How much of it the caller heard, if the caller interrupted it."""
    waited_s: float | None = None
    """How long the caller waited for it: from the end of the caller's speech to the first audio. None if it
    is not a reply.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time in which somebody was heard: `caller`, `agent`, or `person`, whose sentence the agent said. In
    JSON `since` and `until` are `from` and `to`.
    """

    who: str
    """`caller`, `agent` or `person`."""
    since: Instant
    """When it began."""
    until: Instant | None = None
    """None if its end was never reported."""
    interrupted: bool = False
    """Whether the caller spoke over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of a tool's request. `took_s` None: its end is unknown."""

    at: Instant
    took_s: float | None = None
    http_status: int | None = None
    error: str | None = None
    """Why there was no reply, in one word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """One tool call. `status` is `ok`, `error`, `refused` (nothing was sent) or `unfinished`, and for a
    transfer `completed` or `not_completed`.
    """

    name: str
    call_id: str
    """The API's id of the call."""
    arguments: Json
    """The arguments as the model gave them."""
    started_at: Instant
    """When the model called it."""
    took_s: float | None
    """Its duration; None if it has not ended."""
    status: str
    """`ok`, `error`, `refused`, `unfinished`, `completed` or `not_completed`."""
    http_status: int | None = None
    """The status of the last reply."""
    attempts: int = 0
    """The number of requests sent."""
    tries: tuple[Attempt, ...] = ()
    """The attempts."""
    error: str | None = None
    """Why it failed or was refused."""
    reply: Json = None
    """The output for the model; None if there was none, or if it is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff:
    """Another agent serves the call from here on."""

    agent: str
    """The agent that the call was handed off to."""
    because: str
    """The cause: the tool, the guardrail, or a person."""
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A person's act on the call, carried out or not. `what` is the act's name (`say`, `transfer`,
    `take-over`, …), `given` its fields; `result` is a value of `runner.model.steering.DeedResult`.
    """

    id: str
    by: str
    """The name of the person's token."""
    what: str
    """The act: `say`, `transfer`, `take-over`, …"""
    given: JsonObject
    """The fields of the act."""
    at: Instant
    result: str
    """Its result."""
    detail: str = ""
    """Why it was refused or failed, as a sentence."""
    settled_at: Instant | None = None
    """When its result became known; None while it waits."""


ENDS = (
    "caller_hung_up",
    "hangup",
    "transferred",
    "max_duration",
    "max_cost",
    "max_tool_calls",
    "silence",
    "ghost",
    "guardrail",
    "person",
    "model_failed",
    "session_expired",
    "tampered",
    "failed",
    "lost",
    "shutdown",
)
"""Every reason for which a call ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """Who called, who answered and why, what was said and done, what it cost, why it ended."""

    id: str
    """The API's id of the call."""
    agent: str
    """The agent that answered."""
    route: str | None
    """The place of the route that matched, `file:line:col`; None for `otherwise`."""
    why: str
    """Why this agent answered, as a sentence."""
    caller: str | None
    """The number or address of the caller."""
    called: str | None
    """The number or address that was dialled."""
    transport: str
    """`sip` or `webrtc`."""
    created_at: Instant
    """When the call began to ring."""
    accepted_at: Instant | None = None
    """When the API answered the call."""
    attached_at: Instant | None = None
    """When the sideband was first opened."""
    ended_at: Instant | None = None
    """When the call ended at the API; None while it lasts."""
    ended: str = ""
    """The reason for its end, in one word: `caller_hung_up`, `hangup`, `transferred`, `max_duration`,
    `failed`, …
    """
    detail: str = ""
    """More about the end, as a sentence."""
    turns: tuple[Turn, ...] = ()
    """What was said, in the order of the conversation."""
    tools: tuple[ToolUse, ...] = ()
    """The tool calls, in order."""
    handoffs: tuple[Handoff, ...] = ()
    """The hand-offs, in order."""
    deeds: tuple[Deed, ...] = ()
    """The acts of people on the call, refused ones included."""
    spans: tuple[Span, ...] = ()
    """Who was heard when, ordered by the beginnings."""
    lookup_s: float | None = None
    """The duration of the lookup, successful or not; None for an agent without one."""
    headers: JsonObject = field(default_factory=dict)
    """The SIP headers of the call that any route or reject rule looks at, by name."""
    busy: JsonObject = field(default_factory=dict)
    """The agents that could not take the call, each with the limit reached:
    `{"front-desk": {"concurrent_calls": 50}}`."""
    faults: tuple[str, ...] = ()
    """What did not work as declared, each as a sentence: a template that failed, a late lookup."""
    model: str = ""
    """The model as the agent names it."""
    served_by: str | None = None
    """The model as the API names it: what is behind an alias or a deployment. None when it did not say."""
    usage: Usage = NO_USAGE
    """The tokens that the model used."""
    transcription: TranscriptionUsage = NO_TRANSCRIPTION
    """What transcribing the caller used."""
    cost_usd: float | None = None
    """Of everything that the API has reported; None when the price of something in it is unknown."""
    complaints: int = 0
    """Error events of the API during the call."""
    unknown_events: int = 0
    """Events of the API that are not known here."""
    malformed_events: int = 0
    """Events of the API that could not be read."""
