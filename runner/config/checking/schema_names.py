"""Finds what belongs one level further in: {timezone: …} for {office: {timezone: …}}, where names stand."""

from collections.abc import Collection, Mapping, Sequence

from runner.config.checking.key_places import NAME, Flat
from runner.config.checking.schema_types import has_type
from runner.config.node import Node
from runner.model.values import JsonObject


def without_inner_keys(
    values: Mapping[str, Node], schema: JsonObject, flat: Flat
) -> tuple[Mapping[str, Node], tuple[str, str] | None]:
    """The entries that are under names, and the first key that belongs inside of one with what to say of it.

    `schema` is the one of the entries.
    """
    branches = [schema, *map(flat, schema.get("oneOf", ()))]
    inner = {key for branch in branches for key in branch.get("properties", {})}
    shapes = [branch for branch in branches if "type" in branch] or branches
    too_high = [key for key in values if key in inner and not _may_be(values[key], shapes, inner)]
    if not too_high:
        return values, None
    key = too_high[0]
    name = next((name for name in values if name not in inner), NAME)
    named = {name: value for name, value in values.items() if name not in inner}
    return named, (key, f"stands in place of a name; write {{{name}: {{{key}: …}}}}")


def _may_be(value: Node, shapes: Sequence[JsonObject], keys: Collection[str]) -> bool:
    """Whether a value may be meant as one of these shapes, a mapping by its keys."""
    if isinstance(value.value, dict):
        return any(key in keys for key in value.value)
    return any(has_type(value, shape) for shape in shapes)
