"""Templates: text with Jinja2 expressions in it, compiled once at load, rendered over plain data.

What a user meets, beside Jinja's own documentation:

- A template that is one whole expression keeps its type; anything else becomes text. In text a null is
  empty, booleans are `true` and `false`, lists and mappings are JSON.
- Null and what does not exist are one: an attribute of either is null again, `default` fills both,
  a loop over either goes round no times.
- `a.b` is the key "b" of a mapping and nothing else: data has no methods, so `args.items` is the argument
  "items" and `name.upper()` is written `name | upper`.
- Where data and expression do not go together (a division by zero, text compared with a number) the whole
  rendering fails with TemplateFailure. Its callers make an error for the model of it.

Data is never template text: a value with `{{` in it stays as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runner.errors import TemplateError, TemplateFailure
from runner.model.template import Templated
from runner.model.values import Json, JsonObject

if TYPE_CHECKING:
    from runner.call.templates.program import Program
    from runner.call.templates.references import Reference

__all__ = ["CompiledTemplate", "TemplateError", "TemplateFailure", "compile_template", "constant", "render"]

_MARKS = ("{{", "{%", "{#")
_MOST_KEPT = 4096
"""Many agents write the same `{{ args.day }}`: it is compiled once."""


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template, ready to render. Two with the same source are equal."""

    source: str
    program: "Program | None" = field(compare=False, repr=False)
    """None for text without expressions."""

    @property
    def references(self) -> "tuple[Reference, ...]":
        """The names in it."""
        return () if self.program is None else self.program.references

    @property
    def is_sure(self) -> bool:
        """Whether it renders with any data. False when in doubt."""
        return self.program is None or self.program.is_sure

    @property
    def is_whole(self) -> bool:
        """Whether it is a single expression, whose type is kept."""
        return self.program is not None and self.program.is_whole

    @property
    def outputs(self) -> "tuple[Reference, ...]":
        """The names whose values can become part of the result, and not only choose between others."""
        if self.program is None:
            return ()
        from runner.call.templates.filters import text  # noqa: PLC0415 - Jinja is loaded for expressions only
        from runner.call.templates.program import parts_of_result  # noqa: PLC0415 - as above

        return parts_of_result(self.source, text)

    def value(self, names: JsonObject) -> Json:
        """The result; a template that is one whole expression keeps the expression's type.

        Raises TemplateFailure when the data and an expression do not go together.
        """
        if self.program is None:
            return self.source
        try:
            return self.program.run(names)
        except TemplateFailure as failure:
            raise TemplateFailure(failure.reason, source=self.source, line=failure.line) from None

    def text(self, names: JsonObject) -> str:
        """The result as text; null becomes the empty string. Raises TemplateFailure as `value` does."""
        if self.program is None:
            return self.source
        value = self.value(names)
        return value if isinstance(value, str) else as_text(value)


def as_text(value: Json) -> str:
    """A value as a template writes it into text."""
    from runner.call.templates.filters import text  # noqa: PLC0415 - Jinja is loaded for templates with expressions only

    return text(value)


@lru_cache(maxsize=_MOST_KEPT)
def compile_template(source: str) -> CompiledTemplate:
    """Compile a text of the configuration. Raises TemplateError, with the place in the source."""
    if not has_expressions(source):
        return CompiledTemplate(source, None)
    from runner.call.templates.filters import text  # noqa: PLC0415 - as above
    from runner.call.templates.program import Program  # noqa: PLC0415 - as above

    return CompiledTemplate(source, Program(source, text, typed=True))


def templates_in(tree: Any) -> Iterator[CompiledTemplate]:
    """Every template in a JSON value whose strings are templates."""
    if isinstance(tree, CompiledTemplate):
        yield tree
    elif isinstance(tree, Mapping | list):
        for entry in tree.values() if isinstance(tree, Mapping) else tree:
            yield from templates_in(entry)


def has_expressions(source: str) -> bool:
    """Whether a text contains expressions."""
    return any(mark in source for mark in _MARKS)


def constant(text: str) -> CompiledTemplate:
    """A text that is not a template, whatever it contains."""
    return CompiledTemplate(text, None)


def render(tree: Templated, names: JsonObject) -> Json:
    """A JSON value with each of its templates rendered. Raises TemplateFailure as the templates do."""
    if tree is None or isinstance(tree, (bool, int, float)):
        return tree
    if isinstance(tree, Mapping):
        return {key: render(entry, names) for key, entry in tree.items()}
    if isinstance(tree, Sequence):
        return [render(entry, names) for entry in tree]
    return tree.value(names)
