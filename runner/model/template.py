"""The Protocol of compiled templates. `runner.call.templates.template` makes them."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from runner.model.values import Json, JsonObject


class Template(Protocol):
    """Text with expressions in it, compiled once when the configuration is loaded."""

    @property
    def source(self) -> str:
        """The text as the user wrote it."""

    def value(self, names: JsonObject) -> Json:
        """The result; a template that is one whole expression keeps the expression's type."""

    def text(self, names: JsonObject) -> str:
        """The result as text; null becomes the empty string."""


Templated: TypeAlias = "Template | bool | int | float | Sequence[Templated] | Mapping[str, Templated] | None"
"""A JSON value whose strings are templates."""
