"""The items of a conversation: their ids, their order, and their tokens. Pure."""

from dataclasses import dataclass, field
from typing import Any

from runner.model.usage import Usage
from runner.model.values import JsonObject

CHARACTERS_PER_TOKEN = 4
AUDIO_TOKENS_PER_WORD_IN = 3
"""The API counts a token for each 100 ms that the caller speaks, about 300 ms a word."""
AUDIO_TOKENS_PER_WORD_OUT = 6
"""And one for each 50 ms that the model speaks."""

Event = dict[str, Any]
"""An event of the API, ready to be written as JSON."""

Item = dict[str, Any]
"""An item of the conversation, in the API's own fields."""


@dataclass(slots=True)
class Ids:
    """Makes ids in the API's form that count upwards, so they are the same in every run."""

    call: str
    _counts: dict[str, int] = field(default_factory=dict)

    def new(self, kind: str) -> str:
        """The next id of this kind: `event`, `item`, `resp`, `call`."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}_{self.call}{self._counts[kind]:05d}"


@dataclass(slots=True)
class Items:
    """The items of one conversation, in order."""

    _all: dict[str, Item] = field(default_factory=dict)
    """By id. A dict keeps the order in which they were added."""

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Add an item at the end, or after another; returns the id of the one before it."""
        before = self.last_id if after is None else after
        if after is None or after == self.last_id:
            self._all[item["id"]] = item
            return before
        entries = list(self._all.items())
        position = 0 if after == "root" else list(self._all).index(after) + 1
        entries.insert(position, (item["id"], item))
        self._all = dict(entries)
        return None if after == "root" else after

    def get(self, item_id: str) -> Item | None:
        """The item of this id."""
        return self._all.get(item_id)

    def remove(self, item_id: str) -> None:
        """Take an item out of the conversation."""
        del self._all[item_id]

    def before(self, item_id: str) -> str | None:
        """The id of the item before this one, or None for the first."""
        ids = list(self._all)
        index = ids.index(item_id) if item_id in self._all else 0
        return ids[index - 1] if index else None

    @property
    def last_id(self) -> str | None:
        """The id of the item at the end."""
        return next(reversed(self._all), None)


@dataclass(slots=True)
class Meter:
    """Counts the tokens of a conversation. What one response has read, the next one reads from the cache."""

    text_in: int
    audio_in: int = 0
    _cached: tuple[int, int] = field(default=(0, 0))

    @classmethod
    def of_session(cls, session: JsonObject) -> "Meter":
        """A meter that starts with the instructions and tools of a session."""
        written = str(session.get("instructions", "")) + str(session.get("tools", ""))
        return cls(text_in=len(written) // CHARACTERS_PER_TOKEN)

    def heard(self, spoken_words: int) -> None:
        """The caller has said this many words."""
        self.audio_in += spoken_words * AUDIO_TOKENS_PER_WORD_IN

    def read(self, text: str) -> None:
        """Text has entered the conversation."""
        self.text_in += -(-len(text) // CHARACTERS_PER_TOKEN)

    def usage(self, *, written: str, spoken_words: int) -> Event:
        """The `usage` of a response that wrote this text and spoke this many words."""
        cached_text, cached_audio = self._cached
        used = Usage(
            text_in=self.text_in,
            text_cached=cached_text,
            audio_in=self.audio_in,
            audio_cached=cached_audio,
            text_out=-(-len(written) // CHARACTERS_PER_TOKEN),
            audio_out=spoken_words * AUDIO_TOKENS_PER_WORD_OUT,
        )
        self._cached = (self.text_in, self.audio_in)
        self.text_in += used.text_out
        self.audio_in += used.audio_out
        return usage_of(used)


def usage_of(used: Usage) -> Event:
    """The `usage` of a response, in the API's own fields."""
    tokens_in = used.text_in + used.audio_in + used.image_in
    tokens_out = used.text_out + used.audio_out
    return {
        "total_tokens": tokens_in + tokens_out,
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "input_token_details": {
            "text_tokens": used.text_in,
            "audio_tokens": used.audio_in,
            "image_tokens": used.image_in,
            "cached_tokens": used.text_cached + used.audio_cached + used.image_cached,
            "cached_tokens_details": {
                "text_tokens": used.text_cached,
                "audio_tokens": used.audio_cached,
                "image_tokens": used.image_cached,
            },
        },
        "output_token_details": {"text_tokens": used.text_out, "audio_tokens": used.audio_out},
    }
