"""Checks a value by the constraints on it as a whole, and says what is wrong the way a colleague would."""

import re
from functools import cache
from math import log10

from runner.config.building.duration import SECONDS
from runner.config.checking.schema_words import right, shown_value, subject
from runner.config.checking.suggest import nearest
from runner.config.node import Node
from runner.config.problem import Problem
from runner.model.values import JsonObject, Place

_NUMBER = re.compile(r"\+[0-9]{7,15}")
_DURATION = re.compile(r"([0-9.]+)(ms|s|m|h)")
_BESIDE = {"ms": "s", "s": "ms", "m": "s", "h": "m"}
_BARE_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


class ValueCheck:
    """Checks values one by one, and keeps the mistakes. `name` is the key that leads to a value."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def error(self, place: Place, rule: str, message: str, schema: JsonObject) -> None:
        secret = bool(schema.get("x-secret"))
        self.problems.append(Problem(place=place, rule=rule, message=message, hide_source=secret))

    def wrong(self, node: Node, rule: str, schema: JsonObject, name: str | None, hint: str = "") -> None:
        """Report the value: what it is, then what would be right."""
        message = f"{subject(name, schema)} is {shown_value(node, schema)}; {hint or right(schema)}"
        self.error(node.place, rule, message, schema)

    def constraints(self, node: Node, schema: JsonObject, name: str | None) -> bool:
        """Whether the value keeps to every constraint on it as a whole."""
        before = len(self.problems)
        value = node.value
        if "const" in schema or "enum" in schema:
            self._enumeration(node, schema, name)
        if isinstance(value, str):
            self._text(node, value, schema, name)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self._number(node, value, schema, name)
        elif isinstance(value, tuple):
            self._size(node, ("minItems", "maxItems"), schema, name)
            self._repeated(node, schema)
        elif isinstance(value, dict):
            self._size(node, ("minProperties", "maxProperties"), schema, name)
        return len(self.problems) == before

    def _enumeration(self, node: Node, schema: JsonObject, name: str | None) -> None:
        allowed = schema.get("enum", [schema.get("const")])
        if any(node.value == value and type(node.value) is type(value) for value in allowed):
            return
        if not allowed:
            self.error(
                node.place, "refused-key", f"{subject(name)} does not belong here; {right(schema)}", schema
            )
            return
        near = nearest(node.text, [value for value in allowed if isinstance(value, str)])
        self.wrong(node, "value", schema, name, f'did you mean "{near}"?' if near else "")

    def _text(self, node: Node, value: str, schema: JsonObject, name: str | None) -> None:
        if len(value) < schema.get("minLength", 0):
            self.wrong(node, "value", schema, name)
        elif len(value) > schema.get("maxLength", len(value)):
            self.error(
                node.place,
                "value",
                f"{subject(name)} has {len(value)} characters, at most {schema['maxLength']} are allowed",
                schema,
            )
        elif "pattern" in schema and not pattern(schema["pattern"]).search(value):
            self.wrong(node, "value", schema, name, self._unit(value, schema))

    def _unit(self, value: str, schema: JsonObject) -> str:
        if "x-scheme" in schema and _NUMBER.fullmatch(value):
            return f"write {schema['x-scheme']}{value}"
        if "x-unit" not in schema or not _BARE_NUMBER.fullmatch(value):
            return ""
        units = _likely_units(float(value), schema)
        return "a number needs its unit, " + " or ".join(f'"{value}{unit}"' for unit in units)

    def _number(self, node: Node, value: float, schema: JsonObject, name: str | None) -> None:
        least, most, above = (schema.get(key) for key in ("minimum", "maximum", "exclusiveMinimum"))
        if (
            (least is not None and value < least)
            or (most is not None and value > most)
            or (above is not None and value <= above)
        ):
            self.wrong(node, "value", schema, name)

    def _size(self, node: Node, bounds: tuple[str, str], schema: JsonObject, name: str | None) -> None:
        if bounds[0] not in schema and bounds[1] not in schema:
            return
        size = len(node.entries()) or len(list(node.items()))
        if not schema.get(bounds[0], 0) <= size <= schema.get(bounds[1], size):
            self.wrong(node, "value", schema, name)

    def _repeated(self, node: Node, schema: JsonObject) -> None:
        if not schema.get("uniqueItems"):
            return
        seen: set[str] = set()
        for entry in node.entries():
            written = repr(entry.data())
            if written in seen:
                self.error(
                    entry.place, "value", f"{shown_value(entry, schema)} is in this list twice", schema
                )
            seen.add(written)


def _likely_units(value: float, schema: JsonObject) -> list[str]:
    """The units that a bare number may be in, the likeliest first.

    A duration is in the unit of what is usual in its place, or in the one beside it: `timeout: 1500` is in
    milliseconds where ten seconds are usual. Where both are as likely, neither is guessed.
    """
    examples = schema.get("examples", ())
    usual = examples[0] if len(examples) == 1 else schema.get("default", "")
    match = _DURATION.fullmatch(str(usual))
    if match is None or not value:
        return [schema["x-unit"]]
    usual_s = float(match[1]) * SECONDS[match[2]]
    distance = {unit: abs(log10(value * SECONDS[unit] / usual_s)) for unit in (match[2], _BESIDE[match[2]])}
    least = min(distance.values())
    return [unit for unit in sorted(distance, key=distance.__getitem__) if distance[unit] <= least + 1]


@cache
def pattern(pattern: str) -> re.Pattern[str]:
    """The regular expression of a schema."""
    # In JSON Schema (ECMA 262) `$` is the end of the text; in Python a line break may follow.
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))
