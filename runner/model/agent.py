"""An agent: what the YAML of one file declares, checked and compiled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from runner.model.call import Role
from runner.model.route import Otherwise, Reject, Route
from runner.model.template import Template, Templated
from runner.model.tool import HttpBinding, McpServer, Tool
from runner.model.values import Json, JsonObject, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """A sentence for the caller, spoken as nearly word for word as the model can."""

    text: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """An instruction for the model, never read out."""

    text: Template


@dataclass(frozen=True, slots=True)
class Wait:
    """The caller speaks first."""


@dataclass(frozen=True, slots=True)
class ModelOpens:
    """The model opens the call in its own words."""


Greeting: TypeAlias = Say | Tell | Wait | ModelOpens


BUSY_HERE = 486
"""SIP "Busy Here": the default for callers over an agent's limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A request that is made before the call is answered; its JSON answer is `lookup` in every template."""

    http: HttpBinding
    timeout_s: float = 1.5
    """For all attempts together: the caller hears ringing meanwhile."""
    default: Json = None
    """The answer when none comes in time, or none that is JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindDown:
    """An instruction for the model some time before the longest duration is reached."""

    before_s: float
    tell: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What to do when the caller is silent: ask `times` times, then hang up."""

    after_s: float
    say: Template
    times: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a call, and of an agent's calls together. None sets no bound."""

    max_duration_s: float = 3300.0
    """The default is shorter than the longest session of any voice API."""
    wind_down: WindDown | None = None
    silence: Silence | None = None
    max_cost_usd: float | None = None
    max_tool_calls: int | None = None
    concurrent_calls: int | None = None
    calls_per_day: int | None = None
    """Counted from midnight UTC."""
    ghost_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """How keys pressed on the telephone become one entry."""

    until: str | None = None
    """The key that ends an entry; it is not part of it."""
    timeout_s: float = 5.0
    """An entry ends this long after its last key."""
    max_keys: int | None = None
    private: bool = False
    """Neither log nor record holds the keys."""


class Then(Enum):
    """What a guardrail does when its pattern is found."""

    CANCEL = "cancel"
    """Interrupt the agent in mid-sentence."""
    SAY = "say"
    HANGUP = "hangup"
    HANDOFF = "handoff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """A pattern (RE2) over what the agent or the caller says."""

    name: str
    on: Role
    pattern: str
    then: Then
    say: Template | None = None
    handoff: str | None = None
    """The agent that the call is handed off to, with `Then.HANDOFF`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IfBroken:
    """The way out when the model has failed twice in a row: a transfer, or a sentence and the end."""

    transfer: Template | None = None
    say: Template | None = None
    takes_leave: bool = False
    """Without a sentence the model says goodbye in its own words, instead of an end at once."""


class Sensitive(Enum):
    """Recognised by form, in any text. `runner.call.records.redaction` says how."""

    PAYMENT_CARD = "payment_card"
    SSN = "ssn"
    PHONE = "phone"
    EMAIL = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is kept of a call, and which parts of that are masked before anybody sees it."""

    transcript: bool = True
    kinds: frozenset[Sensitive] = frozenset()
    arguments: tuple[tuple[str, ...], ...] = ()
    """Paths into the arguments of any tool."""
    results: tuple[tuple[str, ...], ...] = ()
    """Paths into the JSON replies of any tool."""
    country: str | None = None
    """The country of telephone numbers without a country code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeQuestion:
    """The question to a text model about a call that is over."""

    model: str
    schema: JsonObject
    """The answer as a JSON Schema (2020-12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent, complete."""

    id: str
    description: str = ""
    routes: tuple[Route, ...] = ()
    model: str
    voice: str | None = None
    session: JsonObject = field(default_factory=dict)
    """Further fields of the API's session object, under the API's own names."""
    transcription_model: str | None = None
    """The model that transcribes the caller, as `session` says; None without transcription."""
    instructions: Template
    vars: Mapping[str, Templated] = field(default_factory=dict)
    greeting: Greeting = field(default_factory=ModelOpens)
    lookup: Lookup | None = None
    tools: tuple[Tool, ...] = ()
    mcp: tuple[McpServer, ...] = ()
    limits: Limits = field(default_factory=Limits)
    busy: Otherwise = field(default_factory=lambda: Reject(status=BUSY_HERE))
    """What happens to calls over `limits.concurrent_calls` or `limits.calls_per_day`."""
    keys: Keys | None = None
    guardrails: tuple[Guardrail, ...] = ()
    if_broken: IfBroken = field(default_factory=IfBroken)
    outcome: OutcomeQuestion | None = None
    on_end: tuple[HttpBinding, ...] = ()
    """Where the record is delivered. A request without a body of its own carries the record."""
    record: Recording = field(default_factory=Recording)
    place: Place

    @property
    def hands_to(self) -> tuple[str, ...]:
        """The agents to which this one may hand a call, by a tool or a guardrail."""
        by_tool = [tool.binding.hands_to for tool in self.tools]
        by_guardrail = [guardrail.handoff for guardrail in self.guardrails]
        return tuple(agent for agent in (*by_tool, *by_guardrail) if agent is not None)

    def tool(self, name: str) -> Tool | None:
        """The tool of this name."""
        return next((tool for tool in self.tools if tool.name == name), None)
