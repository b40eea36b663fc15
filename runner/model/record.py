"""The record of one call: written once, when it is over."""

from dataclasses import dataclass, field

from runner.model.usage import NO_TRANSCRIPTION, NO_USAGE, TranscriptionUsage, Usage
from runner.model.values import Instant, Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Something said, in the order of the conversation. `text` None: there is no transcript."""

    role: str
    text: str | None
    at: Instant
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
    since: Instant
    until: Instant | None = None
    """None where its end was never reported."""
    interrupted: bool = False


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
    arguments: Json
    started_at: Instant
    took_s: float | None
    status: str
    http_status: int | None = None
    attempts: int = 0
    tries: tuple[Attempt, ...] = ()
    """Each of the attempts."""
    error: str | None = None
    reply: Json = None
    """The output for the model; None where there was none, or where it is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff:
    """Another agent took over."""

    agent: str
    because: str
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A person's act on the call, carried out or not.

    `what` is the act's name (`say`, `transfer`, `take-over`, …), `given` its fields; `result` is a value of
    `runner.model.steering.DeedResult`.
    """

    id: str
    by: str
    what: str
    given: JsonObject
    at: Instant
    result: str
    detail: str = ""
    """Why it was refused or failed, as a sentence."""
    settled_at: Instant | None = None
    """When its result became known; None while it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """Who called, who answered and why, what was said and done, what it cost, why it ended."""

    id: str
    agent: str
    route: str | None
    """The place of the route that won, `file:line:col`, or None when `otherwise` chose."""
    why: str
    """One sentence: why this agent answered."""
    caller: str | None
    called: str | None
    transport: str
    created_at: Instant
    accepted_at: Instant | None = None
    attached_at: Instant | None = None
    ended_at: Instant | None = None
    ended: str = ""
    """Why it ended, in one word: `caller_hung_up`, `hangup`, `transferred`, `max_duration`, `failed`, …"""
    detail: str = ""
    turns: tuple[Turn, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    handoffs: tuple[Handoff, ...] = ()
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
    served_by: str | None = None
    """The model as the API names it: what is behind an alias or a deployment. None when it did not say."""
    usage: Usage = NO_USAGE
    transcription: TranscriptionUsage = NO_TRANSCRIPTION
    cost_usd: float | None = None
    """Of everything that the API has reported; None when the price of something in it is unknown."""
    complaints: int = 0
    """Error events of the API during the call."""
    unknown_events: int = 0
    malformed_events: int = 0
