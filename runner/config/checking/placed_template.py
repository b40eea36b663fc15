"""A template with the text that it was read from, so that what is wrong with it gets its place."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.config.node import Node
from runner.model.values import Place

if TYPE_CHECKING:
    from runner.call.templates.template import CompiledTemplate
    from runner.config.checking.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedTemplate:
    """One template of an agent, and what exists for it."""

    template: "CompiledTemplate"
    node: Node
    scope: "Scope"

    def place_of_line(self, line: int) -> Place:
        """Where a line of the template begins, from its first character that is not blank."""
        text = self.template.source.split("\n")[line - 1]
        return self.node.place_in(line, len(text) - len(text.lstrip()) + 1)
