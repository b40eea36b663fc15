"""A document after its check: which of its parts are sound, and what is left of those that are not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runner.config.node import Node
from runner.model.values import JsonObject


@dataclass(frozen=True, slots=True)
class Broken:
    """A part with a mistake in or below it, and its schema."""

    node: Node
    schema: JsonObject


@dataclass(frozen=True, slots=True)
class Checked:
    """A tree after the check: texts where the schema demands text, whole numbers where it demands them."""

    root: Node
    _broken: Mapping[int, Broken]
    """By identity. It holds the nodes themselves: the identity of one that is gone may come back."""
    _keeps_to: Callable[[Node, JsonObject], bool]
    """Whether a node's only mistake is a missing part."""

    def sound(self, node: Node | None) -> bool:
        """Whether this part of the tree exists without a mistake in it or below it."""
        return node is not None and id(node) not in self._broken

    def part(self, *path: str | int) -> Node | None:
        """The part at these keys, if it exists and is sound."""
        node = self.root.find(*path)
        return node if self.sound(node) else None

    def sound_part(self, *path: str | int) -> Node | None:
        """The mapping at these keys with its sound entries, if it exists.

        So a mistake in one entry does not hide mistakes in the others.
        """
        node = self.root.find(*path)
        if node is None or not isinstance(node.value, dict):
            return None
        return node.holding({key: entry for key, entry in node.items() if self.sound(entry)})

    def mended(self, node: Node) -> Node | None:
        """The part without its mistakes, so that the rest can be checked further.

        The part itself where there are none; None where nothing can be said about the rest. A mandatory key
        may be missing from it.
        """
        broken = self._broken.get(id(node))
        if broken is None:
            return node
        if isinstance(node.value, dict):
            values = {
                key: part
                for key, value in node.items()
                if self._is_known(key, broken.schema) and (part := self.mended(value)) is not None
            }
            return self._without_conflict(node.holding(values), broken.schema)
        if not isinstance(node.value, tuple):
            return None
        whole = node.holding(tuple(part for entry in node.entries() if (part := self.mended(entry))))
        return whole if self._keeps_to(whole, broken.schema) else None

    def _without_conflict(self, whole: Node, schema: JsonObject) -> Node | None:
        """The mapping, without the last key where that is one too many; None where no key is to blame."""
        if self._keeps_to(whole, schema):
            return whole
        entries = dict(whole.items())
        for last in reversed(entries):
            rest = whole.holding({key: entry for key, entry in entries.items() if key != last})
            if self._keeps_to(rest, schema):
                return rest
        return None

    @staticmethod
    def _is_known(key: str, schema: JsonObject) -> bool:
        return key in schema.get("properties", {}) or schema.get("additionalProperties") is not False
