"""Values of the language that are not built yet: each is refused at its place, and not accepted and ignored.

When a value is built, its line leaves this table.
"""

from runner.config.node import Node
from runner.config.problem import Problems

_TABLE = {"agent": (("api", "live"),), "runner": (("defaults", "api", "live"),), "test": ()}
"""By kind of file: the path of a key, and its value."""


def refuse_unsupported(node: Node, kind: str, problems: Problems) -> None:
    """Note each value of this document that is part of the language and not built yet."""
    for *path, unsupported in _TABLE[kind]:
        value = node.find(*path)
        if value is not None and value.text == unsupported:
            problems.error(value.place, "not-supported", f'"{path[-1]}: {unsupported}" is not supported yet')
