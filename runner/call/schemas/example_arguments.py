"""Makes up arguments for a tool from its parameters. Pure; the same schema gives the same arguments."""

from collections.abc import Mapping
from datetime import date, timedelta

from runner.model.values import Json, JsonObject

DEEPEST = 8
"""Schemas may refer to themselves."""

_BY_FORMAT = {
    "time": "09:30:00",
    "duration": "PT30M",
    "email": "ada@mail.example",
    "idn-email": "ada@mail.example",
    "hostname": "www.shop.example",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://www.shop.example/",
    "uri-reference": "/",
    "uuid": "3f2b6c1e-8a4d-4f0b-9c7e-1d2a3b4c5d6e",
}
_BY_NAME = {
    "phone": "+14155550123",
    "number": "204518",
    "email": "ada@mail.example",
    "name": "Ada Lovelace",
    "date": "2026-11-27",
    "day": "2026-11-27",
    "time": "09:30",
    "city": "Albany",
    "country": "US",
    "language": "en",
}
"""Values by words in the name of a text argument, where the schema says nothing better."""


def example_arguments(parameters: JsonObject, today: date) -> dict[str, Json]:
    """Arguments that fit `parameters` as far as possible: examples first, then defaults, enums and types.

    Optional ones are included, so that everything declared is visible. A `pattern` is not followed: the
    runner's own check finds what does not fit.
    """
    value = _Maker(parameters, today).value(parameters, "", 0)
    return dict(value) if isinstance(value, Mapping) else {}


class _Maker:
    def __init__(self, root: JsonObject, today: date) -> None:
        self._root = root
        self._today = today

    def value(self, schema: Json, name: str, depth: int) -> Json:
        """A value for one schema; `name` is the argument's."""
        schema = self._resolved(schema)
        if not isinstance(schema, Mapping) or depth > DEEPEST:
            return None
        if schema.get("examples"):
            return schema["examples"][0]
        for key in ("default", "const"):
            if key in schema:
                return schema[key]
        return schema["enum"][0] if schema.get("enum") else self._made(schema, name, depth)

    def _made(self, schema: JsonObject, name: str, depth: int) -> Json:
        match _type_of(schema):
            case "object":
                properties = schema.get("properties") or {}
                return {key: self.value(inner, key, depth + 1) for key, inner in properties.items()}
            case "array":
                items = schema.get("items", schema.get("prefixItems", [{}])[0])
                count = max(1, schema.get("minItems", 1))
                return [self.value(items, name, depth + 1) for _ in range(count)]
            case "integer" | "number" as kind:
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._text(schema, name)

    def _text(self, schema: JsonObject, name: str) -> str:
        tomorrow = self._today + timedelta(days=1)
        match schema.get("format"):
            case "date":
                text = tomorrow.isoformat()
            case "date-time":
                text = f"{tomorrow.isoformat()}T09:30:00Z"
            case str() as known if known in _BY_FORMAT:
                text = _BY_FORMAT[known]
            case _:
                text = _hinted(name)
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]

    def _resolved(self, schema: Json) -> Json:
        """The schema behind a local `$ref`, with the first branch of a choice."""
        for _ in range(DEEPEST):
            if not isinstance(schema, Mapping):
                break
            choice = next((schema[key] for key in ("oneOf", "anyOf") if schema.get(key)), None)
            if "$ref" in schema:
                schema = _at(self._root, str(schema["$ref"]))
            elif choice is not None:
                rest = {key: value for key, value in schema.items() if key not in ("oneOf", "anyOf")}
                schema = _merged(rest, choice[0])
            elif schema.get("allOf"):
                merged: JsonObject = {key: value for key, value in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    merged = _merged(merged, self._resolved(part))
                schema = merged
            else:
                break
        return schema


def _type_of(schema: JsonObject) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if kind is None:
        kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _number(schema: JsonObject, *, whole: bool) -> int | float:
    """The least number allowed, or 1."""
    step = schema.get("multipleOf", 1 if whole else 0)
    low = schema.get("minimum", schema.get("exclusiveMinimum", 1))
    if "minimum" not in schema and "exclusiveMinimum" in schema:
        low += step or 1
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 1))
    number = min(low, high) if "maximum" in schema else low if low < high else high - (step or 1)
    if step:
        number = -(-number // step) * step
    return int(number) if whole else number


def _hinted(name: str) -> str:
    words = name.lower().replace("-", "_").split("_")
    hint = next((text for word, text in _BY_NAME.items() if word in words), None)
    return hint or f"an example {' '.join(words)}".rstrip()


def _at(root: JsonObject, ref: str) -> Json:
    """The value at a local JSON pointer, `#/$defs/x`; an empty schema when there is none."""
    target: Json = root
    for step in ref.removeprefix("#").strip("/").split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        target = target.get(key, {}) if isinstance(target, Mapping) and key else target
    return target


def _merged(first: JsonObject, second: Json) -> JsonObject:
    if not isinstance(second, Mapping):
        return first
    merged = {**first, **second}
    if "properties" in first and "properties" in second:
        merged["properties"] = {**first["properties"], **second["properties"]}
    return merged
