"""Warns of models whose shutdown is announced. Asks no clock."""

from collections.abc import Iterator

from runner.api.realtime.shutdowns import SHUTDOWNS
from runner.config.node import Node
from runner.config.problem import Problems

_PLACES = (("model",), ("session", "audio", "input", "transcription", "model"), ("outcome", "model"))


def check_models(agent: Node, problems: Problems) -> None:
    """Warn of each model of an agent's document that will be shut down."""
    for node in _models(agent):
        if node.text in SHUTDOWNS:
            day, instead = SHUTDOWNS[node.text]
            message = f'"{node.text}" will be shut down on {day}; use "{instead}"'
            problems.warning(node.place, "model-shutdown", message)


def _models(agent: Node) -> Iterator[Node]:
    for path in _PLACES:
        node = agent.find(*path)
        if node is not None:
            yield node
