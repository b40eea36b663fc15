"""Converts schemas of OpenAPI documents to JSON Schema 2020-12, complete in themselves, for a model to read.

OpenAPI 3.0 has a dialect of its own; 3.1 has 2020-12 with a few more keywords. Keywords about encoding and
display are left out, and so are malformed constraints: the endpoint checks for itself. Properties of replies
only (`readOnly`) are left out too. References are replaced by their targets; only a schema that contains
itself stays a reference, under `$defs`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from math import isfinite

from runner.call.schemas.schema import compile_pattern
from runner.config.checking.suggest import one_of
from runner.config.openapi.descriptions import shortened
from runner.config.openapi.document import DocumentPart, Library, UnfitError
from runner.config.openapi.merge import merged
from runner.model.values import Json, JsonObject

MAX_DEPTH = 60
MOST_INLINE = 600
"""Nested schemas, with references replaced. A schema with more keeps its named parts separate."""
MOST_DESCRIPTION = 500

TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")
_SCHEMA = frozenset(
    {
        *("items", "contains", "not", "if", "then", "else", "propertyNames"),
        *("additionalProperties", "unevaluatedItems", "unevaluatedProperties"),
    }
)
_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SCHEMA_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_COUNTS = frozenset(
    {
        *("minLength", "maxLength", "minItems", "maxItems"),
        *("minProperties", "maxProperties", "minContains", "maxContains"),
    }
)
_NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_ABOUT = frozenset({"description", "title", "default", "examples", "deprecated"})
"""Keywords that may stand beside a reference in any version, since people expect it."""
_SIZES = frozenset({"int32", "int64", "float", "double", "decimal", "password", "byte", "binary"})
"""OpenAPI's formats that say nothing about the form of a value."""


class _TooManyError(Exception):
    """References replaced, the schema is too large."""


class SchemaMaker:
    """Makes the schemas of one operation, which share their `$defs`."""

    def __init__(self, library: Library, *, is_3_0: bool, apart: bool = False) -> None:
        """`apart`: keep every reference a reference."""
        self._library = library
        self._is_3_0 = is_3_0
        self._apart = apart
        self._names: dict[tuple[str, tuple[str | int, ...]], str] = {}
        self._within: list[tuple[str, tuple[str | int, ...]]] = []
        self._count = 0
        self._depth = 0
        self.definitions: dict[str, Json] = {}
        """What belongs under `$defs`."""

    def schema(self, part: DocumentPart) -> Json:
        """The schema, or true or false. Raises UnfitError."""
        self._count += 1
        if not self._apart and self._count > MOST_INLINE:
            raise _TooManyError
        if self._depth == MAX_DEPTH:
            raise UnfitError(part, f"schemas are nested deeper than {MAX_DEPTH} levels")
        self._depth += 1
        try:
            return self._made(part)
        finally:
            self._depth -= 1

    def _made(self, part: DocumentPart) -> Json:
        if isinstance(part.value, bool):
            return part.value
        if not isinstance(part.value, Mapping):
            raise UnfitError(part, "a schema is a mapping, such as {type: string}")
        reference = part.get("$ref")
        if reference is None:
            return self._tidied(part, dict(self._words(part)))
        target = self._referred(self._library.target(reference))
        beside = {word: value for word, value in self._words(part) if not self._is_3_0 or word in _ABOUT}
        if not beside or not isinstance(target, Mapping):
            return target
        return merged([beside, target]) or {"allOf": [target], **beside}

    def _referred(self, target: DocumentPart) -> Json:
        key = target.key
        if key in self._names:
            return {"$ref": f"#/$defs/{self._names[key]}"}
        if key in self._within or self._apart:
            name = self._names[key] = self._new_name(target)
            if key in self._within:
                return {"$ref": f"#/$defs/{name}"}
        self._within.append(key)
        try:
            definition = self.schema(target)
        finally:
            self._within.pop()
        if key not in self._names:
            return definition
        self.definitions[self._names[key]] = definition
        return {"$ref": f"#/$defs/{self._names[key]}"}

    def _new_name(self, target: DocumentPart) -> str:
        words = [re.sub(r"[^A-Za-z0-9_.-]", "_", str(step)) for step in target.path]
        name = base = words[-1] if words else "root"
        number = 2
        while name in self._names.values():
            name, number = f"{base}_{number}", number + 1
        return name

    # Keywords

    def _words(self, part: DocumentPart) -> Iterator[tuple[str, Json]]:
        for word, value in part.items():
            if value.value is None and word not in ("default", "const"):
                continue
            if word in _SCHEMA:
                yield word, self.schema(value)
            elif word in _SCHEMAS and isinstance(value.value, list) and value.value:
                yield word, [self.schema(entry) for entry in value.entries()]
            elif word in _SCHEMA_MAPS and isinstance(value.value, Mapping):
                # A schema is never a text, so this is not a property "$ref"; bundlers follow it here too.
                entries = self._library.followed(value) if isinstance(value.value.get("$ref"), str) else value
                yield word, {key: self.schema(entry) for key, entry in entries.items()}
            elif word == "type":
                yield word, _type(value)
            elif word == "example":
                yield "examples", [value.value]
            elif word == "$dynamicRef":
                raise UnfitError(value, "$dynamicRef is not followed; write the schema out")
            elif word in _PLAIN and _PLAIN[word](value.value):
                yield word, shortened(value.value, MOST_DESCRIPTION) if word == "description" else value.value

    def _tidied(self, part: DocumentPart, words: dict[str, Json]) -> Json:
        for bound, other in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            # In 3.0 a flag beside the bound.
            if part.value.get(bound) is True and other in words:
                words[bound] = words.pop(other)
        _drop_read_only(words)
        if words.get("format") in _SIZES:
            del words["format"]
        if "examples" in words:
            words["examples"] = [value for value in words["examples"] if _is_of(words.get("type"), value)]
            if not words["examples"]:
                del words["examples"]
        for word in ("allOf", "anyOf", "oneOf"):
            if word in words:
                words = _joined(words, word)
        return _nullable(words) if part.value.get("nullable") is True else words


def _type(part: DocumentPart) -> Json:
    names = part.value if isinstance(part.value, list) else [part.value]
    if not names or any(name not in TYPES for name in names):
        raise UnfitError(part, f'"type" is {json.dumps(part.value)}; write {one_of(TYPES)}')
    return part.value


def _drop_read_only(words: dict[str, Json]) -> None:
    properties = words.get("properties")
    if not properties:
        return
    read_only = {
        name
        for name, schema in properties.items()
        if isinstance(schema, Mapping) and schema.get("readOnly") is True
    }
    words["properties"] = {name: schema for name, schema in properties.items() if name not in read_only}
    if "required" in words:
        words["required"] = [name for name in words["required"] if name not in read_only]


def _joined(words: dict[str, Json], word: str) -> dict[str, Json]:
    """A combination as one schema where possible: all of several, or one of one."""
    parts = words[word]
    if word != "allOf" and len(parts) > 1:
        return words
    rest = {key: value for key, value in words.items() if key != word}
    whole = merged([rest, *parts])
    return words if whole is None else whole


def _nullable(words: dict[str, Json]) -> Json:
    """The same or null. An enumeration without null forbids it literally, and nobody means that."""
    kind = words.get("type")
    if kind is None and any(word in words for word in ("$ref", "allOf", "anyOf", "oneOf")):
        about = {key: value for key, value in words.items() if key in _ABOUT}
        rest = {key: value for key, value in words.items() if key not in _ABOUT}
        for word in ("anyOf", "oneOf"):
            if set(rest) == {word}:
                return {word: [*rest[word], {"type": "null"}], **about}
        return {"anyOf": [rest, {"type": "null"}], **about}
    if kind is not None:
        names = kind if isinstance(kind, list) else [kind]
        words = {**words, "type": [*names, "null"] if "null" not in names else names}
    if "enum" in words and None not in words["enum"]:
        words = {**words, "enum": [*words["enum"], None]}
    return words


def _is_of(kind: Json, value: Json) -> bool:
    names = kind if isinstance(kind, list) else [kind]
    return kind is None or any(_OF_TYPE[name](value) for name in names)


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_pattern(value: Json) -> bool:
    """Whether RE2 can run it. The endpoint checks other patterns."""
    try:
        return isinstance(value, str) and compile_pattern(value) is not None
    except ValueError:
        return False


def _is_names(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


_OF_TYPE: Mapping[str, Callable[[Json], bool]] = {
    "string": _is_text,
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}
_PLAIN: Mapping[str, Callable[[Json], bool]] = {
    **dict.fromkeys(_COUNTS, _is_count),
    **dict.fromkeys(_NUMBERS, _is_number),
    **dict.fromkeys(("title", "description", "format", "contentEncoding", "contentMediaType"), _is_text),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly"), lambda value: value is True),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "pattern": _is_pattern,
    "required": _is_names,
    "enum": lambda value: isinstance(value, list) and len(value) > 0,
    "examples": lambda value: isinstance(value, list) and len(value) > 0,
    "dependentRequired": lambda value: isinstance(value, Mapping) and all(map(_is_names, value.values())),
    "const": lambda _: True,
    "default": lambda _: True,
}
"""Keywords that are copied when their values have the right type."""


def complete(make: Callable[[SchemaMaker], JsonObject], library: Library, *, is_3_0: bool) -> JsonObject:
    """The result of `make`, with its `$defs`: references replaced, or kept where that would be too large."""
    for apart in (False, True):
        maker = SchemaMaker(library, is_3_0=is_3_0, apart=apart)
        try:
            made = make(maker)
        except _TooManyError:
            continue
        return {**made, "$defs": maker.definitions} if maker.definitions else made
    raise AssertionError("references that are kept are never too many")
