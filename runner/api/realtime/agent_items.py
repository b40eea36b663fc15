"""The words of the agent's items, whichever of the API's events tells them first.

Five do: the end of a transcript, of a content part, of an item in the conversation, of an item in its
response, and of the response. Not all of them come: a sideband that is opened again misses what was sent
before. What is known already is not told again.
"""

from runner.api.realtime.responses import content_of
from runner.model.call import Role
from runner.model.event import CallEvent, Transcribed
from runner.model.values import JsonObject

MOST_ITEMS = 20
"""So many of the last items are known: an item is told by all its events within one response."""


class AgentItems:
    """What has been told of the last items of the conversation."""

    def __init__(self) -> None:
        self._placed: dict[str, None] = {}
        self._words: dict[str, dict[int, str]] = {}

    def place(self, item_id: str) -> bool:
        """Note that an item, anybody's, has its place. Whether that is news."""
        if item_id in self._placed:
            return False
        self._placed[item_id] = None
        if len(self._placed) > MOST_ITEMS:
            del self._placed[next(iter(self._placed))]
        return True

    def part(self, item_id: str, index: int, words: str | None) -> tuple[CallEvent, ...]:
        """The words of one part of an item."""
        return self._told(item_id, {index: words})

    def whole(self, item: JsonObject) -> tuple[CallEvent, ...]:
        """The words of an item as the API tells it whole; none for what is not a message of the agent's."""
        item_id = item.get("id")
        if item.get("type") != "message" or item.get("role") != "assistant" or not isinstance(item_id, str):
            return ()
        return self._told(item_id, {index: words_of(part) for index, part in enumerate(content_of(item))})

    def _told(self, item_id: str, words: dict[int, str | None]) -> tuple[CallEvent, ...]:
        """Words are never taken away: a part may be told once more without them, when it was cut short."""
        known = self._words.get(item_id, {})
        news = {
            index: text
            for index, text in words.items()
            if text is not None and (text or index not in known) and known.get(index) != text
        }
        if not news:
            return ()
        parts = self._words[item_id] = {**known, **news}
        if len(self._words) > MOST_ITEMS:
            del self._words[next(iter(self._words))]
        text = " ".join(parts[index] for index in sorted(parts))
        return (Transcribed(item_id=item_id, role=Role.AGENT, text=text),)


def words_of(part: JsonObject) -> str | None:
    """The words of a content part: what is heard of it, or its text. None when they are not told."""
    words = part.get("transcript", part.get("text"))
    return words if isinstance(words, str) else None
