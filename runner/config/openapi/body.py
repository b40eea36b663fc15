"""Reads the request body of an operation: its arguments, and how they are sent."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runner.call.templates.template import compile_template
from runner.config.openapi.descriptions import shortened
from runner.config.openapi.document import DocumentPart, Library, UnfitError
from runner.config.openapi.fixed import FixedArguments, only_value
from runner.config.openapi.schema import MOST_DESCRIPTION, SchemaMaker
from runner.config.openapi.value_kinds import ValueKind, kinds
from runner.model.template import Templated
from runner.model.tool import Body, BodyKind, ParameterStyle
from runner.model.values import Json, JsonObject

_MEDIA_TYPES = (
    (BodyKind.JSON, re.compile(r"application/json\b(?!\+)")),
    (BodyKind.JSON, re.compile(r"(?:application|text)/(?:[\w.-]+\+)?json\b|\*/\*|application/\*")),
    (BodyKind.FORM, re.compile(r"application/x-www-form-urlencoded\b")),
    (BodyKind.MULTIPART, re.compile(r"multipart/form-data\b")),
    (BodyKind.TEXT, re.compile(r"text/plain\b|text/\*")),
)
"""The media types that can be sent, the best first."""
_SPREAD = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "unevaluatedProperties"),
        *("dependentRequired", "minProperties", "maxProperties"),
        *("title", "description", "default", "examples", "deprecated", "readOnly"),
    }
)
"""Keywords of an object whose properties can be arguments beside others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBody:
    """A body, and the arguments for it."""

    body: Body
    content_type: str | None = None
    """Where it differs from the default of the body's kind."""
    arguments: JsonObject
    required: tuple[str, ...] = ()
    others: Json = False
    """The schema of further arguments."""
    words: JsonObject = field(default_factory=dict)
    """Further keywords about the arguments together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyReader:
    """Reads the bodies of an operation."""

    library: Library
    maker: SchemaMaker
    elsewhere: Collection[str]
    """The arguments that travel elsewhere."""
    fixed: FixedArguments
    """The arguments that the model does not supply."""

    def read(self, part: DocumentPart) -> RequestBody:
        """The body. The properties of an object become arguments of their own.

        A body that is not an object, has constraints beyond its properties, or has a property with the name
        of a parameter becomes one argument, `body`. Raises UnfitError when no such body can be sent.
        """
        content = part.get("content")
        kind, media_type, media = _media(content if content is not None else part)
        is_required = part.value.get("required") is True
        schema = _schema(media.get("schema"), self.library, self.maker)
        if kind is BodyKind.MULTIPART:
            schema = _without_files(schema, media, self.library)
        body = Body(kind=kind, is_optional=not is_required)
        if kind is not BodyKind.TEXT and _can_spread(schema, self.elsewhere):
            arguments = self._spread(body, schema, media)
        elif (
            isinstance(schema, Mapping)
            and schema.get("properties") == {}
            and not schema.get("additionalProperties")
        ):
            # An object without properties: there is nothing that the model could say.
            return RequestBody(body=replace(body, content={}), arguments={})
        else:
            arguments = self._one_argument(body, schema, part.text("description"))
        # E.g. `application/merge-patch+json`.
        has_own_type = kind is BodyKind.JSON and "+json" in media_type
        return replace(arguments, content_type=media_type if has_own_type else None)

    def _spread(self, body: Body, schema: JsonObject, media: DocumentPart) -> RequestBody:
        """A body that is made of several arguments."""
        required: Sequence[str] = schema.get("required", ())
        values: dict[str, Templated] = {}
        for name, inner in schema["properties"].items():
            # In an optional body, a property with one possible value goes with the rest, as the model
            # decides.
            one = only_value(inner) if name in required and not body.is_optional else None
            if (value := self.fixed.value((name,), inner) or one) is not None:
                values[name] = value.tree
        others = schema.get("additionalProperties", False)
        for name in self.fixed.unused if others is not False else ():
            if (value := self.fixed.value((name,), others)) is not None:
                values[name] = value.tree
        has_styles = body.kind in (BodyKind.FORM, BodyKind.MULTIPART)
        return RequestBody(
            body=replace(
                body,
                is_arguments=True,
                apart=frozenset(self.elsewhere),
                fixed=values,
                styles=dict(_styles(media, schema["properties"], self.maker)) if has_styles else {},
            ),
            arguments={name: inner for name, inner in schema["properties"].items() if name not in values},
            required=tuple(name for name in required if name not in values),
            others=others,
            words=_dependent(schema.get("dependentRequired", {}), values),
        )

    def _one_argument(self, body: Body, schema: Json, description: str) -> RequestBody:
        """A body that is one argument."""
        name = "body" if "body" not in self.elsewhere else "request_body"
        if body.kind is BodyKind.TEXT:
            schema = {"type": "string", **(schema if isinstance(schema, Mapping) else {})}
        if isinstance(schema, Mapping) and description and "description" not in schema:
            schema = {**schema, "description": shortened(description, MOST_DESCRIPTION)}
        one = None if body.is_optional else only_value(schema)
        if (value := self.fixed.value((name,), schema) or one) is not None:
            return RequestBody(body=replace(body, content=value.tree, is_optional=False), arguments={})
        return RequestBody(
            body=replace(body, content=compile_template(f"{{{{ args.{name} }}}}")),
            arguments={name: schema},
            required=() if body.is_optional else (name,),
        )


def _dependent(names_of: JsonObject, fixed: Collection[str]) -> JsonObject:
    """Which arguments need which others, without those that are always there."""
    needed = {
        name: [other for other in others if other not in fixed]
        for name, others in names_of.items()
        if name not in fixed
    }
    needed = {name: others for name, others in needed.items() if others}
    return {"dependentRequired": needed} if needed else {}


def _without_files(schema: Json, media: DocumentPart, library: Library) -> Json:
    """The schema of form data without file fields. Raises UnfitError where one is required."""
    declared = media.get("schema")
    root = library.followed(declared) if declared is not None else media
    properties = root.get("properties")
    files = {}
    for name, entry in properties.items() if properties is not None else ():
        inner = library.followed(entry)
        items = inner.get("items")
        if any(map(_is_file, (inner, library.followed(items) if items is not None else inner))):
            files[name] = entry
    if not isinstance(schema, Mapping) or not files:
        return schema
    for name in schema.get("required", ()):
        if name in files:
            raise UnfitError(files[name], f'the field "{name}" is a file, and tools send no files')
    kept = {name: inner for name, inner in schema["properties"].items() if name not in files}
    return {**schema, "properties": kept}


def _is_file(part: DocumentPart) -> bool:
    return part.text("format") == "binary" or bool(part.text("contentMediaType"))


def _media(content: DocumentPart) -> tuple[BodyKind, str, DocumentPart]:
    for kind, pattern in _MEDIA_TYPES:
        for media_type, media in content.items():
            if pattern.match(media_type):
                return kind, media_type, media
    there = ", ".join(f'"{media_type}"' for media_type, _ in content.items()) or "of no type"
    raise UnfitError(content, f"the body is {there}; tools send JSON, forms, form data and plain text")


def _schema(part: DocumentPart | None, library: Library, maker: SchemaMaker) -> Json:
    if part is None:
        return {}
    is_reference = isinstance(part.value, Mapping) and set(part.value) == {"$ref"}
    schema = maker.schema(library.followed(part) if is_reference else part)
    if not isinstance(schema, Mapping):
        return {}
    # The endpoint checks "one of these names is required"; no single argument can express it.
    return {
        key: value
        for key, value in schema.items()
        if key not in ("anyOf", "oneOf") or any(set(branch) != {"required"} for branch in value)
    }


def _can_spread(schema: JsonObject, elsewhere: Collection[str]) -> bool:
    properties: JsonObject = schema.get("properties") or {}
    kind = schema.get("type", "object")
    return (
        len(properties) > 0
        and "object" in (kind if isinstance(kind, list) else [kind])
        and set(schema) <= _SPREAD
        and not any(name in elsewhere for name in properties)
    )


def _styles(
    media: DocumentPart, properties: JsonObject, maker: SchemaMaker
) -> Iterator[tuple[str, ParameterStyle]]:
    """How lists and objects are written into a form (OpenAPI 3.1, 4.8.15.1)."""
    encoding = media.get("encoding")
    for name, schema in properties.items():
        schema_kinds = kinds(schema, maker.definitions)
        if schema_kinds == {ValueKind.SCALAR}:
            continue
        said = encoding.get(name) if encoding is not None else None
        style = said.text("style") if said is not None else ""
        explode = said.value.get("explode") if said is not None else None
        is_json = said is not None and "json" in said.text("contentType")
        if style == "deepObject":
            yield name, ParameterStyle.BRACKETS
        elif is_json or (not style and ValueKind.OBJECT in schema_kinds):
            yield name, ParameterStyle.JSON
        elif explode is False:
            yield (
                name,
                {"spaceDelimited": ParameterStyle.SPACES, "pipeDelimited": ParameterStyle.PIPES}.get(
                    style, ParameterStyle.COMMAS
                ),
            )
        else:
            yield name, ParameterStyle.NAMES
