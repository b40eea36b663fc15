"""What the doctor finds: one sentence about one thing, and what to do about it."""

from dataclasses import dataclass
from enum import Enum


class FindingState(Enum):
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

    topic: str
    """What was checked, in a word or two: `api key`, `store`, a host."""
    state: FindingState
    text: str
    remedy: str = ""
    """What to do; empty where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing that is checked; makes the findings about it."""

    name: str

    def ok(self, text: str) -> Finding:
        return Finding(topic=self.name, state=FindingState.OK, text=text)

    def warning(self, text: str, remedy: str) -> Finding:
        """It works, and deserves a look."""
        return Finding(topic=self.name, state=FindingState.WARNING, text=text, remedy=remedy)

    def error(self, text: str, remedy: str) -> Finding:
        return Finding(topic=self.name, state=FindingState.ERROR, text=text, remedy=remedy)

    def skipped(self, text: str, remedy: str = "") -> Finding:
        return Finding(topic=self.name, state=FindingState.SKIPPED, text=text, remedy=remedy)
