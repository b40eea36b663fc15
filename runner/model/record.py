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
    """How much of it the caller has heard, when the caller interrupted it."""
    waited_s: float | None = None
    """How long the caller waited for it: from their last word to its first sound. None where it answers
    nothing.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time in which somebody was heard: `caller`, `agent`, or `person`, whose sentence the agent said.

    In JSON `since` and `until` are `from` and `to`.
    """

    who: str
    """`caller`, `agent` or `person`."""
    since: Instant
    """When it began."""
    until: Instant | None = None
    """None where its end was never reported."""
    interrupted: bool = False
    """Whether the caller spoke over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of a tool's request. `took_s` None: its end is unknown."""

    at: Instant
    took_s: float | None = None
    http_status: int | None = None
    error: str | None = None
    """Why there was no reply, in a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """One tool call.

    `status` is `ok`, `error`, `refused` (nothing was sent) or `unfinished`, and for a transfer `completed`
    or `not_completed`.
    """

    name: str
    call_id: str
    """The API's id of the call."""
    arguments: Json
    """As the model gave them."""
    started_at: Instant
    """When the model had called it."""
    took_s: float | None
    """How long it took; None where it has not ended."""
    status: str
    """`ok`, `error`, `refused`, `unfinished`, `completed` or `not_completed`."""
    http_status: int | None = None
    """The status of the last reply."""
    attempts: int = 0
    """How often the request was sent."""
    tries: tuple[Attempt, ...] = ()
    """Each of the attempts."""
    error: str | None = None
    """Why it failed or was refused."""
    reply: Json = None
    """The output for the model; None where there was none, or where it is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff:
    """Another agent took over."""

    agent: str
    """Who took over."""
    because: str
    """What led to it: the tool, the guardrail, or a person."""
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A person's act on the call, carried out or not.

    `what` is the act's name (`say`, `transfer`, `take-over`, …), `given` its fields; `result` is a value of
    `runner.model.steering.DeedResult`.
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
    """What became of it."""
    detail: str = ""
    """Why it was refused or failed, as a sentence."""
    settled_at: Instant | None = None
    """When its result became known; None while it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """Who called, who answered and why, what was said and done, what it cost, why it ended."""

    id: str
    """The API's id of the call."""
    agent: str
    """Who answered."""
    route: str | None
    """The place of the route that won, `file:line:col`, or None when `otherwise` chose."""
    why: str
    """One sentence: why this agent answered."""
    caller: str | None
    """The number or address of the caller."""
    called: str | None
    """The number or address that was dialled."""
    transport: str
    """`sip` or `webrtc`."""
    created_at: Instant
    """When it rang."""
    accepted_at: Instant | None = None
    """When the API had answered it."""
    attached_at: Instant | None = None
    """When the sideband was first open."""
    ended_at: Instant | None = None
    """When the API knew it no more; None while it goes on."""
    ended: str = ""
    """Why it ended, in one word: `caller_hung_up`, `hangup`, `transferred`, `max_duration`, `failed`, …"""
    detail: str = ""
    """More about the end, as a sentence."""
    turns: tuple[Turn, ...] = ()
    """What was said, in the order of the conversation."""
    tools: tuple[ToolUse, ...] = ()
    """The tool calls, in their order."""
    handoffs: tuple[Handoff, ...] = ()
    """The agents that took over."""
    deeds: tuple[Deed, ...] = ()
    """The acts of people on the call, refused ones included."""
    spans: tuple[Span, ...] = ()
    """Who was heard when, in the order of the beginnings."""
    lookup_s: float | None = None
    """How long the lookup took, answered or not; None for an agent without one."""
    headers: JsonObject = field(default_factory=dict)
    """Those of the call's SIP headers that any route or reject rule has a condition for, by name."""
    busy: JsonObject = field(default_factory=dict)
    """The agents that had no room for the call, each with the limit that it had reached:
    `{"front-desk": {"concurrent_calls": 50}}`."""
    faults: tuple[str, ...] = ()
    """What could not be done as declared, each as a sentence: a template that failed, a late lookup."""
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
