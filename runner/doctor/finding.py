"""A finding of the doctor: one sentence about one thing, and what to do about it."""

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """The state of a thing."""

    OK = "ok"
    WARNING = "warning"
    """Calls are answered, and something is likely to go wrong."""
    ERROR = "error"
    """Calls are not answered, or a tool fails."""
    SKIPPED = "skipped"
    """It was not checked; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor's report."""

    subject: str
    """What was checked, in a word or two: `api key`, `store`, a host."""
    state: State
    text: str
    remedy: str = ""
    """What to do; empty where there is nothing to do."""

    @classmethod
    def ok(cls, subject: str, text: str) -> "Finding":
        """It is as it should be."""
        return cls(subject=subject, state=State.OK, text=text)

    @classmethod
    def warning(cls, subject: str, text: str, remedy: str) -> "Finding":
        """It works, and deserves a look."""
        return cls(subject=subject, state=State.WARNING, text=text, remedy=remedy)

    @classmethod
    def error(cls, subject: str, text: str, remedy: str) -> "Finding":
        """It does not work."""
        return cls(subject=subject, state=State.ERROR, text=text, remedy=remedy)

    @classmethod
    def skipped(cls, subject: str, text: str, remedy: str = "") -> "Finding":
        """It was not checked."""
        return cls(subject=subject, state=State.SKIPPED, text=text, remedy=remedy)
