"""What the doctor says: one sentence about one thing, and what to do about it."""

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    """Calls are answered, and something is likely to go wrong."""
    ERROR = "error"
    """Calls are not answered, or a tool fails."""
    SKIPPED = "skipped"
    """It was not looked at; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor's."""

    subject: str
    """What was looked at, in a word or two: `api key`, `store`, a host."""
    state: State
    text: str
    remedy: str = ""
    """What to do; empty where nothing is to be done."""

    @classmethod
    def ok(cls, subject: str, text: str) -> "Finding":
        """It is as it should be."""
        return cls(subject=subject, state=State.OK, text=text)

    @classmethod
    def warning(cls, subject: str, text: str, remedy: str) -> "Finding":
        """It works, and should be looked at."""
        return cls(subject=subject, state=State.WARNING, text=text, remedy=remedy)

    @classmethod
    def error(cls, subject: str, text: str, remedy: str) -> "Finding":
        """It does not work."""
        return cls(subject=subject, state=State.ERROR, text=text, remedy=remedy)

    @classmethod
    def skipped(cls, subject: str, text: str, remedy: str = "") -> "Finding":
        """It was not looked at."""
        return cls(subject=subject, state=State.SKIPPED, text=text, remedy=remedy)
