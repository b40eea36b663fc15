"""The sentences that the agent is to say, and the request for the response that says them."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeGuard

from runner.model.action import SetTimer, Timer, TimerKind
from runner.model.values import Instant

_WISH = "wish_"

LAST_WORDS = Timer(TimerKind.LAST_WORDS)
LAST_WORDS_S = 30.0
"""How long a goodbye and running tools may delay the hang-up, and an announcement the transfer."""


def wish_id(count: int) -> str:
    """The id of a call's request for a response, which the API repeats when it refuses it."""
    return f"{_WISH}{count}"


def is_wish(about: str | None) -> TypeGuard[str]:
    """Whether this is the id of a request for a response."""
    return about is not None and about.startswith(_WISH)


class SentenceEnd(Enum):
    """How a sentence ended."""

    HEARD = "heard"
    INTERRUPTED = "interrupted"
    """The caller spoke over it, or a person cut it short."""
    LOST = "lost"
    """The sideband was lost while it was being said: nobody knows how much of it was heard."""
    FAILED = "failed"
    DROPPED = "dropped"
    """It was dropped before it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Something to say (`say`), or an instruction for one response (`tell`).

    With neither, it stands for the content of a response by the model.
    """

    say: str | None = None
    tell: str | None = None
    key: str = ""
    """Key for reporting how the sentence ended; empty when nobody asks."""
    is_persons: bool = False
    """Whether a person wants it said."""
    yields: bool = False
    """Whether it is dropped when somebody else speaks first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for one response, and its purpose. Without sentences the model is asked to continue."""

    wish: str
    sentences: tuple[Sentence, ...] = ()
    is_nudge: bool = False

    @property
    def is_persons(self) -> bool:
        """Whether the response says what a person wants said."""
        return any(sentence.is_persons for sentence in self.sentences)


def wait_for_last_words(now: Instant) -> SetTimer:
    """Bounds the wait for a goodbye or an announcement."""
    return SetTimer(timer=LAST_WORDS, at=now + LAST_WORDS_S)
