"""Removes the nulls with which a model leaves an argument out.

Models fill in every key that a schema shows them. A null stands for nothing where the key may be left out and
no schema declares that it may be null; where one does, null has a meaning.
"""

from collections.abc import Iterator, Mapping

from runner.call.schemas.check import UncheckableError
from runner.call.schemas.schema import Schema
from runner.model.values import Json, JsonObject


def without_left_out(schema: Schema, value: Json) -> Json:
    """The value without the keys that a null leaves out, at any depth.

    For values that have passed `read_json`, whose depth is bounded.
    """
    return _Walk(schema).tidied([schema.root], value)


class _Walk:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def tidied(self, schemas: list[Json], value: Json) -> Json:
        """The value, which all of these schemas describe."""
        if not isinstance(value, dict | list) or not schemas:
            return value
        applied = list(self._applied(schemas))
        if isinstance(value, list):
            return [self.tidied(_of_entry(applied, index), entry) for index, entry in enumerate(value)]
        required = {name for each, always in applied if always for name in each.get("required", ())}
        kept = {}
        for name, entry in value.items():
            declared = _of_key([each for each, _ in applied], name)
            if entry is None and declared and name not in required and not self._says_null(declared):
                continue
            kept[name] = self.tidied(declared, entry)
        return kept

    def _says_null(self, schemas: list[Json]) -> bool:
        """Whether one of these explicitly allows null."""
        return any(
            each.get("type") == "null"
            or (isinstance(each.get("type"), list | tuple) and "null" in each["type"])
            or None in each.get("enum", ())
            or ("const" in each and each["const"] is None)
            for each, _ in self._applied(schemas)
        )

    def _applied(self, schemas: list[Json]) -> Iterator[tuple[JsonObject, bool]]:
        """Every schema that these apply to the same value, and whether it always applies."""
        seen: set[int] = set()
        waiting = [(schema, True) for schema in schemas]
        while waiting:
            schema, always = waiting.pop()
            if not isinstance(schema, Mapping) or id(schema) in seen:
                continue
            seen.add(id(schema))
            yield schema, always
            waiting += [(inner, always) for inner in schema.get("allOf", ())]
            waiting += [(inner, False) for word in ("anyOf", "oneOf") for inner in schema.get(word, ())]
            waiting += [(schema[word], False) for word in ("if", "then", "else") if word in schema]
            waiting += [(inner, False) for inner in schema.get("dependentSchemas", {}).values()]
            if "$ref" in schema:
                try:
                    waiting.append((self._schema.target(schema["$ref"]), always))
                except UncheckableError:
                    continue


def _of_key(schemas: list[JsonObject], name: str) -> list[Json]:
    """The schemas of a key."""
    of_key: list[Json] = []
    for each in schemas:
        properties = each.get("properties", {})
        if name in properties:
            of_key.append(properties[name])
        elif isinstance(each.get("additionalProperties"), Mapping):
            of_key.append(each["additionalProperties"])
    return of_key


def _of_entry(schemas: list[tuple[JsonObject, bool]], index: int) -> list[Json]:
    """The schemas of a list's entry."""
    of_entry: list[Json] = []
    for each, _ in schemas:
        prefix = each.get("prefixItems", ())
        if index < len(prefix):
            of_entry.append(prefix[index])
        elif "items" in each:
            of_entry.append(each["items"])
    return of_entry
