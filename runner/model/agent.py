"""An agent: what the YAML of one file declares, checked and compiled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from runner.model.route import Route
from runner.model.template import Template, Templated
from runner.model.tool import Tool
from runner.model.values import JsonObject, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """A sentence for the caller's ear, spoken as near to word for word as the model can."""

    text: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """An instruction for the model, never read out."""

    text: Template


@dataclass(frozen=True, slots=True)
class Wait:
    """The caller is to speak first."""


@dataclass(frozen=True, slots=True)
class ModelOpens:
    """The model opens the call in its own words."""


Greeting: TypeAlias = Say | Tell | Wait | ModelOpens


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What keeps a call within bounds."""

    max_duration_s: float = 3300.0
    """The API ends every session after 60 minutes; the default leaves five to end it ourselves."""


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
    instructions: Template
    vars: Mapping[str, Templated] = field(default_factory=dict)
    greeting: Greeting = field(default_factory=ModelOpens)
    tools: tuple[Tool, ...] = ()
    limits: Limits = field(default_factory=Limits)
    place: Place

    def tool(self, name: str) -> Tool | None:
        """The tool of this name."""
        return next((tool for tool in self.tools if tool.name == name), None)
