"""Warns of arguments that a tool asks the model for, and that its request does not use."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache

from runner.call.templates.template import CompiledTemplate
from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.tool import HttpBinding, Tool


def check_arguments_used(tool: Tool, parameters: Node, problems: Problems) -> None:
    """Note each property of `parameters` that the tool's request leaves out.

    A request without a body of its own carries all arguments.
    """
    binding, properties = tool.binding, parameters.get("properties")
    if properties is None or not isinstance(binding, HttpBinding):
        return
    if binding.body is not None and binding.body.is_arguments:
        return
    # Every template of the tool can use arguments; its schema, by far the largest part, has none.
    parts = [getattr(tool, name) for name in _field_names(Tool) if name != "parameters"]
    paths = {reference.path for template in _templates(parts) for reference in template.references}
    if ("args",) in paths:
        return
    used = {path[1] for path in paths if path[0] == "args"}
    if not used <= set(properties.key_places):
        return  # one is mistyped, which is reported already, and is probably one of those that look unused
    for name in properties.key_places:
        if name not in used:
            message = (
                f'the model is asked for "{name}", and the request does not use it; '
                f'write "{{{{ args.{name} }}}}" in it, or leave "{name}" out of "parameters"'
            )
            problems.warning(properties.key_place(name), "unused-argument", message)


def _templates(parts: Iterable[object]) -> Iterator[CompiledTemplate]:
    """Every template in the parts of a tool, at any depth."""
    left = [*parts]
    while left:
        value = left.pop()
        if value is None or isinstance(value, str | float | Enum):
            continue
        if isinstance(value, CompiledTemplate):
            yield value
        elif isinstance(value, Mapping):
            left += value.values()
        elif isinstance(value, list | tuple):
            left += value
        elif is_dataclass(value) and not isinstance(value, type):
            left += [getattr(value, name) for name in _field_names(type(value))]


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
