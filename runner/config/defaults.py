"""Lays an agent over the `defaults` of runner.yaml. Every part keeps the place that it came from."""

from collections.abc import Mapping

from runner.config.node import Node


def laid_over(below: Node | None, above: Node) -> Node:
    """`above` on top of `below`: mappings merge, key by key; anything else is replaced."""
    if below is None or not isinstance(below.value, Mapping) or not isinstance(above.value, Mapping):
        return above
    values = {**below.value}
    for key, value in above.value.items():
        values[key] = laid_over(below.value.get(key), value)
    return Node(value=values, place=above.place, key_places={**below.key_places, **above.key_places})
