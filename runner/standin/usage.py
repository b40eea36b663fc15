"""Plausible token counts for a scripted call. Pure."""

from dataclasses import dataclass, field

from runner.model.values import JsonObject
from runner.standin.items import Event

CHARACTERS_PER_TOKEN = 4
AUDIO_TOKENS_PER_WORD_IN = 3
"""The API counts a token for each 100 ms that the caller speaks, about 300 ms a word."""
AUDIO_TOKENS_PER_WORD_OUT = 6
"""And one for each 50 ms that the model speaks."""


@dataclass(slots=True)
class Meter:
    """Counts what a conversation holds. All that a response has read, the next one reads from the cache."""

    text_in: int
    audio_in: int = 0
    _cached: tuple[int, int] = field(default=(0, 0))

    @classmethod
    def of_session(cls, session: JsonObject) -> "Meter":
        """A meter that starts with the instructions and tools of a session."""
        written = str(session.get("instructions", "")) + str(session.get("tools", ""))
        return cls(text_in=len(written) // CHARACTERS_PER_TOKEN)

    def heard(self, spoken_words: int) -> None:
        """The caller has said so many words."""
        self.audio_in += spoken_words * AUDIO_TOKENS_PER_WORD_IN

    def read(self, text: str) -> None:
        """Text has entered the conversation."""
        self.text_in += -(-len(text) // CHARACTERS_PER_TOKEN)

    def usage(self, *, written: str, spoken_words: int) -> Event:
        """The `usage` of a response that wrote this text and spoke so many words."""
        text_out = -(-len(written) // CHARACTERS_PER_TOKEN)
        audio_out = spoken_words * AUDIO_TOKENS_PER_WORD_OUT
        cached_text, cached_audio = self._cached
        usage = {
            "total_tokens": self.text_in + self.audio_in + text_out + audio_out,
            "input_tokens": self.text_in + self.audio_in,
            "output_tokens": text_out + audio_out,
            "input_token_details": {
                "text_tokens": self.text_in,
                "audio_tokens": self.audio_in,
                "image_tokens": 0,
                "cached_tokens": cached_text + cached_audio,
                "cached_tokens_details": {
                    "text_tokens": cached_text,
                    "audio_tokens": cached_audio,
                    "image_tokens": 0,
                },
            },
            "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
        }
        self._cached = (self.text_in, self.audio_in)
        self.text_in += text_out
        self.audio_in += audio_out
        return usage
