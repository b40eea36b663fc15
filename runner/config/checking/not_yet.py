"""Keys of the language that are not built yet: each is refused at its place, and not accepted and ignored.

When a key is built, its line leaves this table.
"""

from collections.abc import Iterator

from runner.config.node import Node
from runner.config.problem import Problems
from runner.model.values import Place

_AGENT = ("api=live",)
_RUNNER = tuple(f"defaults.{path}" for path in _AGENT)
_TABLE = {"agent": _AGENT, "runner": _RUNNER, "test": ()}
"""By kind of file. `*` stands for every entry of a list or mapping; `key=value` for this value only."""


def refuse(node: Node, kind: str, problems: Problems) -> None:
    """Note each key, or value, of this document that is part of the language and not built yet."""
    for path in _TABLE[kind]:
        for place, name in _unsupported(node, path.split(".")):
            problems.error(place, "not-supported", f'"{name}" is not supported yet')


def _unsupported(node: Node, path: list[str]) -> Iterator[tuple[Place, str]]:
    step, *rest = path
    if step == "*":
        for entry in (*node.entries(), *node.values()):
            yield from _unsupported(entry, rest)
        return
    key, _, expected = step.partition("=")
    value = node.get(key)
    if value is None:
        return
    if expected:
        if value.text == expected:
            yield value.place, f"{key}: {expected}"
    elif rest:
        yield from _unsupported(value, rest)
    else:
        yield node.key_place(key), key
