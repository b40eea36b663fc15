"""What a configuration declares, and scenarios use or leave untouched."""

from dataclasses import dataclass
from enum import Enum

from runner.model.values import Place


class DeclarationKind(Enum):
    """What can be declared, and used by a scenario or not."""

    ROUTE = "route"
    REJECT_RULE = "reject rule"
    TOOL = "tool"
    HANDOFF = "hand-off"
    TRANSFER = "transfer"
    LIMIT = "limit"
    GUARDRAIL = "guardrail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One thing that a configuration declares and a scenario can use.

    `name` is the tool's, the limit's or the guardrail's, `tool: destination` of a transfer; a route or
    reject rule has none and is known by its place.
    """

    kind: DeclarationKind
    agent: str
    name: str
    place: Place
