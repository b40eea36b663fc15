"""How tests look into nodes that were read."""

from runner.config.node import Node


def at(node: Node, *path: str | int) -> Node:
    """What stands at this path, where something has to stand."""
    found = node.find(*path)
    assert found is not None
    return found
