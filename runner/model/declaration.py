"""The parts of a configuration that scenarios use or leave uncovered."""

from dataclasses import dataclass
from enum import Enum

from runner.model.values import Place


class DeclarationKind(Enum):
    """The kinds of such parts."""

    ROUTE = "route"
    REJECT_RULE = "reject rule"
    TOOL = "tool"
    HANDOFF = "hand-off"
    TRANSFER = "transfer"
    LIMIT = "limit"
    GUARDRAIL = "guardrail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A part of a configuration that a scenario can use.

    `name` is that of the tool, the limit or the guardrail, `tool: destination` for a transfer; a route or
    reject rule has none and is known by its place.
    """

    kind: DeclarationKind
    agent: str
    name: str
    place: Place
