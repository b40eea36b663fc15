"""What the agent is to say, and the request for a response that is to say it."""

from dataclasses import dataclass
from enum import Enum


class SentenceEnd(Enum):
    """What became of a sentence."""

    HEARD = "heard"
    INTERRUPTED = "interrupted"
    """The caller spoke over it, or the sideband was lost while it was being said."""
    FAILED = "failed"
    DROPPED = "dropped"
    """It was dropped before it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Something to be said (`say`) or an instruction for one response (`tell`).

    Neither of them: whatever a response of the model's holds.
    """

    say: str | None = None
    tell: str | None = None
    key: str = ""
    """The name under which its result is told; empty when nobody asks."""
    is_persons: bool = False
    """A person wants it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request for a response and what it was for. No sentences: the model is asked to go on."""

    wish: str
    sentences: tuple[Sentence, ...] = ()
    is_nudge: bool = False

    @property
    def is_persons(self) -> bool:
        """Whether the response says what a person wants said."""
        return any(sentence.is_persons for sentence in self.sentences)
