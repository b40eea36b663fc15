"""The request body of an operation: the arguments that make it up, and how they are sent."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from runner.call.templates.template import compile_template
from runner.config.openapi.descriptions import shortened
from runner.config.openapi.document import DocumentPart, Library, UnfitError
from runner.config.openapi.schema import MOST_DESCRIPTION, SchemaMaker
from runner.config.openapi.value_kinds import ValueKind, kinds
from runner.model.tool import Body, BodyKind, Style
from runner.model.values import Json, JsonObject

_MEDIA_TYPES = (
    (BodyKind.JSON, re.compile(r"application/json\b(?!\+)")),
    (BodyKind.JSON, re.compile(r"(?:application|text)/(?:[\w.-]+\+)?json\b|\*/\*|application/\*")),
    (BodyKind.FORM, re.compile(r"application/x-www-form-urlencoded\b")),
    (BodyKind.TEXT, re.compile(r"text/plain\b|text/\*")),
)
"""What can be sent, the best first."""
_SPREAD = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "unevaluatedProperties"),
        *("dependentRequired", "minProperties", "maxProperties"),
        *("title", "description", "default", "examples", "deprecated", "readOnly"),
    }
)
"""Words of an object whose properties can stand among other arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBody:
    """A body, and the arguments for it."""

    body: Body
    content_type: str | None = None
    """Where it is another than that of every such body."""
    arguments: JsonObject
    required: tuple[str, ...] = ()
    others: Json = False
    """The schema of arguments that are not named."""
    words: JsonObject = field(default_factory=dict)
    """What else is said of the arguments together."""


def read_body(
    part: DocumentPart, library: Library, maker: SchemaMaker, taken: Collection[str]
) -> RequestBody:
    """The body. `taken` are the arguments that travel elsewhere.

    The properties of an object become arguments of their own. What is no object, says more of its
    properties than what each of them is, or has one that is called as a parameter is, becomes one argument,
    `body`. Raises UnfitError when no such body can be sent.
    """
    content = part.get("content")
    kind, media_type, media = _media(content if content is not None else part)
    is_required = part.value.get("required") is True
    schema_part = media.get("schema")
    schema = _schema(schema_part, library, maker)
    content_type = media_type if _is_special(kind, media_type) else None
    if kind is not BodyKind.TEXT and _can_spread(schema, taken):
        styles = dict(_styles(media, schema["properties"], maker)) if kind is BodyKind.FORM else {}
        return RequestBody(
            body=Body(
                kind=kind,
                is_arguments=True,
                apart=frozenset(taken),
                is_optional=not is_required,
                styles=styles,
            ),
            content_type=content_type,
            arguments=schema["properties"],
            required=tuple(schema.get("required", ())),
            others=schema.get("additionalProperties", False),
            words={key: schema[key] for key in ("dependentRequired",) if key in schema},
        )
    if (
        isinstance(schema, Mapping)
        and schema.get("properties") == {}
        and not schema.get("additionalProperties")
    ):
        # An object with nothing in it: there is nothing that the model could say.
        return RequestBody(body=Body(kind=kind, content={}, is_optional=not is_required), arguments={})
    name = "body" if "body" not in taken else "request_body"
    if kind is BodyKind.TEXT:
        schema = {"type": "string", **(schema if isinstance(schema, Mapping) else {})}
    description = part.text("description")
    if isinstance(schema, Mapping) and description and "description" not in schema:
        schema = {**schema, "description": shortened(description, MOST_DESCRIPTION)}
    body = Body(kind=kind, content=compile_template(f"{{{{ args.{name} }}}}"), is_optional=not is_required)
    return RequestBody(
        body=body,
        content_type=content_type,
        arguments={name: schema},
        required=(name,) if is_required else (),
    )


def _media(content: DocumentPart) -> tuple[BodyKind, str, DocumentPart]:
    for kind, pattern in _MEDIA_TYPES:
        for media_type, media in content.items():
            if pattern.match(media_type):
                return kind, media_type, media
    there = ", ".join(f'"{media_type}"' for media_type, _ in content.items()) or "of no type"
    raise UnfitError(content, f"the body is {there}; tools send JSON, forms and plain text")


def _is_special(kind: BodyKind, media_type: str) -> bool:
    """Whether the body's type has to be named, e.g. `application/merge-patch+json`."""
    return kind is BodyKind.JSON and "+json" in media_type


def _schema(part: DocumentPart | None, library: Library, maker: SchemaMaker) -> Json:
    if part is None:
        return {}
    is_reference = isinstance(part.value, Mapping) and set(part.value) == {"$ref"}
    schema = maker.schema(library.followed(part) if is_reference else part)
    if not isinstance(schema, Mapping):
        return {}
    # "one of these names is required" is told by the endpoint; no single argument can say it.
    return {
        key: value
        for key, value in schema.items()
        if key not in ("anyOf", "oneOf") or any(set(branch) != {"required"} for branch in value)
    }


def _can_spread(schema: JsonObject, taken: Collection[str]) -> bool:
    properties: JsonObject = schema.get("properties") or {}
    kind = schema.get("type", "object")
    return (
        len(properties) > 0
        and "object" in (kind if isinstance(kind, list) else [kind])
        and set(schema) <= _SPREAD
        and not any(name in taken for name in properties)
    )


def _styles(media: DocumentPart, properties: JsonObject, maker: SchemaMaker) -> Iterator[tuple[str, Style]]:
    """How lists and objects are written into a form (OpenAPI 3.1, 4.8.15.1)."""
    encoding = media.get("encoding")
    for name, schema in properties.items():
        found = kinds(schema, maker.definitions)
        if found == {ValueKind.SCALAR}:
            continue
        said = encoding.get(name) if encoding is not None else None
        style = said.text("style") if said is not None else ""
        explode = said.value.get("explode") if said is not None else None
        is_json = said is not None and "json" in said.text("contentType")
        if style == "deepObject":
            yield name, Style.BRACKETS
        elif is_json or (not style and ValueKind.OBJECT in found):
            yield name, Style.JSON
        elif explode is False:
            yield (
                name,
                {"spaceDelimited": Style.SPACES, "pipeDelimited": Style.PIPES}.get(style, Style.COMMAS),
            )
        else:
            yield name, Style.NAMES
