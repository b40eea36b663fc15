"""Masks what is shown of a call: secrets, and what its agents keep out of the record. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import unquote_plus

from runner.call.records.redaction import Redactor
from runner.demo.timeline import EntryKind, TimelineEntry
from runner.model.agent import Agent
from runner.model.json_text import compact_json

SHORTEST_IN_TEXT = 6
"""A shorter secret occurs in other words by chance."""

_URL_PARTS = re.compile(r"[^/?&=#]+")


class Mask:
    """Masks the entries of one call, in their order: an argument that is masked may be said later."""

    def __init__(self, agent: Agent, agents: Mapping[str, Agent], secrets: Mapping[str, str]) -> None:
        """`agent` answers; every agent that it may hand the call to counts for what is masked."""
        self._redactor = Redactor(each.record for each in _may_serve(agent, agents))
        self._secrets = secrets

    def entry(self, entry: TimelineEntry) -> TimelineEntry:
        """The entry, masked. URLs are masked separately."""
        match entry.what:
            case EntryKind.TOOL:
                name, _, arguments = entry.text.partition(" ")
                text = f"{name} {self._redactor.arguments(arguments)}"
            case EntryKind.OUTPUT:
                text = self._output(entry.text)
            case EntryKind.REQUEST | EntryKind.DELIVERY | EntryKind.RINGS:
                return entry  # Of `RINGS`, since a record says who called whom, too.
            case _:
                text = self._redactor.text(entry.text)
        return replace(entry, text=text)

    def url(self, url: str) -> str:
        """A URL without the values of secrets: a key may travel in its query or its path."""
        return _URL_PARTS.sub(lambda part: self._part(part.group()), url)

    def _part(self, part: str) -> str:
        decoded = unquote_plus(part)
        for name, value in self._secrets.items():
            if value and (value == decoded or (len(value) >= SHORTEST_IN_TEXT and value in decoded)):
                return f"<{name}>"
        masked = self._redactor.text(decoded)
        return part if masked == decoded else masked

    def _output(self, text: str) -> str:
        try:
            value = json.loads(text)
        except ValueError:
            return self._redactor.text(text)
        masked = self._redactor.result(value)
        return text if masked == value else compact_json(masked)


def _may_serve(agent: Agent, agents: Mapping[str, Agent]) -> Iterator[Agent]:
    """The agent, and everyone whom it may hand the call to, directly or not."""
    seen: set[str] = set()
    waiting = [agent]
    while waiting:
        current = waiting.pop()
        if current.id in seen:
            continue
        seen.add(current.id)
        yield current
        waiting += [agents[name] for name in current.hands_to if name in agents]
