"""Agents without a configuration."""

from typing import Any

from runner.model.agent import Agent
from runner.model.values import Place


class Words:
    """A template that is only text."""

    def __init__(self, source: str) -> None:
        self.source = source

    def value(self, names: object) -> str:
        """The text."""
        return self.source

    def text(self, names: object) -> str:
        """The text."""
        return self.source


def an_agent(**changes: Any) -> Agent:
    """The smallest agent, with these changes."""
    fields: dict[str, Any] = {
        "id": "desk",
        "model": "gpt-realtime-2.1",
        "instructions": Words("Be brief."),
        "place": Place("desk.yaml", 1, 1),
    }
    return Agent(**{**fields, **changes})
