"""Collects the words of the agent's items, from whichever of the API's events reports them first.

Five do: the end of a transcript, of a content part, of an item in the conversation, of an item in its
response, and of the response. Not all of them come: a reopened sideband misses what was sent before. Known
words are not reported again.
"""

from runner.api.realtime.responses import content_of, id_of, words_of
from runner.model.call import Role
from runner.model.conversation_event import ConversationEvent, Transcribed
from runner.model.values import JsonObject

MOST_ITEMS = 20
"""The number of last items kept: all events of an item come within one response."""


class AgentItems:
    """The words of the last items of the conversation."""

    __slots__ = ("_placed", "_words")

    def __init__(self) -> None:
        self._placed: dict[str, None] = {}
        self._words: dict[str, dict[int, str]] = {}

    def place(self, item_id: str) -> bool:
        """Note that an item, whoever's, has its place; returns whether it is a new one."""
        if item_id in self._placed:
            return False
        self._placed[item_id] = None
        if len(self._placed) > MOST_ITEMS:
            del self._placed[next(iter(self._placed))]
        return True

    def part(self, item_id: str, index: int, words: str | None) -> tuple[ConversationEvent, ...]:
        """The words of one part of an item."""
        known = self._words.get(item_id)
        if known is not None and known.get(index) == words:
            return ()  # Most words are reported five times.
        return self._told(item_id, {index: words})

    def whole(self, item: JsonObject, *, is_of_response: bool = False) -> tuple[ConversationEvent, ...]:
        """The words of an item reported whole; none for an item that is not a message of the agent.

        `is_of_response`: a response holds the agent's items alone, so its messages need not say whose they
        are.
        """
        item_id, otherwise = item.get("id"), "assistant" if is_of_response else None
        role = item.get("role") or otherwise
        if item.get("type") != "message" or role != "assistant" or not isinstance(item_id, str):
            return ()
        parts = content_of(item)
        if len(parts) == 1:
            return self.part(id_of(item_id), 0, words_of(parts[0]))
        return self._told(id_of(item_id), {index: words_of(part) for index, part in enumerate(parts)})

    def _told(self, item_id: str, words: dict[int, str | None]) -> tuple[ConversationEvent, ...]:
        """Words are never taken away: a part that was cut short may be reported again without them."""
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
