"""Reads the parameters of an operation: the model's argument for each, and where and how it is sent."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.call.tools.tool_request import CONNECTION, OURS
from runner.config.openapi.descriptions import shortened
from runner.config.openapi.document import AlreadyNotedError, DocumentPart, Library, UnfitError
from runner.config.openapi.fixed import FixedArguments, FixedValue, only_value
from runner.config.openapi.schema import MOST_DESCRIPTION, SchemaMaker
from runner.config.openapi.value_kinds import ValueKind, holds_objects, kinds
from runner.model.tool import ParameterStyle
from runner.model.values import Json

_NOT_SENT = OURS | CONNECTION | {"accept", "content-type", "authorization"}
"""Headers that are always sent or never; for the last three OpenAPI says that parameters do not set them."""
_PLACES = ("path", "query", "header")
_STYLES = {
    ("form", True): ParameterStyle.NAMES,
    ("form", False): ParameterStyle.COMMAS,
    ("spaceDelimited", True): ParameterStyle.NAMES,
    ("spaceDelimited", False): ParameterStyle.SPACES,
    ("pipeDelimited", True): ParameterStyle.NAMES,
    ("pipeDelimited", False): ParameterStyle.PIPES,
    ("deepObject", True): ParameterStyle.BRACKETS,
    ("deepObject", False): ParameterStyle.BRACKETS,
}
_BEFORE = {"simple": "", "label": ".", "matrix": ";{}="}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.1 and 5.6.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter. `template` renders the argument for the request."""

    name: str
    place: str
    argument: str
    schema: Json
    is_required: bool
    template: str
    style: ParameterStyle | None = None
    """For the query."""
    fixed: FixedValue | None = None
    """The value to send, where the model does not supply one."""


def declared_parameters(library: Library, lists: Iterable[DocumentPart | None]) -> list[DocumentPart]:
    """The parameters of an operation and, before them, those of its path that it does not redeclare."""
    by_place: dict[tuple[str, str], DocumentPart] = {}
    for parts in lists:
        for entry in parts.entries() if parts is not None else ():
            part = library.followed(entry)
            by_place[part.text("in"), part.text("name")] = part
    return sorted(by_place.values(), key=lambda part: part.text("in") != "path")


def read_parameter(
    part: DocumentPart, maker: SchemaMaker, before: Iterable[Parameter], fixed: FixedArguments
) -> Parameter | None:
    """The parameter, or None when it is always sent or never. `before` are the earlier ones.

    Raises UnfitError when it cannot be sent, AlreadyNotedError when its fixed value cannot.
    """
    name, place = part.text("name"), part.text("in")
    if not name or not place:
        raise UnfitError(part, 'a parameter needs "name" and "in"')
    if place == "header" and name.lower() in _NOT_SENT:
        return None
    if place == "cookie":
        raise UnfitError(part, f'the parameter "{name}" travels in a cookie, and tools send no cookies')
    if place == "header" and not _HEADER_NAME.fullmatch(name):
        raise UnfitError(part, f"the parameter {json.dumps(name)} has characters that no header's name has")
    if place not in _PLACES:
        raise UnfitError(part, f'the parameter "{name}" is in "{place}"; write "path", "query" or "header"')
    argument = _argument(name, place, {other.argument: other.place for other in before})
    schema, as_json = _schema(part, name, maker)
    is_required = place == "path" or part.value.get("required") is True
    value = fixed.value((argument, name), schema) or (only_value(schema) if is_required else None)
    if value is not None and value.expression is None and value.text is None and place != "query":
        fixed.refuse((argument, name), f"is sent in the {place}, which takes text; write one template")
        raise AlreadyNotedError
    return Parameter(
        name=name,
        place=place,
        argument=argument,
        schema=_described(schema, part, name, argument),
        is_required=is_required,
        template=_template(part, name, value or _from_model(argument), schema, maker, as_json=as_json),
        style=_query_style(part, name, schema, maker, as_json=as_json) if place == "query" else None,
        fixed=value,
    )


def _from_model(argument: str) -> FixedValue:
    """The model's argument."""
    name = f"args.{argument}" if argument.isidentifier() else f'args["{argument}"]'
    return FixedValue(tree=None, expression=name)


def _argument(name: str, place: str, taken: Mapping[str, str]) -> str:
    """The argument's name: letters, digits, `_` and `-`, and different from all others.

    A second one of a name gets its location as a prefix (`query_id`), or a number where that is taken too.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:64] or place
    if taken.get(plain, place) != place:
        plain = f"{place}_{plain}"
    argument, number = plain, 2
    while argument in taken:
        argument, number = f"{plain}_{number}", number + 1
    return argument


def _schema(part: DocumentPart, name: str, maker: SchemaMaker) -> tuple[Json, bool]:
    """The schema, and whether its values are encoded as JSON."""
    content = part.get("content")
    if content is None:
        schema = part.get("schema")
        return (maker.schema(schema) if schema is not None else {}), False
    media_type, media = next(content.items(), ("nothing", content))
    if not re.match(r"application/(?:[\w.+-]+\+)?json\b", media_type):
        raise UnfitError(
            content, f'the parameter "{name}" is written as "{media_type}"; tools write "application/json"'
        )
    schema = media.get("schema")
    return (maker.schema(schema) if schema is not None else {}), True


def _described(schema: Json, part: DocumentPart, name: str, argument: str) -> Json:
    words = dict(schema) if isinstance(schema, Mapping) else {}
    description = part.text("description") or words.get("description", "")
    if argument != name:
        description = f"`{name}`: {description}" if description else f"`{name}`"
    if description:
        words["description"] = shortened(description, MOST_DESCRIPTION)
    examples = part.get("examples")
    example = next((value.get("value") for _, value in examples.items()), None) if examples else None
    example = part.get("example") or example
    if example is not None and "examples" not in words:
        words["examples"] = [example.value]
    return words


def _template(
    part: DocumentPart, name: str, value: FixedValue, schema: Json, maker: SchemaMaker, *, as_json: bool
) -> str:
    place = part.text("in")
    expression = value.expression
    if place == "query":
        return f"{{{{ {expression} }}}}" if expression is not None else value.text or ""
    style = part.text("style") or "simple"
    if style not in _BEFORE or (place == "header" and style != "simple"):
        raise UnfitError(
            part, f'the parameter "{name}" has the style "{style}", which a {place} does not allow'
        )
    before = _BEFORE[style].format(name)
    if expression is None:
        return f"{before}{value.text}"
    schema_kinds = kinds(schema, maker.definitions)
    if as_json:
        expression = f"{expression} | tojson"
    elif ValueKind.OBJECT in schema_kinds:
        raise UnfitError(part, f'the parameter "{name}" is an object, which cannot be written into a {place}')
    elif ValueKind.LIST in schema_kinds:
        if before:
            raise UnfitError(part, f'the parameter "{name}" is a list in the style "{style}"; write "simple"')
        # An omitted argument stays null, so that no header is sent for it.
        is_one = f"{expression} is string or not {expression}"
        expression = f'{expression} if {is_one} else {expression} | join(",")'
    return f"{before}{{{{ {expression} }}}}"


def _query_style(
    part: DocumentPart, name: str, schema: Json, maker: SchemaMaker, *, as_json: bool
) -> ParameterStyle | None:
    if as_json:
        return ParameterStyle.JSON
    style = part.text("style") or "form"
    explode = part.value.get("explode")
    known_style = _STYLES.get((style, explode is True if isinstance(explode, bool) else style == "form"))
    if known_style is None:
        raise UnfitError(
            part, f'the parameter "{name}" has the style "{style}", which a query does not allow'
        )
    if kinds(schema, maker.definitions) == {ValueKind.SCALAR}:
        return None
    if known_style is not ParameterStyle.BRACKETS and holds_objects(schema, maker.definitions):
        message = (
            f'the parameter "{name}" has objects inside, which the style "{style}" cannot express in a query'
        )
        raise UnfitError(part, message)
    return known_style
